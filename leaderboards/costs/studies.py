"""Runtime benchmarks from choice to files: costs, how they grow, devices against one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...benchmark.running.stopping import stopped_by_signals
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
from ..writing.files import as_pictures, csv_text, numbered, write_files
from .device_parity import Parity, parities, parity_frame, parity_markdown
from .pareto import by_task, paretos, paretos_markdown
from .pareto_plot import draw_paretos
from .plots import figures_by_device
from .scaling import ScalingCurve, draw_scaling, scaling_curves, scaling_frame, scaling_markdown
from .tables import CostTable, cost_frame, cost_tables, costs_markdown, print_costs


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
        By default those of the run whose folder ``out`` is, or of the quick suite; all installed frameworks. ``all``
        stands for every method but other libraries'.
    device
        ``auto`` (the processor, and a GPU where there is one), or a list of ``cpu``, ``cuda``, ``cuda:N``.
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

    The errors are those of `runtime`.
    """
    new = measure_runtime(choice, settings, out, progress=progress)
    record = read_runtime(out)
    tables = cost_tables(record)
    found = paretos(Standings.of_run(out), tables) if is_run(out) else ()
    contents = {
        "runtime.csv": csv_text(cost_frame(tables)) if tables else None,
        "runtime.md": costs_markdown(tables, record) if tables else None,
        **numbered("runtime-costs", figures_by_device(tables).values()),
        "runtime-pareto.md": paretos_markdown(found) if found else None,
        **numbered("runtime-pareto", list(map(draw_paretos, by_task(found)))),
    }
    return Costs(new, record, tables, tuple(write_files(out, contents)))


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
    if not curves:
        return curves, record, []
    table, text, figure = csv_text(scaling_frame(curves)), scaling_markdown(curves), draw_scaling(curves)
    files = {"runtime-scaling.csv": table, "runtime-scaling.md": text}
    return curves, record, write_files(out, {**files, **as_pictures({"runtime-scaling": figure})})


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
    choice, metrics, images, precisions_only
        As `device_checks` takes them.
    settings
        Threads and plugins.
    out
        The folder of results; its files grow with every network.
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
    written: list[Path] = []
    try:
        with stopped_by_signals():
            for outputs in check_setups(checks, settings, choice.optional, progress=progress):
                found += parities(outputs)
                table, text = csv_text(parity_frame(found)), parity_markdown(found, notes)
                written = write_files(out, {"runtime-devices.csv": table, "runtime-devices.md": text})
    except KeyboardInterrupt as error:
        raise Interrupted(f"Stopped. Models that were compared whole are in {out}.") from error
    return tuple(found), notes, written
