"""What methods cost, as tables: one for each network, device, framework and precision, which are never mixed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console
from rich.text import Text

from ...benchmark.timing.files import RuntimeRecord
from ...benchmark.timing.rows import CHUNK, Measurement, NotMeasured
from ..standings.results import framework_text
from ..statistics.timed import Estimate, median_estimate
from ..writing.numbers import decimals, memory, number, passes_text, seconds, times
from ..writing.text_tables import (
    Column,
    bullets,
    console_of,
    escaped,
    markdown_table,
    markdown_text,
    section,
    terminal_table,
)

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


class CostSetting(NamedTuple):
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
    """One measured row, with intervals."""

    measurement: Measurement
    """What was measured."""
    relative: Estimate
    """The time per image over the bare network's forward time."""
    overhead: Estimate
    """The time over that of the bare network for the same passes; NaN where there are none."""

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
    def time(self) -> Estimate:
        """Seconds per image: the median over rounds, with its quartiles."""
        spread = self.measurement.latency
        return Estimate(spread.median, spread.low, spread.high)

    @property
    def memory(self) -> float:
        """How far memory grew, in bytes; NaN where that was not measured."""
        grown = self.measurement.memory
        return math.nan if grown is None else float(grown)

    @property
    def passes(self) -> tuple[float, float]:
        """Forward and backward passes per image."""
        found = self.measurement
        return found.passes.forward / found.images, found.passes.backward / found.images


@dataclass(frozen=True)
class CostTable:
    """The rows of one setting, from cheap to dear by method, batches of a method together."""

    setting: CostSetting
    rows: tuple[CostRow, ...]

    def __repr__(self) -> str:
        return f"<CostTable of {self.setting.title}: {len(self.rows)} rows>"

    @property
    def by_method(self) -> dict[str, CostRow]:
        """For each method the row with the most images a call, which is what a large data set costs."""
        found: dict[str, CostRow] = {}
        for row in sorted(self.rows, key=lambda row: row.measurement.images):
            found[row.method] = row
        return found


def cost_tables(record: RuntimeRecord) -> tuple[CostTable, ...]:
    """Return the tables of everything that was measured at a network's own size."""
    settings: dict[CostSetting, list[CostRow]] = {}
    for found in record.measurements:
        if found.case.size is not None or found.case.classes is not None:
            continue
        row = CostRow(found, median_estimate(found.relative), median_estimate(found.overhead))
        settings.setdefault(setting_of(found), []).append(row)
    return tuple(CostTable(setting, tuple(_ordered(rows))) for setting, rows in settings.items())


def setting_of(found: Measurement) -> CostSetting:
    """Return the setting that a measurement was made in."""
    return CostSetting(found.case.shown_model, found.device_name, found.case.place.framework, found.case.precision)


def _ordered(rows: Sequence[CostRow]) -> list[CostRow]:
    dearest: dict[str, float] = {}
    for row in rows:
        dearest[row.method] = max(row.relative.value, dearest.get(row.method, 0.0))
    return sorted(rows, key=lambda row: (dearest[row.method], row.method, row.measurement.images))


def cost_frame(tables: Sequence[CostTable]) -> pd.DataFrame:
    """Return every row with all that was measured; times are in seconds, memory in bytes."""
    return pd.DataFrame.from_records(
        [{**table.setting._asdict(), **_record(row)} for table in tables for row in table.rows]
    )


def _record(row: CostRow) -> dict[str, Any]:
    found, (forward, backward) = row.measurement, row.passes
    return {
        "method": row.method,
        "batch": found.case.batch,
        "images": found.images,
        "latency_median": row.time.value,
        "latency_low_quartile": row.time.low,
        "latency_high_quartile": row.time.high,
        "images_per_second": found.throughput,
        **row.relative.record("relative_cost"),
        **row.overhead.record("over_bare"),
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


COLUMNS: tuple[Column[CostRow], ...] = (
    Column("method", lambda row: row.method, left=True),
    Column("images", lambda row: row.batch, lambda row: float(row.measurement.images)),
    Column("time", lambda row: row.marks + seconds(row.time.value), lambda row: row.time.value),
    Column("quartiles", lambda row: row.time.between(seconds), lambda row: row.time.high - row.time.low),
    Column("images/s", lambda row: number(row.measurement.throughput), lambda row: row.measurement.throughput),
    Column("cost", lambda row: times(row.relative.value), lambda row: row.relative.value),
    Column("interval", lambda row: row.relative.between(times), lambda row: row.relative.high - row.relative.low),
    Column("over bare", lambda row: decimals(row.overhead.value), lambda row: row.overhead.value),
    Column("first", lambda row: seconds(row.measurement.first_call), lambda row: row.measurement.first_call),
    Column("memory", lambda row: memory(row.memory), lambda row: row.memory),
    Column("passes", lambda row: passes_text(*row.passes), lambda row: sum(row.passes)),
)
SHOWN = tuple(column for column in COLUMNS if column.head not in ("quartiles", "interval"))
"""What the terminal has room for."""


def costs_markdown(tables: Sequence[CostTable], record: RuntimeRecord) -> str:
    """Return the tables as Markdown, with the machine and what could not be measured."""
    blocks = ["# Runtime", NOTE, escaped(machine_text(record))]
    for table in tables:
        blocks += [f"## {escaped(table.setting.title)}", markdown_table(COLUMNS, table.rows)]
    return markdown_text([*blocks, *section("## Not measured", bullets(map(missing_text, record.missing)))])


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


def missing_text(row: NotMeasured, more: str = "") -> str:
    """Return in one line why a row (and ``more``) was not measured."""
    return f"{'failed' if row.failed else 'not applicable'}: {row.case.label}{more}: {row.reason}"


def print_costs(tables: Sequence[CostTable], record: RuntimeRecord, console: Console | None = None) -> None:
    """Print the tables, then what could not be measured, each reason once."""
    console = console_of(console)
    for table in tables:
        console.print(Text(table.setting.title, style="bold"))
        console.print(terminal_table(SHOWN, table.rows, lambda row: "dim" if row.measurement.noisy else ""))
    if tables:
        words = (
            "cost: in bare forward passes; over bare: the time over the bare network's for the same passes; ~ noisy; "
            "! disturbed by other processes"
        )
        console.print(Text(words, style="dim"))
    print_missing(record, console)


def print_missing(record: RuntimeRecord, console: Console | None = None) -> None:
    """Print what could not be measured, each reason once."""
    console = console_of(console)
    by_reason: dict[tuple[bool, str], list[NotMeasured]] = {}
    for row in record.missing:
        by_reason.setdefault((row.failed, row.reason), []).append(row)
    for (failed, _), rows in by_reason.items():
        more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        console.print(Text(missing_text(rows[0], more), style="red" if failed else "dim"))
    for note in record.notes:
        console.print(Text(note, style="yellow"))
