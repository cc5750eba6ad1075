"""Controls: maps that ignore the network and stand in every table as its floor."""

from __future__ import annotations

import zlib
from functools import partial
from typing import Annotated

import numpy as np

from ..errors import NotApplicable
from ..models.arrays.operations import Tensor
from ..parameters import Doc
from .registry import register_method
from .request import Request

_INSIDE, _OUTSIDE = 1e-3, 1e-6
"""How far the oracle's values may lie from 1 inside the truth and from 0 outside."""

_control = partial(register_method, family="control", signed=False, pooling="none", cost="no pass")


@_control("random", title="Random", signed=True)
def random(request: Request) -> Tensor:
    """Independent standard normal values; each sample's depend on the seed and on its own content.

    Formula
    -------
    R_p independent standard normal

    Weaknesses
    ----------
    A control: what a metric says of noise.
    """
    shape = request.model.spatial_shape
    first = request.model.to_numpy(request.model.channels_first(request.x))
    contents = [zlib.crc32(np.ascontiguousarray(sample).tobytes()) for sample in first]
    maps = [request.bank.generator("random", content).standard_normal(shape, dtype=np.float32) for content in contents]
    return request.model.from_numpy(np.stack(maps))


@_control("sobel", title="Sobel Edges")
def sobel(request: Request) -> Tensor:
    """The strength of edges in the mean over channels (Sobel filters; the absolute difference for series).

    Formula
    -------
    R_p = strength of the Sobel filters' edges at p

    Weaknesses
    ----------
    A control: it finds edges, as many methods do, without the network.
    """
    if len(request.model.spatial_shape) > 2:
        raise NotApplicable(
            f"Sobel's filters are for pictures and series, and {request.model.spatial_shape} is neither."
        )
    operations = request.operations
    grey = operations.mean(request.model.channels_first(request.x), axis=1)
    difference, smooth = np.array([-1.0, 0.0, 1.0]), np.array([1.0, 2.0, 1.0]) / 4
    if len(request.model.spatial_shape) == 1:
        return operations.abs(operations.convolve(_extended(request, grey), difference)[:, 1:-1])
    across = operations.convolve(_extended(request, grey), np.outer(smooth, difference))
    down = operations.convolve(_extended(request, grey), np.outer(difference, smooth))
    strength = (across * across + down * down)[:, 1:-1, 1:-1]
    return strength**0.5


@_control("center_gaussian", title="Centre Gaussian")
def center_gaussian(
    request: Request,
    *,
    width: Annotated[
        float,
        Doc(
            "standard deviation as a share of each side",
            says="a standard deviation of {%} of each side",
            source="heatmark",
            low=0.001,
        ),
    ] = 0.25,
) -> Tensor:
    """A Gaussian in the middle: what one gets for knowing only that photographers centre their subject.

    Formula
    -------
    R_p = exp(-|p - middle|^2 / (2 width^2)), along each axis in shares of its side

    Weaknesses
    ----------
    A control: it knows nothing of picture or network. Whatever it beats is worth little.
    """
    maps = np.ones((1, *request.model.spatial_shape), np.float32)
    for axis, size in enumerate(request.model.spatial_shape):
        place = ((np.arange(size) + 0.5) / size - 0.5) / width
        shape = [1] * maps.ndim
        shape[axis + 1] = size
        maps = maps * np.exp(-0.5 * place**2).astype(np.float32).reshape(shape)
    return request.model.from_numpy(np.repeat(maps, request.count, axis=0))


@_control("input_intensity", title="Input Intensity")
def input_intensity(request: Request) -> Tensor:
    """The brightness of the input: the mean of its channels' absolute values.

    Formula
    -------
    R_p = mean over channels of |x_p|

    Weaknesses
    ----------
    A control: it sees the picture and not the network.
    """
    operations = request.operations
    return operations.mean(operations.abs(request.model.channels_first(request.x)), axis=1)


@_control("constant", title="Constant")
def constant(request: Request) -> Tensor:
    """The same value everywhere: what metrics say of a map that says nothing.

    Formula
    -------
    R_p = 1

    Weaknesses
    ----------
    A control: ties are ranked in order of position, so its scores are those of rows from above.
    """
    return request.model.from_numpy(np.ones((request.count, *request.model.spatial_shape), np.float32))


@_control("oracle", title="Oracle", needs=["masks"], version=2)
def oracle(request: Request) -> Tensor:
    """The ground truth itself, where the dataset has masks: the ceiling of every table.

    A mask has two values, and ranked row by row its ties would paint stripes. So positions inside lie between 0.999
    and 1, those outside between 0 and 0.000001, in an order that depends on the seed alone: the truth stays the same
    when an input changes a little.

    Formula
    -------
    R_p = 1 in the ground truth, 0 outside, up to tiny values that break ties

    Weaknesses
    ----------
    A control and a ceiling: what localisation could be. A network may use what lies outside.
    """
    if request.ground_truth is None:
        raise NotApplicable("The oracle needs ground-truth masks, and this dataset has none.")
    truth = request.ground_truth.astype(bool)
    order = request.bank.generator("oracle").random(request.model.spatial_shape)[None]
    return request.model.from_numpy(np.where(truth, 1.0 - _INSIDE * order, _OUTSIDE * order).astype(np.float32))


def _extended(request: Request, maps: Tensor) -> Tensor:
    """Repeat the border positions once, so that the frame of a picture is no edge."""
    operations = request.operations
    maps = operations.concat([maps[:, :1], maps, maps[:, -1:]], axis=1)
    if len(maps.shape) == 3:
        maps = operations.concat([maps[:, :, :1], maps, maps[:, :, -1:]], axis=2)
    return maps
