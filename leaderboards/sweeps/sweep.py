"""Sweeps: one method over a grid of one or two of its parameters, scored by one metric.

A sweep is a run (`benchmark.run`) whose methods are the points of the grid: finished points are kept, an interrupted
sweep goes on where it was, and intervals and ties are those of every leaderboard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ...benchmark.executors.usual_frameworks import usual_frameworks
from ...benchmark.setting.plugins import load_plugins
from ...benchmark.suite import load_suite
from ...benchmark.sweep import ParameterGrid, run_sweep
from ...benchmark.sweep_axes import Axis, spelt
from ...errors import HeatmarkError, NotApplicable
from ...selection import Value, parse_selection
from ..standings.registered import MetricFacts
from ..standings.standings import Row, Standings, Table
from ..statistics.significance import Places
from ..writing.numbers import interval_text, number


@dataclass(frozen=True)
class Point:
    """One point of the grid."""

    values: tuple[Value, ...]
    """The value of every axis, in the order of the axes."""
    row: Row | None
    """Its row in the table of the run, or None where it has no result."""

    @property
    def mean(self) -> float:
        """The metric's mean over samples; NaN where there is none."""
        return math.nan if self.row is None else self.row.values[0].mean

    @property
    def tied(self) -> Places | None:
        """The places from which it cannot be told apart, its own among them; None where it is not ranked."""
        return None if self.row is None else self.row.values[0].tied


@dataclass(frozen=True, eq=False)
class Sweep:
    """A method's results over a grid."""

    method: str
    """The method with the parameters that stay fixed."""
    axes: tuple[Axis, ...]
    """One or two parameters. The first is drawn from left to right, the second from bottom to top."""
    points: tuple[Point, ...]
    """Every point of the grid, the last axis moving fastest."""
    metric: MetricFacts
    """What the points were scored with."""
    table: Table
    """The leaderboard of the run behind it."""
    standings: Standings
    """All that is known of the run."""
    path: Path
    """Its folder."""

    def __repr__(self) -> str:
        axes = ", ".join(f"{axis.name}: {len(axis.values)} values" for axis in self.axes)
        return f"<Sweep of {self.method} in {self.path}: {axes}, {self.metric.id}>"

    @property
    def signed(self) -> bool:
        """Whether the method's maps carry a sign."""
        return next((point.row.method.signed is not False for point in self.points if point.row is not None), True)

    @property
    def ordered(self) -> list[Point]:
        """The ranked points from best to worst, in the metric's own direction."""
        ranked = [point for point in self.points if point.row is not None and math.isfinite(point.row.values[0].rank)]
        return sorted(ranked, key=lambda point: point.row.values[0].rank if point.row is not None else math.inf)

    @property
    def best(self) -> Point | None:
        """The best point, or None where none could be ranked."""
        return next(iter(self.ordered), None)

    @property
    def tied(self) -> list[Point]:
        """The points that cannot be told apart from the best, in order."""
        return [point for point in self.ordered[1:] if point.tied is not None and point.tied.lead]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per point: its parameters, the metric's mean with interval, rank, ties, and cost."""
        return pd.DataFrame([_record(self, point) for point in self.points])

    def words(self, point: Point) -> str:
        """Return a point in words: ``noise=0.1, samples=20``."""
        return ", ".join(f"{axis.name}={spelt(value)}" for axis, value in zip(self.axes, point.values, strict=True))

    @property
    def verdict(self) -> str:
        """The best setting with its interval, and whether it can be told apart from the others."""
        best, metric = self.best, self.metric
        if best is None or best.row is None:
            return f"No setting of {self.method} could be ranked on {metric.id}."
        value = best.row.values[0]
        text = (
            f"Best of {len(self.ordered)} settings of {self.method}: {self.words(best)}, with a mean {metric.id} of "
            f"{number(value.mean)} {interval_text(value.low, value.high)} over {value.samples} samples "
            f"({metric.direction}). "
        )
        if len(self.ordered) < 2:
            return text.strip()
        second = self.ordered[1]
        runner_up = f"the runner-up, {self.words(second)} ({number(second.mean)})"
        if second not in self.tied:
            return f"{text}It is separable from {runner_up}."
        more = len(self.tied) - 1
        further = f", nor from {more} further setting{'' if more == 1 else 's'}" if more else ""
        return f"{text}It cannot be told apart from {runner_up}{further}."


