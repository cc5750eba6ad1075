"""Where a layer's channels stand: how that is followed through operations, and what shapes tell where it is not.

Each framework follows the channel axis from the input through everything that its network computes: convolutions make
channels of their own on a known axis, dense layers on the last, permutations and reshapes move them, and what works
elementwise leaves them. What is rearranged beyond that is left to shapes, and where those tell two things, to nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..queries import Layer

BY_OPERATIONS = "followed through the network's operations"
BY_SHAPE = "read off its shape"


def after_reshape(before: Sequence[int], after: Sequence[int], axis: int) -> int | None:
    """Return where an axis stands once the elements have another shape; None where it was cut, merged or is unclear.

    An axis stays whole where as many elements stand before it as did, and it is as long.
    """
    leading = math.prod(before[:axis])
    places = [place for place, size in enumerate(after) if size == before[axis] and math.prod(after[:place]) == leading]
    return places[0] if len(places) == 1 else None


def after_product(equation: str, operand: int, axis: int) -> int | None:
    """Return where the axis of an operand stands in what an einsum equation gives; None where that is unclear.

    Channels that are summed over become those that the other operands have alone.
    """
    given, _, result = equation.replace(" ", "").partition("->")
    operands = given.split(",")
    if not result or "..." in equation or axis >= len(operands[operand]):
        return None
    letter = operands[operand][axis]
    if letter in result:
        return result.index(letter)
    fresh = [place for place, name in enumerate(result) if name not in operands[operand]]
    return fresh[0] if len(fresh) == 1 else None


def agreed(axes: Iterable[int | None]) -> int | None:
    """Return the axis that all operands whose axis is known have, or None where they differ or none is known."""
    known = {axis for axis in axes if axis is not None}
    return known.pop() if len(known) == 1 else None


def of_batch(axis: int | None, rank: int) -> int | None:
    """Return an axis counted from 0 as `Layer.channel_axis` has it: None for the samples' axis, -1 for the last."""
    if not axis:
        return None
    return -1 if axis == rank - 1 else axis


def told_by_shape(layers: Sequence[Layer], spatial: tuple[int, ...]) -> tuple[Layer, ...]:
    """Return the layers, with a channel axis where shapes tell one that was not known.

    Of the two readings of a shape, channels first and channels last, that one holds whose positions are as many along
    every axis as those of the input or of a layer that is known; else that whose positions cover a square input in
    a square. Where both do or neither, nothing is told.

    Parameters
    ----------
    layers
        In order.
    spatial
        The input's positions.
    """
    grids = {spatial, *(layer.spatial for layer in layers if layer.spatial is not None and layer.per_sample)}
    return tuple(
        _read(layer, grids, spatial)
        if layer.channel_axis is None and layer.per_sample and len(layer.shape) == len(spatial) + 1
        else layer
        for layer in layers
    )


def _read(layer: Layer, grids: set[tuple[int, ...]], spatial: tuple[int, ...]) -> Layer:
    first, last = layer.shape[1:], layer.shape[:-1]
    square = len(spatial) > 1 and len(set(spatial)) == 1
    for fits in (grids.__contains__, lambda sizes: square and len(set(sizes)) == 1):
        if fits(first) != fits(last):
            return replace(layer, channel_axis=1 if fits(first) else -1, axis_told_by=BY_SHAPE)
        if fits(first):
            break
    return layer
