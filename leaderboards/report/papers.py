"""Tables for papers: a board in few columns, with a caption that says what it shows; the formats only lay them out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ...errors import BadInput, suggestion
from ...selection import parse_selections, split_selections
from ..standings.registered import MetricFacts
from ..standings.standings import MetricResult, Row, Standings, Table
from ..writing.names import parted, shown_dataset, shown_model
from ..writing.numbers import MISSING, counted, decimals, half_width, number, percent, times
from ..writing.text_tables import in_parts

Mark = Literal["best", "second", ""]

ACROSS = 4
"""So many metrics stand beside one another in a table for a page."""
PROTOCOLS = "Protocols."
TEST = "Friedman test, then Wilcoxon signed-rank tests of all pairs with Holm's correction, level 0.05"


class Cell(NamedTuple):
    """One cell: a number, half of its interval, and whether it is among the best."""

    number: str
    spread: str = ""
    mark: Mark = ""


class Head(NamedTuple):
    """A column's head: its words, and an arrow in the direction of better, if it has one."""

    words: str
    arrow: str = ""


@dataclass(frozen=True)
class PaperTable:
    """One table: its columns, its rows, and what stands above it."""

    heads: tuple[Head, ...]
    """Of all columns but the first, which has the methods."""
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    """A method's name, with a dagger where it is a control, and its cells."""
    caption: str
    """What was measured on what, on how many samples, by which protocols, and what the marks mean."""
    label: str
    """A name to refer to it by: letters, digits and hyphens."""


def paper_tables(
    standings: Standings,
    methods: str | Iterable[str] | None = None,
    metrics: str | Iterable[str] | None = None,
    across: int = ACROSS,
    *,
    protocols: bool = True,
) -> list[PaperTable]:
    """Return the tables of a board, a wide one in several parts.

    A choice of methods or metrics hides the others and ranks nothing anew: ranks, ties and marks are among all.

    Parameters
    ----------
    standings
        The board.
    methods, metrics
        The rows and columns to show, in the board's order (see `chosen`). All where None.
    across
        How many metrics stand beside one another at most.
    protocols
        Whether captions tell the metrics' protocols.

    Raises
    ------
    BadInput
        If the board has no such method or metric; or ``across`` is less than one.
    """
    if across < 1:
        raise BadInput(f"So many metrics cannot stand beside one another: {across}. Give at least 1.")
    rows = chosen(methods, [one.id for one in standings.methods], "method")
    columns = chosen(metrics, [one.id for one in standings.metrics], "metric")
    require_results(standings)
    found = []
    for number_, table in enumerate(standings.tables, 1):
        places = [place for place, metric in enumerate(table.metrics) if metric.id in columns]
        shown = [row for row in table.rows if row.method.id in rows]
        parts = [part for part in in_parts(places, across) if part or not places]
        for part_number, part in enumerate(parts if shown else []):
            made = _table(table, shown, part, f"heatmark-{number_}", part_number, len(parts), protocols=protocols)
            found.append(made)
    return found


def require_results(standings: Standings) -> None:
    """Raise BadInput where no table of a board has a result."""
    if not any(table.model.samples for table in standings.tables):
        raise BadInput("The board has no results yet, so there is no table to write.")


def chosen(names: str | Iterable[str] | None, known: Sequence[str], kind: str) -> set[str]:
    """Return which of a board's methods or metrics are meant; BadInput where there is no such one.

    One is named by its text, by its name, which means all variants, or as the board has it where that tells two of one
    text apart: ``gradient (version 2)``.
    """
    if names is None:
        return set(known)
    texts = [names] if isinstance(names, str) else list(names)
    parts = [part for text in texts for part in ([text] if text in known else split_selections(text))]
    found = {part for part in parts if part in known}
    for selection in parse_selections(part for part in parts if part not in found):
        meant = [one for one in known if parted(one)[0] == selection.text]
        if not meant and selection.text == selection.name:
            meant = [one for one in known if parted(one)[0].partition("[")[0] == selection.name]
        if not meant:
            near = suggestion(selection.text, known)
            raise BadInput(f"The board has no {kind} {selection.text!r}.{near} It has: {', '.join(known)}.")
        found.update(meant)
    return found


