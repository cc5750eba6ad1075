"""The contract that every metric keeps, as checks that run on any metric and model."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models.base import Model
from .registry import Metric, metric_from
from .score import score
from .scoring import Explainer

_TOLERANCE = 1e-4
"""How far values may differ between ways to cut the same work, relative to the metric's own size (at least one)."""


def violations(
    model: Model,
    x: Any,
    attributions: np.ndarray,
    metric: str | Metric,
    target: Any = None,
    *,
    masks: np.ndarray | None = None,
    explainer: Explainer | None = None,
) -> list[str]:
    """Return what a metric does wrong on some samples; an empty list if it keeps the contract.

    Checked are: shape and type; values inside the declared range; the same values for the same maps; independence of
    batch composition, order and chunk size; inputs and attributions left as they were.

    Parameters
    ----------
    model
        Any model.
    x
        At least two samples, (n, *input_shape).
    attributions
        (n, *spatial).
    metric
        A selection or a bound metric.
    target
        As in `heatmark.score`; fixed to the predicted classes where None.
    masks, explainer
        As in `heatmark.score`, for metrics that want them.
    """
    chosen = metric_from(metric) if isinstance(metric, str) else metric
    samples, maps = np.array(model.plain(x), np.float32), np.array(attributions, np.float32)
    originals = samples.copy(), maps.copy()
    count = len(samples)
    classes = model.outputs(samples).argmax(axis=1) if target is None else model.targets(target, count)

    def values(rows: Any = slice(None)) -> np.ndarray:
        truth, places = None if masks is None else masks[rows], np.arange(count)[rows]
        explain = None if explainer is None else _of_rows(explainer, places)
        return score(model, samples[rows], maps[rows], chosen, classes[rows], masks=truth, explainer=explain)

    first = values()
    if first.shape != (count,) or first.dtype != np.float64:
        return [f"shape {first.shape} and type {first.dtype} instead of {(count,)} and float64"]
    found: list[str] = []
    low, high = chosen.range
    if (low is not None and (first < low - 1e-6).any()) or (high is not None and (first > high + 1e-6).any()):
        found.append(f"values outside the declared range {chosen.range}")
    if not (np.array_equal(samples, originals[0]) and np.array_equal(maps, originals[1])):
        found.append("the samples or the attributions were changed")
    chunk = model.engine.chunk
    try:
        others = {"a second call": values()}
        for size in (1, 5):
            model.engine.chunk = size
            others[f"chunks of {size}"] = values()
        others["one sample at a time"] = np.concatenate([values([row]) for row in range(count)])
        others["the reverse order"] = values(slice(None, None, -1))[::-1]
    finally:
        model.engine.chunk = chunk
    scale = max(1.0, float(np.nanmax(np.abs(first), initial=0.0)))
    for how, other in others.items():
        if not np.allclose(first, other, rtol=0, atol=_TOLERANCE * scale, equal_nan=True):
            found.append(f"other values with {how} (by {float(np.nanmax(np.abs(first - other))):.3g})")
    return found


def _of_rows(explainer: Explainer, places: np.ndarray) -> Explainer:
    """Return the explainer for a part of the samples."""
    return lambda model, x, target, rows: explainer(model, x, target, places[rows])
