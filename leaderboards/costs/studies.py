"""Runtime benchmarks from choice to files: costs, how they grow, devices against one another, runs against runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ...benchmark.setting.plugins import load_plugins
from ...benchmark.store.folder import RunStore
from ...benchmark.suite import Names, load_suite
from ...benchmark.timing.device_check import (
    IMAGES,
    DeviceCheck,
    checked_metrics,
    collected,
    precision_setups,
    setups_of,
)
from ...benchmark.timing.files import RuntimeRecord, read_runtime
from ...benchmark.timing.measure import EVERY, Choice, check_devices, chosen, measure_runtime, settings_of
from ...benchmark.timing.progress import runtime_view
from ...benchmark.timing.rows import ENGINE, RuntimeSettings
from ...benchmark.timing.scaling import METHODS, scaling_points
from ...errors import BadInput, Interrupted
from ..standings.standings import Standings
from .comparison import THRESHOLD, Comparison, compared
from .device_parity import Parity, parities
from .files import write_comparison, write_costs, write_parity, write_quality_and_cost, write_scaling
from .scaling import ScalingCurve, scaling_curves
from .tables import CostTable, cost_frame, cost_tables, print_costs


@dataclass(frozen=True)
class Costs:
    """What methods cost, and the files that say so.

    Attributes
    ----------
    new
        What was measured now.
    record, tables
        Everything that the folder holds, each row as it was measured last.
    written
        Tables and plots.
    """

    new: RuntimeRecord
    record: RuntimeRecord
    tables: tuple[CostTable, ...]
    written: tuple[Path, ...]

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
    settings = settings_of(rounds, seconds, threads, memory, plugins)
    load_plugins(settings.plugins)
    choice = choice_for(Path(out), methods, models, frameworks, device, precision, batches)
    return measured_costs(choice, settings, Path(out), progress=progress)


def choice_for(
    out: Path,
    methods: Names | None = None,
    models: Names | None = None,
    frameworks: Names | None = None,
    device: str = "auto",
    precision: str = "float32",
    batches: Names = ("1", "chunk"),
) -> Choice:
    """Return what is to be measured; what is not said is that of the run whose folder ``out`` is, or of ``quick``.

    Parameters
    ----------
    out
        The folder of results.
    methods, models, frameworks, device, precision, batches
        As `measure_runtime.chosen` takes them.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used.
    """
    if is_run(out):
        plan = RunStore(out).expected
        methods = methods or tuple(dict.fromkeys(spec.method for spec in plan)) or None
        models = models or tuple(dict.fromkeys(spec.model for spec in plan)) or None
        frameworks = frameworks or tuple(dict.fromkeys(spec.framework for spec in plan)) or None
    return chosen(methods, models, frameworks, device, precision, batches)


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run of a suite, with which costs can be set beside quality."""
    return (folder / "run.json").is_file()


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
    points = scaling_points(choice, axes)
    # Memory is of no account here, and a process for every row would take longer than the rows.
    record = measure_runtime(
        choice,
        replace(settings, memory=False),
        out,
        progress=progress,
        cases=list(dict.fromkeys(point.case for point in points)),
    )
    curves = scaling_curves(points, record)
    return curves, record, write_scaling(curves, out)


def check_choice(
    out: Path, methods: Names | None, models: Names | None, frameworks: Names | None, device: str, precision: str
) -> Choice:
    """Return whose maps are compared between devices: by default those of every method."""
    return choice_for(out, methods or EVERY, models, frameworks, device, precision)


def scaling_choice(
    out: Path, methods: Names | None, models: Names | None, frameworks: Names | None, device: str, precision: str
) -> Choice:
    """Return whose cost is measured as it grows: by default one method of each kind."""
    return choice_for(out, methods or METHODS, models, frameworks, device, precision)


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
    if images < 1:
        raise BadInput(f"--images must be at least 1, not {images}.")
    check_devices(choice, settings)
    setups, notes = (precision_setups(choice), ()) if precisions_only else setups_of(choice)
    named = load_suite("quick").metrics if metrics is None and precisions_only else metrics
    texts = checked_metrics(named)
    methods = tuple(method for method in choice.methods if not method.startswith(ENGINE))
    found: list[Parity] = []
    checks = [DeviceCheck(model, setups, methods, texts, images) for model in choice.models]
    try:
        with runtime_view(sum(check.steps for check in checks), progress) as view:
            for check in checks:
                found += parities(collected(check, settings, view, choice.optional))
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
