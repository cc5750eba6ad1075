"""The leaderboard in the terminal: tables that fit 100 columns."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from ..across.overall import Overall
from ..audits.known_audits import audit_notes
from ..standings.fills import fill_comparisons
from ..standings.registered import MetricFacts
from ..standings.standings import Row, Standings, Table
from ..writing.numbers import decimals, with_half_width
from ..writing.text_tables import Column, console_of, in_parts, terminal_table
from .networks import examined_networks
from .overall import print_overall, worth_showing
from .tables import (
    COVERAGE,
    DEGENERATE,
    PASSES,
    RELATIVE,
    TIME,
    agreement_text,
    model_text,
    place_text,
    suite_name,
    tie_text,
    trust_notes,
    uncounted_text,
)
from .verdict import verdicts

WIDTH = 100
"""Assumed where the output is no terminal, such as a log."""

VALUE_WIDTH, LONGEST_WORD = 10, 18
"""A metric's column has the first, or the longest unbroken part of the metric's name up to the second."""
SHORTEST_NAME, LONGEST_NAME = 20, 34
KEPT = "\u00a0"
"""A space at which no line ends."""
METRICS_ACROSS = 6
NOTES = 8
"""So many failures and reasons are printed; the files hold all."""


COSTS = (
    TIME,
    RELATIVE,
    replace(PASSES, head="passes\nfwd + bwd"),
    replace(COVERAGE, head="samples"),
    replace(DEGENERATE, head="degen-\nerate"),
)


def print_board(standings: Standings, standing: Overall, console: Console | None = None) -> None:
    """Print every table, the standing across tasks, the agreement of frameworks, failures and what does not apply."""
    console = console_of(console, WIDTH)
    console.print(f"[bold]Leaderboard: {escape(suite_name(standings))}[/bold]")
    for verdict in verdicts(standings):
        console.print(Text(f"{verdict.where}: {' '.join(verdict.sentences)}"))
        for warning in verdict.warnings:
            console.print(Text(f"Warning: {warning}", style="yellow"))
        console.print()
    if worth_showing(standing):
        print_overall(standing, console)
        console.print()
    for table in standings.tables:
        across, names = _layout(table, console.width)
        for number, metrics in enumerate(in_parts(range(len(table.metrics)), across)):
            if number:
                console.print()
            # Printed by itself, as the title of a narrow table would be broken at the table's width.
            console.print(Text(f"{table.setting.title}{' (continued)' if number else ''}", style="italic"))
            console.print(_scores(table, metrics, names, continued=number > 0))
        console.print()
        console.print(Text("cost per image, and coverage", style="italic"))
        console.print(terminal_table([*_named(names), *COSTS], table.rows, _style, gap=0))
        if left_out := uncounted_text(table):
            console.print(Text(left_out))
        for compared in fill_comparisons(table):
            console.print(Text(compared.text, style="yellow" if compared.depends else ""))
        console.print(Text(model_text(table)))
        console.print()
    if any(method.control for method in standings.methods):
        console.print(Text("† control: floor or ceiling of the table, not a contender", style="dim"))
    console.print(Text("± half of the 95 % interval; tie: the places from which a method is not separable", "dim"))
    for note in audit_notes([metric.audit for metric in standings.metrics]):
        console.print(Text(note, style="dim"))
    if _undefined(standings):
        console.print(Text("- the metric's definition gives no value for any of these samples", style="dim"))
    for agreement in standings.agreements:
        console.print(Text(agreement_text(agreement), style="yellow" if agreement.differing else ""))
    for network in examined_networks(standings):
        if network.found.worst != "holds":
            console.print(Text(f"examined: {network.summary}", style="yellow"))
    for note in trust_notes(standings):
        console.print(Text(f"submitted: {note}", style="yellow"))
    _print_notes(console, standings)


def _layout(table: Table, width: int) -> tuple[int, int]:
    """Return how many metrics stand beside one another, and the width of the column of names."""
    longest = max((len(row.method.label) for row in table.rows), default=0)
    # Place, mean rank and tie take 15 columns with their gaps. Rich drops columns that do not fit.
    room = width - 16
    value = max(map(_width, table.metrics), default=VALUE_WIDTH) + 1
    across = max(1, min(METRICS_ACROSS, len(table.metrics), (room - SHORTEST_NAME) // value))
    across = max(map(len, in_parts(range(len(table.metrics)), across)), default=1)
    names = min(longest, LONGEST_NAME, max(room - across * value, SHORTEST_NAME))
    return across, max(names, len("method"))


def _scores(table: Table, places: Sequence[int], names: int, continued: bool) -> RichTable:
    ranks: tuple[Column[Row], ...] = (
        Column("mean\nrank", lambda row: decimals(row.mean_rank), width=5),
        Column("tie", tie_text, left=True, width=5),
    )
    scores = [
        Column(_heading(metric), partial(_value, place), width=_width(metric), style=partial(_weight, place))
        for place, metric in ((place, table.metrics[place]) for place in places)
    ]
    return terminal_table([*_named(names), *(() if continued else ranks), *scores], table.rows, _style, gap=0)


def _named(width: int) -> tuple[Column[Row], ...]:
    """Return the columns that every table begins with."""
    name: Column[Row] = Column("method", lambda row: folded(row.method.label, width), left=True, width=width)
    return Column("#", place_text, width=2), name


def _value(place: int, row: Row) -> str:
    value = row.values[place]
    text = with_half_width(value.mean, value.low, value.high)
    return text if len(text) <= VALUE_WIDTH else text.replace(" ", "")


def _weight(place: int, row: Row) -> str:
    return "bold" if row.values[place].best else ""


def _width(metric: MetricFacts) -> int:
    """Return the width of a metric's column, in which no word of its name is broken that need not be."""
    return min(max(VALUE_WIDTH, *(len(part.strip(" ")) for part in _parts(metric.name))), LONGEST_WORD)


