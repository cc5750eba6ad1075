"""The texts that are made from the official results: README's first screen and docs/results.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import BadInput
from ..across.overall import overall
from ..records.commands import made_by, reproduction
from ..report.html import run_facts
from ..report.overall import overall_markdown, worth_showing
from ..report.verdict import Verdict
from ..standings.standings import Standings
from ..writing.names import shown_dataset, shown_model
from ..writing.numbers import MISSING, counted, percent
from ..writing.text_tables import Column, escaped, markdown_table, markdown_text
from .official_board import FRONT, ShownTask, front_of, short_tables, shown_tasks

BEGIN = "<!-- made by `heatmark publish` from the official results: change them, not this -->"
END = "<!-- end of what `heatmark publish` makes -->"
LEADERBOARD, GALLERY, PARETO = "docs/leaderboard.png", "docs/gallery.png", "docs/pareto.png"
"""The pictures, beside README."""
NOTES = "notes.md"
"""Beside the official runs of a version: what was measured, and what was reduced, in words."""


def readme_with(readme: str, standings: Standings, where: Path) -> str:
    """Return README with its part about the official results made anew.

    Raises
    ------
    BadInput
        If the marks around that part are not there.
    """
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BadInput(f"{where} has no part for the official results: a line {BEGIN!r}, and below it {END!r}.")
    return f"{head}{BEGIN}\n\n{_front_part(standings)}\n{END}{tail}"


def _front_part(standings: Standings) -> str:
    tasks = shown_tasks(standings)
    front = front_of(tasks)
    first = front.tables[0]
    samples = ", ".join(dict.fromkeys(str(table.model.samples) for table in front.tables))
    setting = first.setting.task
    things = "photographs" if setting.dataset == FRONT[1] else "samples"
    what = f"{shown_model(setting.shown_model)} on {shown_dataset(setting.dataset)} ({samples} {things})"
    more = _counts(standings, tasks)
    return markdown_text(
        [
            f"![The leaderboard of {what}]({LEADERBOARD})",
            f"![Heatmaps of its best methods]({GALLERY})",
            *(_verdict_words(verdict) for verdict in front.verdicts[:1]),
            *short_tables(front, [first.setting.framework]),
            f"Made by {_made_by(standings, front)}.",
            f"The official results are part of heatmark: {more} ([docs/results.md](docs/results.md)). "
            "`heatmark leaderboard official --out board` shows all of it, `heatmark site official --out site` makes a "
            "site of it, and `heatmark leaderboard results/mine official --out beside` puts a run of yours beside it.",
        ]
    )


def _verdict_words(verdict: Verdict) -> str:
    """Return what a table says, and what speaks against believing it, which is never left out."""
    warnings = [f"**{escaped(warning)}**" for warning in verdict.warnings]
    return " ".join([*map(escaped, verdict.sentences), *warnings])


def _made_by(standings: Standings, task: ShownTask) -> str:
    """Return the commands that measured a task, as code."""
    about = {(table.setting.task.model, table.setting.task.dataset) for table in task.tables}
    stores = [store for store in standings.stores if about & {(one.model, one.dataset) for one in store.expected}]
    lines = dict.fromkeys(line for store in stores for line in made_by(store.run, store.path.name))
    return ", ".join(f"`{line}`" for line in lines)


def results_page(standings: Standings, notes: str) -> str:
    """Return ``docs/results.md``: every official task, how it came about, and the standing across tasks."""
    tasks = shown_tasks(standings)
    standing = overall(standings)
    return markdown_text(
        [
            "# Official results",
            BEGIN,
            f"What heatmark carries as its own results: {_counts(standings, tasks)}. `heatmark leaderboard official "
            "--out board` shows every method and metric, `heatmark compare official --methods A,B` any two methods "
            "sample by sample, and `heatmark site official --out site` makes a site of it.",
            notes.strip(),
            _contents(tasks),
            *(overall_markdown(standing) if worth_showing(standing) else []),
            *(block for task in tasks for block in _task(task)),
            "## How it was computed",
            markdown_table(
                [Column("", lambda item: item[0]), Column("", lambda item: item[1])], _facts(standings), left=2
            ),
            "```bash\n" + reproduction(standings) + "\n```",
            END,
        ]
    )


def _counts(standings: Standings, tasks: Iterable[ShownTask]) -> str:
    cells = sum(method.coverage.cells for table in standings.tables for method in table.results.methods)
    parts = (
        counted(len(list(tasks)), "task"),
        counted(sum(not method.control for method in standings.methods), "method"),
        counted(len(standings.metrics), "metric"),
        counted(cells, "cell"),
    )
    return ", ".join(parts)


def _contents(tasks: Iterable[ShownTask]) -> str:
    columns: list[Column[ShownTask]] = [
        Column("task", lambda task: task.title),
        Column("frameworks", lambda task: ", ".join(table.setting.framework_name for table in task.tables)),
        Column("samples", lambda task: str(task.tables[0].model.samples)),
        Column("right", lambda task: percent(task.tables[0].model.accuracy)),
        Column("methods", lambda task: str(max(len(table.rows) for table in task.tables))),
        Column("metrics", lambda task: str(max(len(table.metrics) for table in task.tables))),
        Column("best", _best),
    ]
    return markdown_table(columns, tasks, left=2)


def _best(task: ShownTask) -> str:
    found = {
        next((row.method.name for row in table.rows if row.place is not None and not row.method.control), MISSING)
        for table in task.tables
    }
    return ", ".join(sorted(found))


def _task(task: ShownTask) -> list[str]:
    words = [
        f"**{escaped(verdict.where)}.** {' '.join(map(escaped, (*verdict.sentences, *verdict.warnings)))}"
        for verdict in task.verdicts
    ]
    return [f"## {escaped(task.title)}", *words, *short_tables(task)]


def _facts(standings: Standings) -> list[tuple[str, str]]:
    """Return what is worth telling of how the results came about; tasks and frameworks stand above."""
    return [(name, words) for name, words in run_facts(standings) if name not in ("tasks", "frameworks")]
