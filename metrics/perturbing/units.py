"""What is ranked: single positions, square patches, the cells of a grid, or superpixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import BadInput, NotApplicable
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.inputs.regions import grid_labels, superpixel_labels
from .perturbation import POSITION, MapFacts

UNITS = (POSITION, "patch:SIDE", "grid:CELLS", "superpixel:COUNT")

TYPICAL_SHAPE = (224, 224)
"""The positions of a photograph at the usual input size, for estimates of cost."""


def typical_facts(unit: str, spatial: Sequence[int]) -> MapFacts:
    """Return the facts of a map of a usual kind: half of its units are positive, with evenly falling attributions."""
    name, size = checked_unit(unit)
    if name == "patch":
        units = math.prod(math.ceil(length / size) for length in spatial)
    elif name == "grid":
        units = math.prod(min(size, length) for length in spatial)
    else:
        units = math.prod(spatial) if name == POSITION else min(size, math.prod(spatial))
    positives = max(1, units // 2)
    # Falling evenly from the highest to zero, the top share s of the units holds 1 - (1 - s)^2 of the attribution.
    counts = np.ceil(positives * (1 - np.sqrt(1 - np.arange(101) / 100)) - 1e-9).astype(int)
    return MapFacts(units, positives, tuple(counts.tolist()), unit)


def checked_unit(unit: str) -> tuple[str, int]:
    """Return a unit's name and size (1 for single positions); BadInput where there is no such unit."""
    name, colon, text = unit.partition(":")
    if name == POSITION and not colon:
        return name, 1
    if name not in _MAKERS:
        raise BadInput(f"Unknown unit {unit!r}: choose one of {', '.join(UNITS)}.")
    if not text.isdigit() or int(text) < 1:
        raise BadInput(f"The unit {unit!r} needs a whole number of at least 1 after the colon, such as {name}:8.")
    return name, int(text)


def unit_labels(model: Model, x: Tensor, unit: str) -> np.ndarray:
    """Return which region each position lies in, int64 (n, *spatial), numbered from zero without gaps per sample.

    Parameters
    ----------
    model
        The model, for its layout.
    x
        (n, *input_shape), raw domain: superpixels follow its edges.
    unit
        ``patch:8`` (squares of 8 positions a side, those at the border smaller; windows of a series), ``grid:4``
        (4 cells along each axis, as equal as can be), or ``superpixel:100`` (about 100 SLIC superpixels; windows of
        equal length for a series).

    Raises
    ------
    BadInput
        For an unknown unit or a size that is no whole number of at least 1.
    NotApplicable
        For superpixels of inputs that are neither pictures nor series.
    """
    name, size = checked_unit(unit)
    return _MAKERS[name](model, x, size)


def _patches(model: Model, x: Tensor, side: int) -> np.ndarray:
    spatial = model.spatial_shape
    labels = np.zeros(spatial, np.int64)
    for axis, length in enumerate(spatial):
        along = np.arange(length) // side
        shape = [-1 if number == axis else 1 for number in range(len(spatial))]
        labels = labels * math.ceil(length / side) + along.reshape(shape)
    return np.broadcast_to(labels, (int(x.shape[0]), *spatial))


def _grid(model: Model, x: Tensor, cells: int) -> np.ndarray:
    spatial = model.spatial_shape
    labels = grid_labels(spatial, [min(cells, length) for length in spatial])
    return np.broadcast_to(labels, (int(x.shape[0]), *spatial))


def _superpixels(model: Model, x: Tensor, count: int) -> np.ndarray:
    spatial = model.spatial_shape
    samples, positions = int(x.shape[0]), math.prod(spatial)
    if len(spatial) > 2:
        raise NotApplicable(f"Superpixels are made of pictures and series, and {spatial} is neither.")
    if positions <= count or len(spatial) == 1:
        labels = np.arange(positions) * min(count, positions) // positions
        return np.broadcast_to(labels.reshape(spatial), (samples, *spatial))
    pictures = np.moveaxis(model.to_unit(model.to_numpy(model.channels_first(x))), 1, -1)
    return np.stack([superpixel_labels(picture, count) for picture in pictures])


_MAKERS: dict[str, Callable[[Model, Tensor, int], np.ndarray]] = {
    "patch": _patches,
    "grid": _grid,
    "superpixel": _superpixels,
}
