"""The leaderboard in the terminal: tables that fit 100 columns."""

from __future__ import annotations

import math
import re

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from ..audits.known_audits import audit_notes
from ..standings.registered import MetricFacts
from ..standings.standings import Row, Standings, Table
from ..writing import numbers as formatting
from .tables import agreement_text, in_parts, method_name, model_text, passes_text, place_text, suite_name

WIDTH = 100
"""Assumed where the output is no terminal, such as a log."""

VALUE_WIDTH = 10
SHORTEST_NAME, LONGEST_NAME = 20, 34
METRICS_ACROSS = 6
NOTES = 8
"""So many failures and reasons are printed; the files hold all."""


def print_board(standings: Standings, console: Console | None = None) -> None:
    """Print every table, the agreement of frameworks, failures and what does not apply."""
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
    console.print(f"[bold]Leaderboard: {escape(suite_name(standings))}[/bold]")
    for table in standings.tables:
        across, names = _layout(table, console.width)
        for number, metrics in enumerate(in_parts(range(len(table.metrics)), across)):
            # Printed by itself, as the title of a narrow table would be broken at the table's width.
            console.print(Text(f"{table.setting.title}{' (continued)' if number else ''}", style="italic"))
            console.print(_scores(table, metrics, names, continued=number > 0))
        console.print()
        console.print(Text("cost per image, and coverage", style="italic"))
        console.print(_costs(table, names, memory=console.width >= WIDTH - 10))
        console.print(Text(model_text(table)))
        console.print()
    if any(row.method.control for table in standings.tables for row in table.rows):
        console.print(Text("† control: floor or ceiling of the table, not a contender", style="dim"))
    console.print(Text("± half of the 95 % interval; tie: same letter = not separable from the group's best", "dim"))
    audits = {metric.id: metric.audit for table in standings.tables for metric in table.metrics}
    for note in audit_notes(list(audits.values())):
        console.print(Text(note, style="dim"))
    if _undefined(standings):
        console.print(Text("- the metric's definition gives no value for any of these samples", style="dim"))
    for agreement in standings.agreements:
        console.print(Text(agreement_text(agreement), style="yellow" if agreement.differing else ""))
    _print_notes(console, standings)


def _layout(table: Table, width: int) -> tuple[int, int]:
    """Return how many metrics stand beside one another, and the width of the column of names."""
    longest = max((len(method_name(row)) for row in table.rows), default=0)
    # Place, mean rank and tie take 13 columns with their gaps. Rich drops columns that do not fit.
    room = width - 14
    across = max(1, min(METRICS_ACROSS, len(table.metrics), (room - SHORTEST_NAME) // (VALUE_WIDTH + 1)))
    names = min(longest, LONGEST_NAME, max(room - across * (VALUE_WIDTH + 1), SHORTEST_NAME))
    return across, max(names, len("method"))


def _scores(table: Table, numbers: list[int], names: int, continued: bool) -> RichTable:
    rich = _empty()
    rich.add_column("#", justify="right", width=2)
    rich.add_column("method", width=names)
    if not continued:
        rich.add_column("mean\nrank", justify="right", width=5)
        rich.add_column("tie", width=3)
    for number in numbers:
        rich.add_column(Text(_heading(table.metrics[number])), justify="right", width=VALUE_WIDTH)
    for row in table.rows:
        start = [Text(place_text(row)), Text(folded(method_name(row), names))]
        if not continued:
            start += [Text(formatting.mean_rank(row.mean_rank)), Text(row.group)]
        values = [row.values[number] for number in numbers]
        texts = [
            Text(_short(formatting.with_half_width(v.mean, v.low, v.high)), style="bold" if v.group == "a" else "")
            for v in values
        ]
        rich.add_row(*start, *texts, style=_style(row))
    return rich


def _costs(table: Table, names: int, memory: bool) -> RichTable:
    rich = _empty()
    rich.add_column("#", justify="right", width=2)
    rich.add_column("method", width=names)
    headings = ["time", "relative", "passes\nfwd + bwd", *(["memory"] if memory else []), "samples", "degen-\nerate"]
    for heading in headings:
        rich.add_column(heading, justify="right", overflow="fold")
    for row in table.rows:
        cells = [
            formatting.seconds(row.cost.seconds),
            formatting.times(row.cost.relative),
            passes_text(row),
            *([formatting.memory(row.cost.memory)] if memory else []),
            row.coverage.text,
            str(row.degenerate),
        ]
        name = Text(folded(method_name(row), names))
        rich.add_row(Text(place_text(row)), name, *(Text(cell) for cell in cells), style=_style(row))
    return rich


def _heading(metric: MetricFacts) -> str:
    """Return a metric's name with its direction and the mark of its audit, in lines that fit its column."""
    name = f"{folded(metric.id, VALUE_WIDTH - 1)}{metric.arrow}"
    room = VALUE_WIDTH - len(name.rpartition("\n")[2])
    return name + metric.mark if len(metric.mark) <= room else f"{name}\n{metric.mark}"


def folded(name: str, width: int) -> str:
    """Return a name in lines of at most ``width``, broken after an underscore or comma or before a bracket."""
    lines = [""]
    for part in re.findall(r"[_,\[ ]?[^_,\[ ]*[_,]?", name):
        while len(lines[-1] + part) > width:
            room = 0 if lines[-1] else width
            lines[-1] += part[:room]
            part = part[room:]
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines if line)


def _short(text: str) -> str:
    """Return a value that fits its column."""
    return text if len(text) <= VALUE_WIDTH else text.replace(" ", "")


def _undefined(standings: Standings) -> bool:
    """Whether a metric gives some method no value though samples of it are there."""
    rows = (row for table in standings.tables for row in table.rows)
    return any(math.isnan(value.mean) for row in rows if row.coverage.samples for value in row.values)


def _empty() -> RichTable:
    return RichTable(box=SIMPLE, padding=0, show_edge=False)


def _style(row: Row) -> str:
    return "dim" if row.place is None else "italic" if row.method.control else ""


def _print_notes(console: Console, standings: Standings) -> None:
    unplaced = [
        f"not ranked: {row.method.id} ({table.setting.framework_name}): {row.why_unplaced}"
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