def marks(values: Sequence[MetricResult]) -> tuple[Mark, ...]:
    """Return which results of one metric are the best, and which come second.

    The best are all that cannot be told apart from the best one and are not the metric's worst possible value. Of the
    others, the one with the best rank comes second, and all that cannot be told apart from it. Where nothing can be
    told apart there are no marks.
    """
    ranked = [value for value in values if value.tied is not None]
    if all(value.tied is not None and value.tied.lead for value in ranked):
        unmarked: list[Mark] = [""] * len(values)
        return tuple(unmarked)
    behind = [value for value in ranked if not value.best and math.isfinite(value.rank)]
    second = min(behind, key=lambda value: value.rank, default=None)
    last = math.nan if second is None or second.tied is None else second.tied.last
    found: list[Mark] = [
        "best" if value.best else "second" if value in behind and value.rank <= last else "" for value in values
    ]
    return tuple(found)


def _table(
    table: Table, rows: Sequence[Row], places: Sequence[int], label: str, part: int, parts: int, *, protocols: bool
) -> PaperTable:
    metrics = [table.metrics[place] for place in places]
    marked = {place: marks([row.values[place] for row in table.rows]) for place in places}
    heads = [
        Head("Mean rank", "↓"),
        *(Head(f"{metric.name} {metric.unit}".rstrip(), metric.arrow) for metric in metrics),
        Head("Cost", "↓"),
    ]
    cells = [
        (
            row.method.label,
            (
                Cell(decimals(row.mean_rank)),
                *(_cell(row.values[place], marked[place][number_]) for place in places),
                Cell(times(row.cost.relative)),
            ),
        )
        for number_, row in enumerate(table.rows)
        if row in rows
    ]
    sentences = _caption(table, rows, places, part, parts, any(map(any, marked.values())))
    caption = " ".join(one for one in sentences if protocols or not one.startswith(PROTOCOLS))
    return PaperTable(tuple(heads), tuple(cells), caption, label if parts == 1 else f"{label}-{part + 1}")


def _cell(value: MetricResult, mark: Mark) -> Cell:
    return Cell(number(value.mean), half_width(value.low, value.high), mark) if value.samples else Cell(MISSING)


def _caption(
    table: Table, rows: Sequence[Row], places: Sequence[int], part: int, parts: int, marked: bool
) -> Iterator[str]:
    """Yield the sentences of a caption."""
    task, facts, metrics = table.setting.task, table.model, [table.metrics[place] for place in places]
    right = f", right on {percent(facts.accuracy)}" if math.isfinite(facts.accuracy) else ""
    variant = f" ({table.setting.variant})" if table.setting.variant else ""
    explained = {"predicted": "the predicted class", "label": "the labelled class"}.get(table.setting.target, "")
    yield (
        f"Attribution methods explaining {explained or table.setting.target} of {shown_model(task.shown_model)} "
        f"({table.setting.framework_name}{right}) on {shown_dataset(task.dataset)}{variant}, n = {facts.samples}"
        f"{f', part {part + 1} of {parts}' if parts > 1 else ''}."
    )
    ranked = sum(row.place is not None for row in table.rows)
    hidden = f"; {len(table.rows) - len(rows)} of them are not shown" if len(rows) < len(table.rows) else ""
    yield (
        f"Mean rank: over {counted(sum(table.counted), 'metric')}, among {counted(ranked, 'ranked method')}{hidden}. "
        "Metrics: mean over samples with half of its 95 % interval. Cost: time to explain, in forward passes of the "
        "network."
    )
    counts = {place: _compared_on(table, place) for place in places}
    if fewer := [f"{table.metrics[k].name} n = {count}" for k, count in counts.items() if 0 < count < facts.samples]:
        yield f"On fewer samples, those on which every ranked method has a score: {', '.join(fewer)}."
    if marked:
        yield (
            f"Bold: not told apart from the best ({TEST}); underlined: the best of the others, and what is not told "
            "apart from it."
        )
    if any(row.method.control for row in rows):
        yield "† control: a floor or ceiling, no contender."
    if protocols := [f"{metric.name}: {_unended(metric)}" for metric in metrics if metric.sentence]:
        yield f"{PROTOCOLS} {'. '.join(protocols)}."


def _compared_on(table: Table, place: int) -> int:
    """Return on how many samples the ranked methods are compared by a metric, 0 where none is ranked."""
    return max((row.values[place].samples for row in table.rows if math.isfinite(row.values[place].rank)), default=0)


def _unended(metric: MetricFacts) -> str:
    """Return a metric's protocol without its full stop, to stand behind its name."""
    text = metric.sentence.removesuffix(".")
    return text[:1].lower() + text[1:]
