"""Runtime benchmarks from choice to files: costs, how they grow, devices against one another, runs against runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...benchmark.setting.environment import usable_cores
from ...benchmark.setting.plugins import load_plugins
from ...benchmark.suite import Names
from ...benchmark.timing.device_check import IMAGES, check_setups, device_checks
from ...benchmark.timing.files import RuntimeRecord, read_runtime
from ...benchmark.timing.measure import Choice, check_devices, chosen, is_run, measure_runtime
from ...benchmark.timing.rows import RuntimeSettings
from ...benchmark.timing.scaling import measure_scaling
from ...errors import Interrupted
from ..standings.standings import Standings
from .comparison import THRESHOLD, Comparison, compared
from .device_parity import Parity, parities
from .files import write_comparison, write_costs, write_parity, write_quality_and_cost, write_scaling
from .scaling import ScalingCurve, scaling_curves
from .tables import CostTable, cost_frame, cost_tables, print_costs


@dataclass(frozen=True)
class Costs:
    """What methods cost, and the files that say so."""

    new: RuntimeRecord
    """What was measured now."""
    record: RuntimeRecord
    tables: tuple[CostTable, ...]
    """Everything that the folder holds, each row as it was measured last."""
    written: tuple[Path, ...]
    """Tables and plots."""

    def __repr__(self) -> str:
        rows, new = len(self.record.measurements), len(self.new.measurements)
        return f"<Costs in {self.record.path}: {rows} rows, {new} of them new>"

    @property
    def frame(self) -> pd.DataFrame:
        """Every row with all that was measured of it; times in seconds, memory in bytes."""
        return cost_frame(self.tables)

    def show(self) -> None:
        """Print the tables as `heatmark runtime` does."""
        print_costs(self.tables, self.record)


def runtime(
    methods: Names | None = None,
    models: Names | None = None,
    *,
    frameworks: Names | None = None,
    device: str = "auto",
    precision: str = "float32",
    batches: Names = ("1", "chunk"),
    rounds: int = 7,
    seconds: float = 60.0,
    threads: int | None = None,
    memory: bool = True,
    out: str | Path = "results/runtime",
    plugins: Iterable[str] = (),
    progress: bool = True,
) -> Costs:
    """Measure what methods cost: time, throughput, first call, memory, passes, and cost in bare forward passes.

    What ``heatmark runtime`` measures, with the same defaults; it does not compare precisions. A script that calls it
    needs the usual ``if __name__ == "__main__":``, as rows are measured in processes of their own.

    Parameters
    ----------
    methods, models, frameworks
        By default those of the run whose folder ``out`` is, or of the quick suite; all installed frameworks.
    device
        ``auto`` (all there are), or a list of ``cpu``, ``cuda``, ``cuda:N``.
    precision
        A list of ``float32``, ``tf32``, ``bf16``.
    batches
        Images a call: numbers, and ``chunk`` for as many as the engine's chunk.
    rounds, seconds
        Measured rounds of each row; fewer (three at least) where they would take longer than so many seconds.
    threads
        All usable cores by default.
    memory
        Whether to measure peak memory, on a processor in a fresh process for every row.
    out
        The folder of results; each row is kept there as soon as it is measured.
    plugins
        Modules or files that register methods or models.
    progress
        Whether to show progress on standard error.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used, or a device that is not there.
    StorageError
        If the folder cannot be written.
    Interrupted
        At Ctrl-C; rows already measured are kept.
    """
    settings = RuntimeSettings(rounds, seconds, usable_cores() if threads is None else threads, memory, tuple(plugins))
    load_plugins(settings.plugins)
    choice = chosen(methods, models, frameworks, device, precision, batches, run=Path(out))
    return measured_costs(choice, settings, Path(out), progress=progress)


def measured_costs(choice: Choice, settings: RuntimeSettings, out: Path, *, progress: bool = True) -> Costs:
    """Measure every row of a choice; write tables and plots, beside a run's quality where ``out`` is its folder.

    Raises
    ------
    BadInput
        If a device that was asked for is not there.
    StorageError
        If the folder cannot be written.
    Interrupted
        At Ctrl-C; rows already measured are kept.
    """
    new = measure_runtime(choice, settings, out, progress=progress)
    record = read_runtime(out)
    tables = cost_tables(record)
    written = write_costs(record, out)
    if is_run(out):
        written += write_quality_and_cost(Standings.of_run(out), tables, out)
    return Costs(new, record, tables, tuple(written))


def measured_scaling(
    choice: Choice, settings: RuntimeSettings, out: Path, axes: Sequence[str], *, progress: bool = True
) -> tuple[tuple[ScalingCurve, ...], RuntimeRecord, list[Path]]:
    """Measure how the cost of methods grows; write table and plot.

    Returns
    -------
    curves, record, written
        The fitted curves, the rows behind them, and the files.

    Raises
    ------
    BadInput
        For an unknown axis, or a device that is not there.
    """
    points, record = measure_scaling(choice, settings, out, axes, progress=progress)
    curves = scaling_curves(points, record)
    return curves, record, write_scaling(curves, out)


def checked_devices(
    choice: Choice,
    settings: RuntimeSettings,
    out: Path,
    *,
    metrics: Names | None = None,
    images: int = IMAGES,
    precisions_only: bool = False,
    progress: bool = True,
) -> tuple[tuple[Parity, ...], tuple[str, ...], list[Path]]:
    """Compare the maps, scores and leaderboards of devices and precisions; write the tables.

    Parameters
    ----------
    choice
        Methods, networks, frameworks and devices.
    settings
        Threads and plugins.
    out
        The folder of results.
    metrics
        What maps are scored with: by default every metric, or those of the quick suite where only precisions are
        compared.
    images
        How many images are explained.
    precisions_only
        Whether each device is compared with itself in another precision, rather than with the processor.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    parities, notes, written

    Raises
    ------
    BadInput
        If a device that was asked for is not there, or there are too few images.
    """
    checks, notes = device_checks(choice, metrics, images, precisions_only=precisions_only)
    check_devices(choice, settings)
    found: list[Parity] = []
    try:
        for outputs in check_setups(checks, settings, choice.optional, progress=progress):
            found += parities(outputs)
            write_parity(found, out, notes)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Stopped. Models that were compared whole are in {out}.") from error
    return tuple(found), notes, write_parity(found, out, notes)


def compared_runs(
    baseline: Path, current: RuntimeRecord, out: Path, threshold: float = THRESHOLD, force: bool = False
) -> tuple[Comparison, list[Path]]:
    """Compare a run with its baseline; write the table.

    Raises
    ------
    BadInput
        If the two cannot be compared (see `runtime_comparison.compared`).
    StorageError
        If the baseline is not there.
    """
    found = compared(read_runtime(baseline), current, threshold, force)
    return found, write_comparison(found, out)