def sweep(
    method: str,
    axes: Mapping[str, str | Sequence[Value]] | Iterable[str],
    *,
    metric: str = "deletion",
    model: str = "efficientnet-lite0",
    data: str = "imagenet-samples",
    framework: str | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    precision: str | None = None,
    seed: int = 0,
    engine: str = "processes",
    cell_timeout: float | None = None,
    per_class: int | None = None,
    part: str | None = None,
    force: bool = False,
    plugins: Iterable[str] = (),
    progress: bool = True,
) -> Sweep:
    """Score a method at every point of a grid of its parameters; points that the folder holds are not run again.

    Parameters
    ----------
    method
        A selection; the parameters that it names stay fixed.
    axes
        One or two parameters: ``["noise=0.02:0.5:6", "samples=5|20|80"]``, or a mapping from name to such a text or to
        the values. ``low:high:count`` are evenly spaced values with both ends, whole where the parameter is.
    metric
        A selection.
    framework
        ``torch`` or ``tensorflow``; by default the one that the model has.
    out
        The folder of results; ``results/sweep-METHOD-PARAMETERS`` where None.
    force
        Where the folder holds another sweep or run: replace it once this one has ended; points of both are kept.
    model, data, device, precision, seed, engine, cell_timeout, limit, per_class, part, plugins, progress
        As `benchmark.run.run` takes them.

    Raises
    ------
    UnknownName, BadInput
        For unknown names, and values that a parameter does not take, before anything runs.
    NotApplicable
        If the method has no meaning for the model.
    HeatmarkError
        If every point failed.
    Interrupted
        At Ctrl-C; finished points are kept.
    """
    plugins = tuple(plugins)
    load_plugins(plugins)
    grid = ParameterGrid.of(method, axes)
    # The packaged suite with everything replaced, so that the report on the folder can say how to run it again.
    suite = load_suite("quick").changed(
        models=[model],
        data=[data],
        metrics=[parse_selection(metric).text],
        frameworks=[framework] if framework else usual_frameworks(model, plugins),
        seeds=(seed,),
        precision=precision,
        limit=limit,
        per_class=per_class,
        part=part,
    )
    usual = "-".join(["sweep", parse_selection(method).name, *(axis.name for axis in grid.axes)])
    folder = Path(out) if out is not None else Path("results") / usual
    result = run_sweep(
        grid,
        suite,
        folder,
        device=device,
        engine=engine,
        cell_timeout=cell_timeout,
        force=force,
        plugins=plugins,
        progress=progress,
    )
    return _swept(grid, Standings.of_run(result), folder)


def _swept(grid: ParameterGrid, standings: Standings, path: Path) -> Sweep:
    """Return the sweep that a run's standings hold; an error where they hold no result."""
    (table,) = standings.tables or (None,)
    rows = {row.method.id: row for row in table.rows} if table is not None else {}
    if table is None or not any(row.coverage.samples for row in rows.values()):
        for failure in standings.failures:
            raise HeatmarkError(f"Every point of the sweep failed. The first: {failure.error}")
        reasons = sorted({item.reason for item in standings.not_applicable})
        raise NotApplicable(f"{grid.method} cannot be swept here: {'; '.join(reasons) or 'there are no results'}.")
    points = tuple(Point(values, rows.get(text)) for values, text in grid.points.items())
    return Sweep(grid.method, grid.axes, points, table.metrics[0], table, standings, path)


def _record(found: Sweep, point: Point) -> dict[str, Any]:
    parameters = {axis.name: value for axis, value in zip(found.axes, point.values, strict=True)}
    record: dict[str, Any] = {**parameters, "method": found.method, "metric": found.metric.id}
    if point.row is None:
        return {**record, "scored_images": 0}
    value, cost = point.row.values[0], point.row.cost
    return {
        **record,
        "mean": value.mean,
        "low": value.low,
        "high": value.high,
        "scored_images": value.samples,
        "rank": value.rank,
        "tied_from": pd.NA if value.tied is None else value.tied.first,
        "tied_to": pd.NA if value.tied is None else value.tied.last,
        "best": point is found.best,
        "seconds_per_image": cost.seconds,
        "forward_passes": cost.forward,
        "backward_passes": cost.backward,
    }
