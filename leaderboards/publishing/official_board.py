"""What is shown of the official board: its front task, the rows and columns of a short table, and the words around."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...errors import BadInput
from ..report.formats import markdown_text_of
from ..report.papers import paper_tables
from ..report.verdict import Verdict, verdicts
from ..standings.standings import Standings, Table

FRONT = ("efficientnet-lite0", "imagenet-samples")
"""The network and the data of the table that README shows; of a board without them its first task."""
COLUMNS = ("average_drop", "n_ord", "s_ord", "deletion", "insertion", "relevance_mass")
"""The metrics of short tables, each in the protocol of a table that departs from its default the least."""
BEST = 10
"""So many methods stand in short tables, besides the controls."""


@dataclass(frozen=True, eq=False)
class ShownTask:
    """One task of the board, with its table in every framework."""

    title: str
    """The network and the data; with the framework where another one has other samples."""
    board: Standings
    """The board with these tables alone."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """Its tables."""
        return self.board.tables

    @property
    def verdicts(self) -> list[Verdict]:
        """What it says, by framework."""
        return verdicts(self.board)


def shown_tasks(standings: Standings) -> list[ShownTask]:
    """Return the tasks of a board, in its order; BadInput where it has none."""
    found = [ShownTask(title, replace(standings, tables=tuple(tables))) for title, tables in standings.tasks]
    if not found:
        raise BadInput("The board has no tasks, so there is nothing to publish.")
    return found


def front_of(tasks: Sequence[ShownTask]) -> ShownTask:
    """Return the task that README shows."""

    def is_front(task: ShownTask) -> bool:
        setting = task.tables[0].setting
        return (setting.task.model, setting.task.dataset, setting.variant) == (*FRONT, "")

    return next(filter(is_front, tasks), tasks[0])


def short_tables(task: ShownTask, frameworks: Iterable[str] | None = None) -> list[str]:
    """Return the best methods and the controls of a task in a few columns, as Markdown, a table for each framework."""
    wanted = None if frameworks is None else set(frameworks)
    written = []
    for table in task.tables:
        if wanted is not None and table.setting.framework not in wanted:
            continue
        contenders = [row.method.id for row in table.rows if row.place is not None and not row.method.control]
        controls = [row.method.id for row in table.rows if row.method.control]
        variants = {name: [m.id for m in table.metrics if m.id.partition("[")[0] == name] for name in COLUMNS}
        shown = [min(found, key=len) for found in variants.values() if found] or [m.id for m in table.metrics[:5]]
        methods = [*contenders[:BEST], *controls]
        if methods and shown:
            one = replace(task.board, tables=(table,))
            papers = paper_tables(one, methods, shown, across=len(COLUMNS), protocols=False)
            written += [markdown_text_of(paper) for paper in papers]
    return written
