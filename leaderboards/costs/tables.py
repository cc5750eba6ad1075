"""What methods cost, as tables: one for each network, device, framework and precision, which are never mixed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ...benchmark.timing.files import RuntimeRecord
from ...benchmark.timing.rows import CHUNK, Measurement, NotMeasured
from ..report.tables import escaped
from ..standings.results import framework_text
from ..statistics.timed import Estimate, median_estimate
from ..writing import numbers as formatting

WIDTH = 110
"""Assumed where the output is no terminal, such as a log."""

NOTE = (
    "Time: per image, the median over rounds with its quartiles. Cost: the time over that of the bare network's "
    "forward pass in the same rounds, with its 95 % bootstrap interval over rounds; it carries from one machine to "
    "another. Over bare: the time over that of the bare network for the same passes. First: the first call on a "
    "freshly loaded network, tracing and finding chunk sizes included. Memory: how far it grew beyond the network and "
    "its inputs. ~ marks a noisy row: after a second try its quartiles still are more than 20 % of the median apart; ! "
    "a row during which other processes kept more than half a core busy."
)

DISTURBED = 0.5
"""Cores that other processes keep busy, on average over the rounds; above this a time on a processor is doubtful."""


class Group(NamedTuple):
    """What the rows of one table have in common."""

    model: str
    device: str
    framework: str
    precision: str

    @property
    def framework_name(self) -> str:
        """The framework as people write it, with the precision where it is not the usual one."""
        return framework_text(self.framework, self.precision)

    @property
    def title(self) -> str:
        """The table's title."""
        return f"{self.model} · {self.framework_name} · {self.device}"


@dataclass(frozen=True)
class CostRow:
    """One measured row, with intervals.

    Attributes
    ----------
    measurement
        What was measured.
    relative
        The time per image over the bare network's forward time.
    overhead
        The time over that of the bare network for the same passes; NaN where there are none.
    """

    measurement: Measurement
    relative: Estimate
    overhead: Estimate

    @property
    def method(self) -> str:
        """The method's canonical text."""
        return self.measurement.case.method

    @property
    def marks(self) -> str:
        """A tilde for a noisy row, an exclamation mark for one that other processes disturbed."""
        found = self.measurement
        busy = float(found.conditions.get("others_busy_cores") or 0.0)
        disturbed = found.case.place.on_cpu and busy > DISTURBED
        return ("~" if found.noisy else "") + ("!" if disturbed else "")

    @property
    def batch(self) -> str:
        """The images of one call; those of a chunk are marked."""
        images = str(self.measurement.images)
        return f"{images} (chunk)" if self.measurement.case.batch == CHUNK else images

    @property
    def passes(self) -> tuple[float, float]:
        """Forward and backward passes per image."""
        found = self.measurement
        return found.passes.forward / found.images, found.passes.backward / found.images


@dataclass(frozen=True)
class CostTable:
    """The rows of one group, from cheap to dear by method, batches of a method together."""

    group: Group
    rows: tuple[CostRow, ...]

    @property
    def by_method(self) -> dict[str, CostRow]:
        """For each method the row with the most images a call, which is what a large data set costs."""
        found: dict[str, CostRow] = {}
        for row in sorted(self.rows, key=lambda row: row.measurement.images):
            found[row.method] = row
        return found


def cost_tables(record: RuntimeRecord) -> tuple[CostTable, ...]:
    """Return the tables of everything that was measured at a network's own size."""
    groups: dict[Group, list[CostRow]] = {}
    for found in record.measurements:
        if found.case.size is not None or found.case.classes is not None:
            continue
        row = CostRow(found, median_estimate(found.relative), median_estimate(found.overhead))
        groups.setdefault(group_of(found), []).append(row)
    return tuple(CostTable(group, tuple(_ordered(rows))) for group, rows in groups.items())


def group_of(found: Measurement) -> Group:
    """Return the group that a measurement belongs to."""
    return Group(found.case.shown_model, found.device_name, found.case.place.framework, found.case.precision)


def _ordered(rows: Sequence[CostRow]) -> list[CostRow]:
    dearest: dict[str, float] = {}
    for row in rows:
        dearest[row.method] = max(row.relative.value, dearest.get(row.method, 0.0))
    return sorted(rows, key=lambda row: (dearest[row.method], row.method, row.measurement.images))


def cost_frame(tables: Sequence[CostTable]) -> pd.DataFrame:
    """Return every row with all that was measured; times are in seconds, memory in bytes."""
    records = []
    for table in tables:
        for row in table.rows:
            found, spread = row.measurement, row.measurement.latency
            forward, backward = row.passes
            records.append(
                {
                    **table.group._asdict(),
                    "method": row.method,
                    "batch": found.case.batch,
                    "images": found.images,
                    "latency_median": spread.median,
                    "latency_low_quartile": spread.low,
                    "latency_high_quartile": spread.high,
                    "images_per_second": found.throughput,
                    "relative_cost": row.relative.value,
                    "relative_cost_low": row.relative.low,
                    "relative_cost_high": row.relative.high,
                    "over_bare": row.overhead.value,
                    "over_bare_low": row.overhead.low,
                    "over_bare_high": row.overhead.high,
                    "first_call": found.first_call,
                    "memory": found.memory,
                    "memory_peak": found.memory_peak,
                    "forward_passes": forward,
                    "backward_passes": backward,
                    "rounds": len(found.calls),
                    "noisy": found.noisy,
                    "threads": found.conditions.get("threads"),
                    "others_busy_cores": found.conditions.get("others_busy_cores"),
                }
            )
    return pd.DataFrame.from_records(records)