def _heading(metric: MetricFacts) -> str:
    """Return a metric's name in lines that fit its column, below it the direction and the mark of its audit."""
    return f"{folded(metric.name, _width(metric))}\n{metric.arrow} {metric.mark}".rstrip()


def folded(name: str, width: int) -> str:
    """Return a name in lines of at most ``width``, broken at a space, after an underscore or comma, before a bracket.

    What is longer than a line is broken after its equals sign, and only then anywhere.
    """
    lines = [""]
    for part in _parts(name):
        for piece in [part] if len(part.strip(" ")) <= width else re.findall("[^=]+=?|=", part):
            if len(lines[-1] + piece) > width and lines[-1]:
                lines.append("")
            lines[-1] += piece if lines[-1] else piece.lstrip(" ")
            while len(lines[-1]) > width:
                lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return "\n".join(line.strip().replace(KEPT, " ") for line in lines if line)


def _parts(name: str) -> list[str]:
    """Return a name in the parts between which a line may end; a short parameter is not parted from its value."""
    for chosen in re.findall(r"\([^()]*\)", name):
        kept = [one.replace(" ", KEPT) if len(one) < LONGEST_WORD else one for one in chosen.split(", ")]
        name = name.replace(chosen, ", ".join(kept))
    return re.findall(r"[_,\[ ]?[^_,\[ ]*[_,]?", name)


def _undefined(standings: Standings) -> bool:
    """Whether a metric gives some method no value though samples of it are there."""
    rows = (row for table in standings.tables for row in table.rows)
    return any(math.isnan(value.mean) for row in rows if row.coverage.samples for value in row.values)


def _style(row: Row) -> str:
    return "dim" if row.place is None else "italic" if row.method.control else ""


def _print_notes(console: Console, standings: Standings) -> None:
    unplaced = [
        f"not ranked: {row.method.name} ({table.setting.framework_name}): {row.why_unplaced}"
        for table in standings.tables
        for row in table.rows
        if row.place is None
    ]
    failed = [f"failed: {failure.spec.label}: {failure.error}" for failure in standings.failures]
    reasons = [f"not applicable: {i.method} ({i.task}, {i.framework}): {i.reason}" for i in standings.not_applicable]
    for style, notes in (("yellow", unplaced), ("red", failed), ("dim", reasons)):
        for note in notes[:NOTES]:
            console.print(Text(note, style=style))
        if len(notes) > NOTES:
            console.print(Text(f"... and {len(notes) - NOTES} more; the report lists all.", style=style))
