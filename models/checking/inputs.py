"""Inputs to examine a network with where no data is at hand."""

from __future__ import annotations

import numpy as np

from ..interface import Interface

CELLS = 4
"""Random values along each axis; between them inputs are smooth, as photographs and series are."""


def two_inputs(model: Interface) -> np.ndarray:
    """Return two random inputs that are far apart, float32 (2, *input_shape) in the native layout.

    The first is smooth and spans the domain; the second is the first turned round, high where that is low.
    """
    low, high = model.domain
    random = np.random.default_rng(0)
    cells = random.random((model.channels, *(min(CELLS, size) for size in model.spatial_shape)))
    for axis, size in enumerate(model.spatial_shape, start=1):
        cells = _stretched(cells, axis, size)
    cells = 0.9 * cells + 0.1 * random.random(cells.shape)  # a little roughness, for units that see edges alone
    span = float(np.ptp(cells)) or 1.0
    one = low + (high - low) * (cells - cells.min()) / span
    both = np.stack([one, low + high - one]).astype(np.float32)
    return np.ascontiguousarray(model.native_array(both))


def _stretched(values: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Return the values along one axis enlarged to ``size`` by straight lines."""
    places = np.linspace(0, values.shape[axis] - 1, size)
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, values.shape[axis] - 1)
    shares = (places - below).reshape(-1, *(1,) * (values.ndim - axis - 1))
    first, second = (np.take(values, rows, axis=axis) for rows in (below, above))
    stretched: np.ndarray = first + (second - first) * shares
    return stretched
