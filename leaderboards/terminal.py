"""The leaderboard in the terminal: tables that fit 100 columns."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from . import formatting
from .board import Board, Row, Table
from .facts import MetricFacts
from .tables import agreement_text, in_parts, method_name, model_text, passes_text, place_text, suite_name

METRICS_ACROSS = 6
NOTES = 8
"""So many failures and reasons are printed; the files hold all."""


def print_board(board: Board, console: Console | None = None) -> None:
    """Print every table, the agreement of frameworks, failures and what does not apply."""
    console = console or Console()
    console.print(f"[bold]Leaderboard: {escape(suite_name(board))}[/bold]")
    for table in board.tables:
        for number, metrics in enumerate(in_parts(range(len(table.metrics)), METRICS_ACROSS)):
            console.print(_scores(table, metrics, continued=number > 0))
        console.print(_costs(table))
        console.print(Text(model_text(table)))
        console.print()
    if any(row.method.control for table in board.tables for row in table.rows):
        console.print(Text("† control: floor or ceiling of the table, not a contender", style="dim"))
    console.print(Text("± half of the 95 % interval; tie: same letter = not separable from the group's best", "dim"))
    for agreement in board.agreements:
        console.print(Text(agreement_text(agreement), style="yellow" if agreement.differing else ""))
    _print_notes(console, board)


def _scores(table: Table, numbers: list[int], continued: bool) -> RichTable:
    rich = _empty(f"{table.setting.title}{' (continued)' if continued else ''}")
    rich.add_column("#", justify="right", width=2)
    rich.add_column("method", min_width=14, max_width=28, overflow="fold")
    if not continued:
        rich.add_column("mean\nrank", justify="right", width=5)
        rich.add_column("tie", width=3)
    for number in numbers:
        rich.add_column(_heading(table.metrics[number]), justify="right", min_width=9, max_width=11)
    for row in table.rows:
        start = [Text(place_text(row)), Text(method_name(row))]
        if not continued:
            start += [Text(formatting.mean_rank(row.mean_rank)), Text(row.group)]
        values = [row.values[number] for number in numbers]
        texts = [
            Text(formatting.with_half_width(v.mean, v.low, v.high), style="bold" if v.group == "a" else "")
            for v in values
        ]
        rich.add_row(*start, *texts, style=_style(row))
    return rich


def _costs(table: Table) -> RichTable:
    rich = _empty("cost per image, and coverage")
    rich.add_column("#", justify="right", width=2)
    rich.add_column("method", min_width=14, max_width=30, overflow="fold")
    for heading in ("time", "× forward", "passes\nfwd + bwd", "memory", "samples", "degen-\nerate"):
        rich.add_column(heading, justify="right", overflow="fold")
    for row in table.rows:
        cells = [
            formatting.seconds(row.cost.seconds),
            formatting.times(row.cost.relative),
            passes_text(row),
            formatting.memory(row.cost.memory),
            row.coverage.text,
            str(row.degenerate),
        ]
        rich.add_row(
            Text(place_text(row)), Text(method_name(row)), *(Text(cell) for cell in cells), style=_style(row)
        )
    return rich


def _empty(title: str) -> RichTable:
    return RichTable(title=escape(title), box=SIMPLE, padding=(0, 1, 0, 0), title_justify="left", pad_edge=False)


def _heading(metric: MetricFacts) -> Text:
    """Return a metric's name broken where it may be, with its arrow."""
    words = metric.id.replace("[", "\n[").replace("_", "_\n").replace(",", ",\n")
    return Text(f"{words} {metric.arrow}", overflow="fold")


def _style(row: Row) -> str:
    return "dim" if row.place is None else "italic" if row.method.control else ""


def _print_notes(console: Console, board: Board) -> None:
    unplaced = [
        f"not ranked: {row.method.id} ({table.setting.framework_name}): {row.why_unplaced}"
        for table in board.tables
        for row in table.rows
        if row.place is None
    ]
    failed = [f"failed: {failure.spec.label}: {failure.error}" for failure in board.failures]
    reasons = [f"not applicable: {i.method} ({i.task}, {i.framework}): {i.reason}" for i in board.not_applicable]
    for style, notes in (("yellow", unplaced), ("red", failed), ("dim", reasons)):
        for note in notes[:NOTES]:
            console.print(Text(note, style=style))
        if len(notes) > NOTES:
            console.print(Text(f"... and {len(notes) - NOTES} more; the report lists all.", style=style))
