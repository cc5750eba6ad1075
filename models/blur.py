"""Blurring native batches with a kernel, on the device."""

from __future__ import annotations

import numpy as np

from .base import Model
from .tensors import Tensor


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
    radius = max(1, round(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    axes = len(model.spatial_shape)
    inside = model.from_numpy(np.ones((1, *model.spatial_shape), np.float32))
    blurred = x
    # A Gaussian is separable: one pass along each axis instead of one with a large square kernel.
    for axis in range(axes):
        kernel = weights.reshape([-1 if number == axis else 1 for number in range(axes)])
        blurred = correlate(model, blurred, kernel)
        inside = model.operations.convolve(inside, kernel)
    return blurred / model.with_channel_axis(inside)


def gaussian_matrix(size: int, sigma: float) -> np.ndarray:
    """Return the (size, size) matrix that blurs an axis with a Gaussian, renormalised at the borders, float32."""
    if sigma <= 0:
        return np.eye(size, dtype=np.float32)
    places = np.arange(size)
    weights = np.exp(-0.5 * ((places[:, None] - places) / sigma) ** 2)
    matrix: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix
