"""What a gallery needs of a sample: a small heatmap and the picture as the model sees it."""

from __future__ import annotations

import numpy as np

from ...models.base import Model

LARGEST_MAP = 112
"""The most positions per spatial axis of a stored heatmap."""


def block_edges(size: int, largest: int = LARGEST_MAP) -> np.ndarray:
    """Return where the blocks begin that an axis is cut into."""
    count = min(size, largest)
    edges: np.ndarray = np.arange(count) * size // count
    return edges


def block_means(heatmap: np.ndarray, largest: int = LARGEST_MAP) -> np.ndarray:
    """Return the heatmap (*spatial) with every axis cut to at most ``largest`` positions, each the mean of a block."""
    reduced = heatmap.astype(np.float64)
    for axis, size in enumerate(heatmap.shape):
        edges = block_edges(size, largest)
        widths = np.diff(np.append(edges, size))
        shape = [-1 if position == axis else 1 for position in range(heatmap.ndim)]
        reduced = np.add.reduceat(reduced, edges, axis=axis) / widths.reshape(shape)
    return reduced.astype(np.float32)


def thumbnails(model: Model, x: object) -> list[np.ndarray]:
    """Return raw inputs as pictures, uint8 (height, width) or (height, width, 3); an empty list for other data."""
    if len(model.spatial_shape) != 2:
        return []
    array = np.moveaxis(model.to_unit(model.to_numpy(x)), model.channel_axis or -1, -1)
    if array.shape[-1] not in (1, 3):
        return []
    pixels = (array.clip(0, 1) * 255).round().astype(np.uint8)
    return list(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
