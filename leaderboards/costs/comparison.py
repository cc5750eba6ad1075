"""Two runtime runs, pair by pair: what became slower, with intervals, and whether that is over a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from rich.console import Console
from rich.text import Text

from ...benchmark.timing.files import RuntimeRecord
from ...benchmark.timing.machine import differences
from ...benchmark.timing.rows import Measurement, RuntimeCase
from ...errors import BadInput
from ..statistics.timed import Estimate, ratio_estimate
from ..writing.text_tables import Column, console_of, terminal_table

THRESHOLD = 0.1
"""A row is slower if its time is up by more than this share, and its interval leaves no doubt that it is up."""

Quantity = Literal["time", "relative cost"]
Verdict = Literal["slower", "faster", "same"]


@dataclass(frozen=True)
class Pair:
    """One row in both runs."""

    case: RuntimeCase
    """The row."""
    before: float
    after: float
    """Medians: seconds per image, or relative cost."""
    ratio: Estimate
    """After over before, with its interval."""
    verdict: Verdict
    """``slower`` or ``faster`` where the ratio is beyond the threshold and its interval does not hold 1."""
    noisy: bool
    """Whether either measurement was."""

    @property
    def words(self) -> str:
        """What there is to say: the verdict where something changed, and a tilde where it is noisy."""
        return ("" if self.verdict == "same" else self.verdict) + (" ~" if self.noisy else "")


@dataclass(frozen=True)
class Comparison:
    """Two runs."""

    quantity: Quantity
    """What was compared: times on the same machine, relative cost on different ones."""
    pairs: tuple[Pair, ...]
    """The rows that both have, from the largest slow-down."""
    only_before: tuple[RuntimeCase, ...]
    """The rows that were not measured again."""
    threshold: float
    """See `THRESHOLD`."""
    notes: tuple[str, ...]
    """In what the machines and versions differ."""

    @property
    def slower(self) -> tuple[Pair, ...]:
        """The rows that became slower."""
        return tuple(pair for pair in self.pairs if pair.verdict == "slower")

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        faster = sum(pair.verdict == "faster" for pair in self.pairs)
        missing = f"; {len(self.only_before)} rows of the baseline were not measured" if self.only_before else ""
        return (
            f"{len(self.slower)} of {len(self.pairs)} rows slower by more than {self.threshold:.0%} in "
            f"{self.quantity}, {faster} faster{missing}."
        )

    @property
    def frame(self) -> pd.DataFrame:
        """One row per pair."""
        return pd.DataFrame.from_records(
            [
                {
                    **pair.case.parameters,
                    "model": pair.case.shown_model,
                    "quantity": self.quantity,
                    "before": pair.before,
                    "after": pair.after,
                    **pair.ratio.record("ratio"),
                    "verdict": pair.verdict,
                    "noisy": pair.noisy,
                }
                for pair in self.pairs
            ]
        )


def compared(
    before: RuntimeRecord, after: RuntimeRecord, threshold: float = THRESHOLD, force: bool = False
) -> Comparison:
    """Compare two runs row by row.

    Parameters
    ----------
    before, after
        The baseline, and what it is compared with.
    threshold
        See `THRESHOLD`.
    force
        Compare runs of different machines all the same; then by relative cost, the only number that carries over.

    Raises
    ------
    BadInput
        If the machines, or the threads, differ and ``force`` is not given; or if no row is in both.
    """
    if not threshold >= 0:
        raise BadInput(f"--threshold must be 0 or more, not {threshold}: 0.1 stands for ten percent.")
    old = {row.case.key: row for row in before.measurements}
    new = {row.case.key: row for row in after.measurements}
    shared = [key for key in old if key in new]
    if not shared:
        raise BadInput(
            f"{before.path} and {after.path} have no row in common. Rows are paired by method, model, framework, "
            "device, precision and batch."
        )
    found = differences(before.machine, after.machine)
    found += _placed_differently([(old[key], new[key]) for key in shared])
    if found and not force:
        raise BadInput(
            f"The baseline was measured under other conditions ({'; '.join(found)}), so that times say nothing. "
            "Measure a baseline here, or compare relative cost alone with --force."
        )
    quantity: Quantity = "relative cost" if found else "time"
    pairs = [_pair(old[key], new[key], quantity, threshold) for key in shared]
    pairs.sort(key=lambda pair: -pair.ratio.value)
    return Comparison(
        quantity,
        tuple(pairs),
        tuple(row.case for key, row in old.items() if key not in new),
        threshold,
        (*found, *_other_versions(before, after)),
    )


def _pair(old: Measurement, new: Measurement, quantity: Quantity, threshold: float) -> Pair:
    first, second = (_values(row, quantity) for row in (old, new))
    ratio = ratio_estimate(second, first)
    verdict: Verdict = "same"
    if ratio.value > 1 + threshold and ratio.low > 1:
        verdict = "slower"
    elif ratio.value < 1 / (1 + threshold) and ratio.high < 1:
        verdict = "faster"
    before, after = (sorted(values)[len(values) // 2] for values in (first, second))
    return Pair(new.case, before, after, ratio, verdict, old.noisy or new.noisy)


def _values(row: Measurement, quantity: Quantity) -> list[float]:
    if quantity == "time":
        return [seconds / row.images for seconds in row.calls]
    return [float(value) for value in row.relative]


def _placed_differently(pairs: Sequence[tuple[Measurement, Measurement]]) -> list[str]:
    """Return in what the conditions of paired rows differ that times depend on, once each."""
    found: dict[str, None] = {}
    for old, new in pairs:
        for name in ("device_name", "threads"):
            first, second = old.conditions.get(name), new.conditions.get(name)
            if first != second:
                found[f"{name}: {first} and {second}"] = None
    return list(found)


def _other_versions(before: RuntimeRecord, after: RuntimeRecord) -> list[str]:
    """Return which packages or drivers have other versions: that may be what one wants to compare."""
    first, second = (
        {**(record.machine.get("versions") or {}), "driver": record.machine.get("driver")} for record in (before, after)
    )
    changed = [name for name in second if first.get(name) != second[name]]
    return [f"{name} {first.get(name)} before, {second[name]} now" for name in changed]


def print_comparison(found: Comparison, console: Console | None = None) -> None:
    """Print every pair, from the largest slow-down, and the outcome."""
    console = console_of(console)
    styles = {"slower": "red", "faster": "green", "same": ""}
    form = "{:.3g} ms" if found.quantity == "time" else "{:.3g}x"
    scale = 1000 if found.quantity == "time" else 1
    columns: tuple[Column[Pair], ...] = (
        Column("row", lambda pair: pair.case.label, left=True),
        Column("before", lambda pair: form.format(scale * pair.before)),
        Column("after", lambda pair: form.format(scale * pair.after)),
        Column("ratio", lambda pair: f"{pair.ratio.value:.3f}"),
        Column("95 % interval", lambda pair: pair.ratio.between("{:.3f}".format)),
        Column("", lambda pair: pair.words, left=True),
    )
    console.print(terminal_table(columns, found.pairs, lambda pair: styles[pair.verdict]))
    for note in found.notes:
        console.print(Text(note, style="dim"))
    for case in found.only_before:
        console.print(Text(f"not measured now: {case.label}", style="yellow"))
    console.print(Text(found.summary, style="red" if found.slower else "green"))
