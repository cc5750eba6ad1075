"""Published results in the terminal: one source, and a run beside several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from ..writing.numbers import counted, interval_text, with_half_width
from ..writing.text_tables import Column as Shown
from ..writing.text_tables import console_of, terminal_table
from .published_matching import Beside, Missing, PublishedComparison
from .published_results import PARTS, Paper, PublishedTable, Row
from .published_words import (
    best_texts,
    claimed_text,
    commands,
    expectations,
    facts,
    measured_texts,
    method_text,
    protocol_text,
    table_title,
    unreliable_texts,
)

MARKS = {"same": "✓", "differs": "✗", "not told": "?"}
WIDTH = 100


def show_paper(paper: Paper, console: Console | None = None) -> None:
    """Print what a source reports, what its protocol is in words, and how to reproduce it."""
    out = console_of(console, WIDTH)
    _line(out, f"{paper.name}: {paper.title}", style="bold")
    _line(out, paper.citation)
    _line(out, paper.link)
    _line(out, f"Read {paper.read} in: {paper.source}.")
    _listed(out, "Mind", paper.warnings)
    for table in paper.tables:
        out.print()
        _show_table(out, paper, table)
    _listed(out, "Known to be unreliable", unreliable_texts(paper.tables))


def _show_table(out: Console, paper: Paper, table: PublishedTable) -> None:
    _line(out, table_title(paper, table), style="bold")
    for key, words in facts(table).items():
        _line(out, f"{key}: {words}", 2)
    columns: list[Shown[Row]] = [
        Shown("method", lambda row: row.method, left=True),
        *(Shown(column.title, partial(claimed_text, column=column)) for column in table.columns),
        Shown("heatmark's", method_text, left=True),
    ]
    out.print(Padding(terminal_table(columns, table.rows, gap=2), (0, 0, 0, 2)))
    for column in table.columns:
        _line(out, f"{column.name}: {protocol_text(column)}", 2)
    found = commands(paper, table)
    if found:
        _line(out, "To reproduce it (PATH is where your copy of the data lies):", 2)
        for command in found:
            # One line however long, so that it can be copied.
            out.print(Text(f"    {command}"), soft_wrap=True)
        _listed(out, "Expect", expectations(table), 2)
    else:
        _line(out, f"No command reproduces it: {table.no_command}.", 2)
    _listed(out, "Best known", best_texts(table), 2)
    _listed(out, "Measured here", measured_texts(table), 2)


def show_comparison(found: PublishedComparison, console: Console | None = None) -> None:
    """Print a run beside published results: what is the same, what differs, and whether the numbers do."""
    out = console_of(console, WIDTH)
    _line(out, f"{', '.join(found.runs)} beside published results", style="bold")
    _line(out, "✓ the same, ✗ differs, ? the source does not tell. Numbers are compared only where all four are ✓.")
    for _, group in groupby(found.beside, lambda one: (one.paper, one.table.name)):
        out.print()
        _show_beside(out, list(group))
    _show_missing(out, found)
    out.print()
    _line(out, verdict(found), style="bold")


def verdict(found: PublishedComparison) -> str:
    """Return what came of a comparison, in a sentence."""
    if not found.beside:
        return "Nothing of the run can be put beside these published results."
    if not found.comparable:
        return (
            f"None of {counted(len(found.beside), 'value')} is of the same protocol, model, dataset and count: "
            "no difference between the numbers means anything yet."
        )
    return (
        f"{len(found.comparable)} of {counted(len(found.beside), 'value')} may be compared: "
        f"{len(found.comparable) - len(found.flagged)} agree, {len(found.flagged)} differ."
    )


def _show_beside(out: Console, lines: Sequence[Beside]) -> None:
    first = lines[0]
    _line(out, f"{first.paper}, {first.table.name}: {first.table.where}", style="bold")
    columns: list[Shown[Beside]] = [
        Shown("method", lambda one: one.row.method, left=True),
        Shown("metric", lambda one: f"{one.column.name} {one.column.arrow}", left=True),
        Shown("published", _published_text),
        Shown("here", lambda one: with_half_width(one.ours.mean, one.ours.low, one.ours.high)),
        *(Shown(part, _mark(number)) for number, part in enumerate(PARTS)),
        Shown("result", result_text, left=True, style=lambda one: "bold red" if one.flagged else ""),
    ]
    out.print(terminal_table(columns, lines))
    for words in (*ours_texts(lines), *difference_texts(lines), *left_open_texts(lines)):
        _line(out, words, 2)
    for words in flagged_texts(lines):
        _line(out, words, 2, "bold red")
    for words in unreliable_texts([first.table]):
        _line(out, f"known to be unreliable: {words}", 2)


def _published_text(one: Beside) -> str:
    """Return the published value with its unit; the spread is part of what is expected."""
    if one.claimed is None:
        return claimed_text(one.row, one.column)
    return f"{one.claimed:g} {one.column.unit}".strip()


def result_text(one: Beside) -> str:
    """Return the verdict; where there is one, also the framework, for each that was compared has its own row."""
    return f"{one.verdict}, {one.ours.framework}" if one.comparable else one.verdict


def _mark(number: int) -> Callable[[Beside], str]:
    return lambda one: MARKS[one.matches[number].state]


def ours_texts(lines: Sequence[Beside]) -> list[str]:
    """Return which values of the run stand there: metrics and methods by heatmark's names, and where from."""
    places: dict[str, list[tuple[str, str]]] = {}
    for one in lines:
        place = f"{one.ours.model} on {one.ours.dataset}, {one.ours.framework}"
        places.setdefault(place, []).append((one.ours.method, one.ours.metric))
    return [f"here: {'; '.join(_of_methods(pairs))}: {place}" for place, pairs in places.items()]


