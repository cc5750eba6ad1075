"""The contract that every metric keeps, as questions that are asked of any metric with any model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import NetworkChanged, NotApplicable, error_in_words, where_raised
from ..models.base import Model
from ..models.checking.finding import Finding
from ..models.unharmed import unharmed
from .registry import Metric, metric_from
from .score import score
from .scoring import Explainer

VALUES = "one value per sample, as float64"
RANGE = "values lie in the declared range"
REPEATS = "the same maps get the same values"
ALONE = "values do not depend on batch, order and chunk"
UNCHANGED = "samples, maps and network stay as they were"

_TOLERANCE = 1e-4
"""How far values may differ between ways to cut the same work, relative to the metric's own size (at least one)."""
_SAME = "Compute each sample's value from that sample alone, and draw random numbers from the scoring's bank."


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
    """Return what a metric does wrong on some samples, in words; an empty list if it keeps the contract.

    See `contract`, whose findings that fail these are.
    """
    found = contract(model, x, attributions, metric, target, masks=masks, explainer=explainer)
    return [f"{finding.question}: {finding.evidence}" for finding in found if finding.verdict == "fails"]


def contract(
    model: Model,
    x: Any,
    attributions: np.ndarray,
    metric: str | Metric,
    target: Any = None,
    *,
    masks: np.ndarray | None = None,
    explainer: Explainer | None = None,
) -> tuple[Finding, ...]:
    """Return what is found when a metric is asked on some samples in several ways; what raises is a finding too.

    Asked are: shape and type; values inside the declared range; the same values for the same maps; independence of
    batch composition, order and chunk size; samples, maps and network left as they were.

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

    Raises
    ------
    NotApplicable
        If the metric has no meaning for the model or the data; the message is the reason.
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

    try:
        with unharmed(model, chosen.id):
            first = values()
    except NotApplicable:
        raise
    except Exception as error:
        return (_raised(VALUES, error),)
    if first.shape != (count,) or first.dtype != np.float64:
        told = f"shape {first.shape} and type {first.dtype} instead of {(count,)} and float64."
        return (Finding(VALUES, "fails", told, "Return a NumPy array with a value for each sample."),)
    found = [_of_values(first), _in_range(chosen, first)]
    if found[0].verdict == "fails":
        return tuple(found)
    found.append(_same(REPEATS, first, {"a second call": values}))
    ways: Mapping[str, Callable[[], np.ndarray]] = {
        "chunks of one": lambda: _in_chunks(model, 1, values),
        "chunks of five": lambda: _in_chunks(model, 5, values),
        "one sample at a time": lambda: np.concatenate([values([row]) for row in range(count)]),
        "the reverse order": lambda: values(slice(None, None, -1))[::-1],
    }
    found.append(_same(ALONE, first, ways))
    if any(finding.question == UNCHANGED for finding in found):
        return tuple(found)
    same = np.array_equal(samples, originals[0]) and np.array_equal(maps, originals[1])
    evidence = "samples, maps, weights, modes, hooks and settings were compared."
    return (
        *found,
        Finding(UNCHANGED, "holds", evidence)
        if same
        else Finding(UNCHANGED, "fails", "the samples or the attributions were changed.", "Compute on a copy."),
    )


def _of_values(values: np.ndarray) -> Finding:
    undefined = int(np.isnan(values).sum())
    if undefined == len(values):
        return Finding(VALUES, "doubtful", "every value is NaN: the definition gives none for any of the samples.")
    if np.isinf(values).any():
        return Finding(VALUES, "fails", "there are infinite values.", "Return NaN where the definition gives no value.")
    told = f", {undefined} of them undefined" if undefined else ""
    return Finding(VALUES, "holds", f"{len(values)} values{told}.")


def _in_range(metric: Metric, values: np.ndarray) -> Finding:
    low, high = metric.range
    least, most = float(np.nanmin(values, initial=np.inf)), float(np.nanmax(values, initial=-np.inf))
    seen = f"values from {least:.4g} to {most:.4g}, declared {metric.range}"
    if (low is not None and least < low - 1e-6) or (high is not None and most > high + 1e-6):
        remedy = "Correct the range that the metric is registered with, or its formula."
        return Finding(RANGE, "fails", f"values outside the declared range: {seen}.", remedy)
    return Finding(RANGE, "holds", f"{seen}.")


def _same(question: str, first: np.ndarray, ways: Mapping[str, Callable[[], np.ndarray]]) -> Finding:
    """Return whether values computed in other ways are the first ones."""
    scale, told, most = max(1.0, float(np.nanmax(np.abs(first), initial=0.0))), [], 0.0
    for how, make in ways.items():
        try:
            other = make()
        except Exception as error:
            return _raised(question, error, f"with {how} ")
        apart = float(np.nanmax(np.abs(first - other), initial=0.0))
        most = max(most, apart)
        if not np.allclose(first, other, rtol=0, atol=_TOLERANCE * scale, equal_nan=True):
            told.append(f"other values with {how} (by {apart:.3g})")
    if told:
        return Finding(question, "fails", f"{'; '.join(told)}.", _SAME)
    return Finding(question, "holds", f"with {', '.join(ways)} values differ by at most {most:.1g}.")


def _raised(question: str, error: Exception, how: str = "") -> Finding:
    """Return the finding for a question that ended in an error."""
    if isinstance(error, NetworkChanged):
        return Finding(UNCHANGED, "fails", str(error))
    return Finding(question, "fails", f"{how}it raised {error_in_words(error)}{where_raised(error)}")


def _in_chunks(model: Model, size: int, values: Callable[[], np.ndarray]) -> np.ndarray:
    """Return values that are computed in chunks of a size."""
    chunk = model.engine.chunk
    try:
        model.engine.chunk = size
        return values()
    finally:
        model.engine.chunk = chunk


def _of_rows(explainer: Explainer, places: np.ndarray) -> Explainer:
    """Return the explainer for a part of the samples."""
    return lambda model, x, target, rows: explainer(model, x, target, places[rows])
