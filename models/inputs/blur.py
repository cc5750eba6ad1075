"""Blurring native batches with a kernel, on the device."""

from __future__ import annotations

import numpy as np

from ..arrays.operations import Tensor
from ..base import Model


def correlate(model: Model, x: Tensor, kernel: np.ndarray) -> Tensor:
    """Return each channel of a native batch correlated with a kernel; zeros beyond the border.

    ``kernel`` has one odd-sized axis per spatial axis.
    """
    operations = model.operations
    channels_first = model.channels_first(x)
    shape = tuple(int(size) for size in channels_first.shape)
    maps = operations.reshape(channels_first, (shape[0] * shape[1], *shape[2:]))
    return model.native(operations.reshape(operations.convolve(maps, kernel), shape))


def gaussian_blur(model: Model, x: Tensor, sigma: float) -> Tensor:
    """Return a native batch under a Gaussian of standard deviation ``sigma`` (in positions), truncated at 3 sigma.

    Near the border the kernel is renormalised over the positions inside, so that a constant input stays constant.
    """
    operations, reach = model.operations, max(1, round(3 * sigma))
    maps = model.channels_first(x)
    letters = "hwd"[: len(model.spatial_shape)]
    # A Gaussian is separable: one product with a matrix per axis. A convolution with so long a kernel lays every
    # position's neighbourhood out in memory in TensorFlow.
    for axis in range(len(model.spatial_shape)):
        matrix = model.from_numpy(gaussian_matrix(model.spatial_shape[axis], sigma, reach))
        blurred = letters.replace(letters[axis], "z")
        maps = operations.einsum(f"nc{letters},z{letters[axis]}->nc{blurred}", maps, matrix)
    return model.native(maps)


def gaussian_matrix(size: int, sigma: float, reach: int | None = None) -> np.ndarray:
    """Return the (size, size) matrix that blurs an axis with a Gaussian, renormalised at the borders, float32.

    Positions further apart than ``reach`` have no weight.
    """
    if sigma <= 0:
        return np.eye(size, dtype=np.float32)
    places = np.arange(size)
    distance = np.abs(places[:, None] - places)
    weights = np.exp(-0.5 * (distance / sigma) ** 2) * (distance <= (size if reach is None else reach))
    matrix: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix
