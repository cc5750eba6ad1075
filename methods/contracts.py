"""The contract that every attribution method keeps, as checks that run on any method and model.

The project's own tests run them on every registered method; run them on a method of your own before you submit it::

    from heatmark.methods.contracts import violations
    assert violations(model, x, "my_method") == []
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models.base import Model
from .explain import explain
from .registry import Method, method_from

_TOLERANCE = 1e-4
"""How far, relative to a map's largest value, float32 sums may differ between ways to cut the same work."""


def violations(model: Model, x: Any, method: str | Method, target: Any = None, seed: int = 0) -> list[str]:
    """Return what a method does wrong on some samples; an empty list if it keeps the contract.

    Checked are: shape and type; finite values; no negative values in a map declared unsigned; the same maps for the
    same seed; independence of batch composition, order and chunk size; inputs left as they were.

    Parameters
    ----------
    model
        Any model that the method is applicable to.
    x
        At least two samples, (n, *input_shape).
    method
        A selection or a bound method.
    target
        As in `heatmark.explain`; fixed to the predicted classes where None.
    seed
        Of the method's random numbers.
    """
    chosen = method_from(method) if isinstance(method, str) else method
    samples = np.array(model.plain(x), np.float32)
    original = samples.copy()
    count = len(samples)
    classes = model.outputs(samples).argmax(axis=1) if target is None else model.targets(target, count)

    def maps(rows: Any = slice(None)) -> np.ndarray:
        return explain(model, samples[rows], chosen, classes[rows], seed=seed)

    found: list[str] = []
    first = maps()
    if first.shape != (count, *model.spatial_shape):
        return [f"shape {first.shape} instead of {(count, *model.spatial_shape)}"]
    if first.dtype != np.float32:
        found.append(f"type {first.dtype} instead of float32")
    if not np.isfinite(first).all():
        return [*found, "NaN or infinite values"]
    if not chosen.signed and (first < 0).any():
        found.append("negative values in a map declared unsigned")
    if not np.array_equal(samples, original):
        found.append("the input was changed")
    chunk = model.engine.chunk
    try:
        others = {"a second call with the same seed": maps()}
        model.engine.chunk = 1
        others["chunks of one"] = maps()
        model.engine.chunk = 3
        others["chunks of three"] = maps()
        others["one sample at a time"] = np.concatenate([maps([row]) for row in range(count)])
        others["the reverse order"] = maps(slice(None, None, -1))[::-1]
    finally:
        model.engine.chunk = chunk
    largest = np.abs(first).reshape(count, -1).max(axis=1)
    for how, other in others.items():
        apart = np.abs(first - other).reshape(count, -1).max(axis=1)
        if (apart > _TOLERANCE * largest + 1e-12).any():
            found.append(f"other values with {how} (by {float(apart.max()):.3g})")
    return found
