"""New curve metrics from what a run has stored: no model runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, HeatmarkError
from ..identity import digest
from ..methods.registry import method_from
from ..metrics.measure import CurveMeasure
from ..metrics.perturbing.perturbation import Bands, Perturbation
from ..metrics.registry import Metric, metrics_named
from .setting.plugins import load_plugins
from .store.finished import Cell
from .store.folder import RunStore
from .suite import Names


@dataclass(frozen=True)
class Rescored:
    """What was added to a run."""

    path: Path
    """The run's folder."""
    added: tuple[str, ...]
    """The metrics that were computed, by canonical text."""
    present: tuple[str, ...]
    """Those that the run had already."""
    cells: int
    """How many cells got them."""


def score_run(run: object, metrics: Names, plugins: Names = ()) -> Rescored:
    """Compute further metrics of a run from its stored curves, and keep them with the run.

    The leaderboard shows them beside the run's own.

    Parameters
    ----------
    run
        What `heatmark.run` returned, or the path of its folder.
    metrics
        Selections of metrics that read perturbation curves, such as ``"morf,aopc"``.
    plugins
        Modules or files that register metrics.

    Raises
    ------
    UnknownName, BadInput
        For unknown metrics, metrics that must ask the model, and metrics whose perturbed inputs the run has not
        evaluated.
    StorageError
        If the folder holds no run, or cannot be written.
    """
    load_plugins(plugins)
    store = RunStore(Path(str(getattr(run, "path", run))))
    chosen = metrics_named(metrics)
    if not chosen:
        raise BadInput("Name at least one metric.")
    cells = store.cells()
    if not cells:
        raise BadInput(f"{store.path} has no finished cell to score. Finish the run first.")
    wanted: list[Metric] = []
    present: list[Metric] = []
    for metric in chosen:
        if not isinstance(metric.measure, CurveMeasure):
            raise BadInput(
                f"{metric.id} asks the model, so it cannot be computed from stored curves. "
                f"Run it: heatmark run ... --metrics {metric.id} --out {store.path}"
            )
        (present if all(_has(cell, metric) for cell in cells) else wanted).append(metric)
    values = {metric.id: {cell.key: _values(cell, metric, store.path) for cell in cells} for metric in wanted}
    for metric in wanted:
        store.write_scores(metric.id, metric.identity(), values[metric.id])
    return Rescored(store.path, tuple(m.id for m in wanted), tuple(m.id for m in present), len(cells))


def _has(cell: Cell, metric: Metric) -> bool:
    """Return whether a cell holds this very metric."""
    identities = dict(zip(cell.spec.metrics, cell.spec.metric_identities, strict=True))
    return metric.id in identities and digest(identities[metric.id]) == digest(metric.identity())


def _values(cell: Cell, metric: Metric, path: Path) -> list[float]:
    """Return the metric's value for each row of a cell."""
    measure = metric.measure
    assert isinstance(measure, CurveMeasure)
    if measure.why_not(_signed(cell.spec.method)):
        return [float("nan")] * cell.samples
    found = []
    for row in cell.curves():
        if row["band_logit"] is None:
            raise _lacks(metric, path, "no curves are there (it was packed with --no-curves)")
        bands = Bands.of_row(row)
        try:
            reading = bands.reading(measure.unit)
            lacking = [item for item in measure.needs(reading.facts) if item not in reading.seen]
        except KeyError:
            raise _lacks(metric, path, f"nothing is ranked by {measure.unit}") from None
        if lacking:
            raise _lacks(
                metric, path, f"{len(lacking)} of its pictures are missing, the first: {_in_words(lacking[0])}"
            )
        found.append(float(measure.value(reading)))
    return found


def _signed(method: str) -> bool | None:
    """Return whether a method's maps carry a sign, None where it is not registered here."""
    try:
        return method_from(method).signed
    except HeatmarkError:
        return None


def _lacks(metric: Metric, path: Path, what: str) -> BadInput:
    return BadInput(
        f"{metric.id} cannot be computed from the curves stored in {path}: {what}. Choose the steps and the fill of a "
        f"metric of that run, or run it: heatmark run ... --metrics {metric.id}"
    )


def _in_words(item: Perturbation) -> str:
    if item.is_soft:
        return f"the sample faded to {item.fill.partition(':')[2]} by the map"
    kept = f"ranks {item.low} to {item.high - 1}" if item.low < item.high else f"all but {item.high} to {item.low - 1}"
    return f"{kept} kept, the rest {item.fill}" if item.fill else "the sample itself"