HEADS = (
    "method",
    "images",
    "time",
    "quartiles",
    "images/s",
    "cost",
    "interval",
    "over bare",
    "first",
    "memory",
    "passes",
)


def cost_text(value: float) -> str:
    """Return a relative cost: like ``3.1x``, and with two digits where that would hide a small one."""
    return f"{value:.2g}x" if 0 < value < 0.95 else formatting.times(value)


def row_texts(row: CostRow) -> tuple[str, ...]:
    """Return a row's cells under `HEADS`."""
    found, spread = row.measurement, row.measurement.latency
    forward, backward = (formatting.count(passes) for passes in row.passes)
    return (
        row.method,
        row.batch,
        row.marks + formatting.seconds(spread.median),
        f"{formatting.seconds(spread.low)} to {formatting.seconds(spread.high)}",
        formatting.number(found.throughput),
        cost_text(row.relative.value),
        f"{cost_text(row.relative.low)} to {cost_text(row.relative.high)}",
        f"{row.overhead.value:.2f}" if math.isfinite(row.overhead.value) else formatting.MISSING,
        formatting.seconds(found.first_call),
        formatting.memory(float("nan") if found.memory is None else found.memory),
        f"{forward} + {backward}",
    )


def row_cells(row: CostRow) -> list[tuple[str, float]]:
    """Return a row's cells under `HEADS`, each with the number that it is sorted by."""
    found, spread = row.measurement, row.measurement.latency
    memory = float("nan") if found.memory is None else float(found.memory)
    numbers = (
        float("nan"),
        float(found.images),
        spread.median,
        spread.iqr,
        found.throughput,
        row.relative.value,
        row.relative.high - row.relative.low,
        row.overhead.value,
        found.first_call,
        memory,
        sum(row.passes),
    )
    return list(zip(row_texts(row), numbers, strict=True))


def costs_markdown(tables: Sequence[CostTable], record: RuntimeRecord) -> str:
    """Return the tables as Markdown, with the machine and what could not be measured."""
    parts = ["# Runtime", "", NOTE, "", escaped(machine_text(record)), ""]
    for table in tables:
        parts += [f"## {escaped(table.group.title)}", "", *markdown_table(HEADS, map(row_texts, table.rows)), ""]
    if record.missing:
        parts += ["## Not measured", "", *(f"- {escaped(missing_text(row))}" for row in record.missing), ""]
    return "\n".join(parts)


def markdown_table(heads: Sequence[str], rows: object) -> list[str]:
    """Return the lines of a Markdown table, its first column left and the others right."""
    lines = [list(heads), ["---", *["---:"] * (len(heads) - 1)], *rows]  # type: ignore[misc]
    return ["| " + " | ".join(cells if n == 1 else map(escaped, cells)) + " |" for n, cells in enumerate(lines)]


def machine_text(record: RuntimeRecord) -> str:
    """Return the machine in one sentence."""
    machine = record.machine
    versions = machine.get("versions") or {}
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    gpus = f", {', '.join(machine['gpus'])} (driver {machine.get('driver')})" if machine.get("gpus") else ""
    return (
        f"Measured on {machine.get('cpu', 'an unknown processor')} ({machine.get('cores', '?')} cores, "
        f"{machine.get('memory_gib', '?')} GiB{gpus}), {record.created}; {machine.get('platform', '')}, Python "
        f"{machine.get('python', '?')}, {named}."
    )


def missing_text(row: NotMeasured) -> str:
    """Return in one line why a row was not measured."""
    return f"{'failed' if row.failed else 'not applicable'}: {row.case.label}: {row.reason}"


def print_costs(tables: Sequence[CostTable], record: RuntimeRecord, console: Console | None = None) -> None:
    """Print the tables, then what could not be measured, each reason once."""
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
    shown = [number for number, head in enumerate(HEADS) if head not in ("quartiles", "interval")]
    for table in tables:
        console.print(Text(table.group.title, style="bold"))
        rich = RichTable(box=SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
        for number in shown:
            rich.add_column(HEADS[number], justify="left" if number == 0 else "right", overflow="fold")
        for row in table.rows:
            cells = row_texts(row)
            rich.add_row(*(Text(cells[number]) for number in shown), style="dim" if row.measurement.noisy else "")
        console.print(rich)
    if tables:
        console.print(
            Text(
                "cost: in bare forward passes; over bare: the time over the bare network's for the same "
                "passes; ~ noisy; ! disturbed by other processes",
                style="dim",
            )
        )
    print_missing(record, console)


def print_missing(record: RuntimeRecord, console: Console | None = None) -> None:
    """Print what could not be measured, each reason once."""
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
    by_reason: dict[tuple[bool, str], list[NotMeasured]] = {}
    for row in record.missing:
        by_reason.setdefault((row.failed, row.reason), []).append(row)
    for (failed, reason), rows in by_reason.items():
        more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        word = "failed" if failed else "not applicable"
        console.print(Text(f"{word}: {rows[0].case.label}{more}: {reason}", style="red" if failed else "dim"))
    for note in record.notes:
        console.print(Text(note, style="yellow"))