def _of_methods(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return ``metrics of methods``, methods with the same metrics together."""
    metrics: dict[str, dict[str, None]] = {}
    for method, metric in pairs:
        metrics.setdefault(method, {})[metric] = None
    methods: dict[str, list[str]] = {}
    for method, names in metrics.items():
        methods.setdefault(", ".join(names), []).append(method)
    return [f"{names} of {', '.join(held)}" for names, held in methods.items()]


def difference_texts(lines: Sequence[Beside]) -> list[str]:
    """Return what differs and what is not told, each once with the rows that it holds for, all where all."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in lines:
        for match in one.matches:
            if match.state != "same":
                words = "; ".join(match.words)
                found.setdefault((match.part, match.state, words), []).append(f"{one.row.method}, {one.column.name}")
    ordered = sorted(found.items(), key=lambda item: [*map(str, PARTS)].index(item[0][0]))
    return [
        f"{'differs in' if state == 'differs' else 'not told:'} {part}"
        + (f" ({_some(rows)})" if len(rows) < len(lines) else "")
        + f": {words}"
        for (part, state, words), rows in ordered
    ]


def left_open_texts(lines: Sequence[Beside]) -> list[str]:
    """Return what remains different where numbers are compared, for which the tolerance is."""
    found: dict[str, None] = {}
    for one in lines:
        column = one.column
        if one.comparable and column.tolerance is not None:
            left = f"; left open: {column.left_open}" if column.left_open else ""
            found[f"{column.name} within {column.tolerance:g}, besides sampling ({column.because}){left}"] = None
    return list(found)


def flagged_texts(lines: Sequence[Beside]) -> list[str]:
    """Return where the numbers differ though everything is the same: ours, and what was expected."""
    return [
        f"{one.row.method}, {one.column.name}, {one.ours.framework}: here {one.ours.mean:.4g} "
        f"{interval_text(one.ours.low, one.ours.high)}, expected {one.expected[0]:.4g} to {one.expected[1]:.4g}."
        for one in lines
        if one.flagged and one.expected is not None
    ]


def _some(rows: Sequence[str]) -> str:
    return "; ".join(rows)


def _show_missing(out: Console, found: PublishedComparison) -> None:
    """Print what has nothing beside it: rows where one source was asked for, else how many."""
    if not found.missing:
        return
    out.print()
    head = f"{counted(len(found.missing), 'published value')} without one beside them"
    if len(found.papers) > 1:
        here = sum(one.here for one in found.missing)
        _line(
            out,
            f"{head}: {here} of methods and metrics that the run does not hold, {len(found.missing) - here} of such as "
            "heatmark does not have. --published NAME tells which.",
        )
        return
    _line(out, f"{head}:")
    for table, group in groupby(found.missing, lambda one: one.table):
        for words in missing_texts(list(group)):
            _line(out, f"{table}: {words}", 2)


def missing_texts(missing: Sequence[Missing]) -> list[str]:
    """Return what is missing and why, methods of one reason and the same metrics together."""
    reasons: dict[str, list[tuple[str, str]]] = {}
    for one in missing:
        reasons.setdefault("not in this run" if one.here else one.why, []).append((one.method, one.metric))
    return [f"{'; '.join(_of_methods(pairs))}: {why}" for why, pairs in reasons.items()]


def _line(out: Console, words: str, indent: int = 0, style: str = "") -> None:
    out.print(Padding(Text(words, style=style), (0, 0, 0, indent)))


def _listed(out: Console, head: str, lines: Iterable[str], indent: int = 0) -> None:
    for words in lines:
        _line(out, f"{head}: {words}", indent)
