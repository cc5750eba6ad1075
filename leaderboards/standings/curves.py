"""Mean perturbation curves of every method, read from what is stored without asking the model again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.store.cell import score_column
from ...errors import HeatmarkError
from ...identity import digest
from ..statistics.means import mean_intervals
from .kept_curves import POINTS, KeptCurves, MeanCurve
from .results import MethodRun, Results

if TYPE_CHECKING:
    from ...metrics.perturbing.perturbation import Reading
    from ...metrics.registry import Metric

SAMPLES = 500
"""Curves of so many samples are drawn; the scores in the tables rest on all."""

BAND = "band_"
"""Prefix of the stored columns that hold the fields of `metrics.perturbing.perturbation.Bands`."""

Curve = tuple[np.ndarray, np.ndarray]
Readings = dict[str, "Reading"]
"""What a stored row holds, by the unit in which it was ranked."""


def mean_curves(results: Results) -> dict[str, dict[str, MeanCurve]]:
    """Return the mean curve per metric and method, for the metrics that read a curve.

    Where the curves of samples were left out of a packed run, those are returned that it has kept in their place.
    """
    kept = KeptCurves.of(results.methods)
    metrics = [
        (metric, identity, defined_now(text, identity))
        for metric, text, identity in zip(results.metrics, results.metric_texts, results.metric_identities, strict=True)
    ]
    found: dict[str, dict[str, MeanCurve]] = {metric: {} for metric in results.metrics}
    for method in results.methods:
        stored = _StoredRows(method)
        for metric, identity, reading in metrics:
            curve = None if reading is None else _mean_curve(stored, metric, reading)
            curve = curve or kept.curve(method, identity)
            if curve is not None:
                found[metric][method.method] = curve
    return {metric: curves for metric, curves in found.items() if curves}


class _StoredRows:
    """The stored curves of one method, each read once for all metrics."""

    def __init__(self, method: MethodRun) -> None:
        self.method = method
        self._ends = np.cumsum([cell.samples for cell in method.cells])
        self._cells: dict[int, list[tuple[dict[str, Any], Readings]]] = {}
        self._numbers: dict[bytes, list[int]] = {}

    def scored(self, column: str) -> list[int]:
        """Return the numbers of the rows whose curves are drawn: the first of each sample that has a score."""
        rows = self.method.rows
        there = rows[column].notna().to_numpy()
        if there.tobytes() not in self._numbers:
            # Of several cells with a sample, those hold the curve that were scored with the metric.
            first = ~rows["sample"][there].duplicated().to_numpy()
            self._numbers[there.tobytes()] = np.flatnonzero(there)[first][:SAMPLES].tolist()
        return self._numbers[there.tobytes()]

    def row(self, number: int) -> tuple[dict[str, Any], Readings]:
        """Return a row, told by its number, with its readings so far; its cell is read when it is first asked for."""
        place = int(np.searchsorted(self._ends, number, side="right"))
        end, cell = int(self._ends[place]), self.method.cells[place]
        if place not in self._cells:
            self._cells[place] = [(row, {}) for row in cell.curves()]
        return self._cells[place][number - end + cell.samples]


def _mean_curve(stored: _StoredRows, metric: str, reading: Metric) -> MeanCurve | None:
    grid, score = np.linspace(0.0, 1.0, POINTS), score_column(metric)
    if score not in stored.method.rows:
        return None
    numbers = stored.scored(score)
    values = np.full((POINTS, len(numbers)), np.nan)
    for number, place in enumerate(numbers):
        curve = stored_curve(reading, *stored.row(place))
        if curve is None:
            return None
        x, y = curve
        if len(x) and np.isfinite(y).all():
            values[:, number] = np.interp(grid, x, y)
    if not np.isfinite(values).any():
        return None
    return MeanCurve(grid, *mean_intervals(values, np.isfinite(values)))


def defined_now(text: str, identity: Mapping[str, Any]) -> Metric | None:
    """Return a metric, or None where what it names now is not what the scores were made with.

    So it is with a plugin that is not loaded, and with a definition that has changed since.
    """
    from ...metrics.registry import metric_from

    try:
        found = metric_from(text)
    except HeatmarkError:
        return None
    return found if digest(found.identity()) == digest(identity) else None


def stored_curve(metric: Metric, row: Mapping[str, Any], readings: Readings | None = None) -> Curve | None:
    """Return the curve that ``metric`` reads from a stored row; None where it reads none.

    ``readings`` are those of the row by unit, which metrics share.
    """
    from ...metrics.perturbing.perturbation import Bands

    unit, known = metric.measure.unit, {} if readings is None else readings
    try:
        if unit not in known:
            if any(row.get(BAND + item.name) is None for item in fields(Bands)):
                return None
            known[unit] = Bands.of_row(row, BAND).reading(unit)
        found = metric.measure.curve(known[unit])
    except (HeatmarkError, KeyError):  # other perturbed images were stored than it asks for
        return None
    return None if found is None else (np.asarray(found[0], np.float64), np.asarray(found[1], np.float64))
