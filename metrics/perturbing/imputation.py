"""ROAD's linear imputation: every removed position becomes the weighted mean of its neighbours, all of them at once.

A removed pixel's neighbours may be removed too, so this is a sparse linear system per picture (Rong et al. 2022 solve
it one picture and level at a time on the processor). Here all pictures and channels of a chunk are solved together on
the device: series exactly, pictures by a fixed number of multigrid cycles (`metrics/perturbing/multigrid.py`), so that
a picture's result does not depend on the others of its chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...errors import BadInput, NotApplicable
from ...models.arrays.operations import Tensor, TensorOperations
from .multigrid import relaxed


def linearly_imputed(
    operations: TensorOperations,
    x: Tensor,
    kept: Tensor,
    noise: Tensor | None = None,
    *,
    channels_last: bool = False,
) -> Tensor:
    """Return the samples with every removed position at the weighted mean of its up to 8 neighbours.

    Neighbours that share a side weigh 1/6, those that share a corner 1/12; beyond the border there are none, and the
    other weights are scaled up to sum to one. In a series both neighbours weigh 1/2.

    Parameters
    ----------
    operations
        The array namespace of all tensors.
    x
        float32 (m, channels, *spatial), raw domain [0, 1], spatial with one or two axes.
    kept
        bool (m, *spatial): which positions keep their values.
    noise
        What is added at removed positions: (1, channels, *spatial) for all samples or None for nothing.
    channels_last
        Whether ``x`` and ``noise`` have their channels as the last axis instead.

    Returns
    -------
    Tensor
        Like ``x``, kept positions as they are. For pictures the others are within 1e-3 of the exact solution
        (typically 2e-4; measured on photographs, maps and white noise with 1 to 99 % removed; one in a thousand random
        pictures of nothing but 0 and 1, nearly all of it removed in stripes, came to 1.3e-3). Where nothing is kept
        the system has no solution of its own, and each channel is filled with its mean.

    Raises
    ------
    BadInput
        If the shapes do not belong together.
    NotApplicable
        If the samples have neither one nor two spatial axes.

    Notes
    -----
    The definition is that of Rong et al. 2022, A Consistent and Efficient Evaluation Strategy for Attribution Methods
    (arXiv 2202.00449), and of the authors' code.
    """
    spatial = tuple(int(size) for size in kept.shape[1:])
    found = tuple(int(size) for size in (x.shape[1:-1] if channels_last else x.shape[2:]))
    if len(x.shape) != len(spatial) + 2 or found != spatial:
        order = "(m, *spatial, channels)" if channels_last else "(m, channels, *spatial)"
        raise BadInput(
            f"Imputation needs samples {order} and masks (m, *spatial), not {tuple(x.shape)} and {tuple(kept.shape)}."
        )
    if len(spatial) not in (1, 2):
        raise NotApplicable(f"Linear imputation is for pictures and series, not for {len(spatial)} spatial axes.")
    if noise is None:
        noise = operations.zeros((1, *x.shape[1:]))
    if len(spatial) == 1:
        work = _imputed_series_channels_last if channels_last else _imputed_series
    else:
        work = _imputed_pictures_channels_last if channels_last else _imputed_pictures
    return operations.compiled(work, x, kept, noise)


def _imputed_pictures(operations: TensorOperations, x: Tensor, kept: Tensor, noise: Tensor) -> Tensor:
    _, channels, height, width = x.shape
    mask = operations.to_float(kept)[:, None]
    mean = _mean_of_kept(operations, x, mask, "mchw")

    def stacked(tensor: Tensor) -> Tensor:
        return operations.reshape(operations.transpose(tensor, (2, 3, 1, 0)), (1, height, width, -1))

    def unstacked(stack: Tensor) -> Tensor:
        # By way of one flat tensor, as PyTorch turns two axes round much faster than four.
        flat = operations.transpose(operations.reshape(stack, (height * width, -1)), (1, 0))
        by_channel = operations.reshape(operations.reshape(flat, (-1,)), (channels, -1, height, width))
        return operations.transpose(by_channel, (1, 0, 2, 3))

    def relaxed_from(known: Tensor) -> Tensor:
        return unstacked(relaxed(operations, stacked(known), stacked(mask), channels))

    return _imputed(operations, x, mask, mean, noise, relaxed_from)


def _imputed_pictures_channels_last(operations: TensorOperations, x: Tensor, kept: Tensor, noise: Tensor) -> Tensor:
    _, height, width, channels = x.shape
    shape = (-1, height, width, channels)
    mask = operations.to_float(kept)
    mean = _mean_of_kept(operations, x, mask[..., None], "mhwc")

    def rows(tensor: Tensor) -> Tensor:
        return operations.reshape(tensor, (-1, height, width * channels))

    def stacked(tensor: Tensor) -> Tensor:
        # One sample behind another is two axes to be turned round, whatever a sample's own are.
        positions = math.prod(tensor.shape[1:])
        turned = operations.transpose(operations.reshape(tensor, (-1, positions)), (1, 0))
        return operations.reshape(turned, (1, height, width, -1))

    def relaxed_from(known: Tensor) -> Tensor:
        stack = relaxed(operations, stacked(known), stacked(mask), channels)
        flat = operations.transpose(operations.reshape(stack, (height * width * channels, -1)), (1, 0))
        return operations.reshape(flat, (-1, height, width * channels))

    # Repeated for the channels, and each row's channels as one axis: TensorFlow is slow where a short last axis
    # broadcasts.
    each = operations.einsum("mhw,c->mhwc", mask, operations.zeros((channels,)) + 1.0)
    means = operations.einsum("mc,w->mwc", mean[:, 0, 0], operations.zeros((width,)) + 1.0)
    means = operations.reshape(means, (-1, 1, width * channels))
    return operations.reshape(_imputed(operations, rows(x), rows(each), means, rows(noise), relaxed_from), shape)


def _imputed(
    operations: TensorOperations,
    x: Tensor,
    mask: Tensor,
    mean: Tensor,
    noise: Tensor,
    relaxed_from: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return ``x`` where the mask is 1, elsewhere what follows from the known values, and the noise.

    Seen from the mean of what is kept, the solution is small wherever little is known: rounding errors stay small.
    """
    known = x - mean
    known *= mask
    solution = relaxed_from(known)
    solution += mean
    solution += noise
    return operations.blend(mask, x, solution)


def _imputed_series_channels_last(operations: TensorOperations, x: Tensor, kept: Tensor, noise: Tensor) -> Tensor:
    x, noise = (operations.transpose(tensor, (0, 2, 1)) for tensor in (x, noise))
    return operations.transpose(_imputed_series(operations, x, kept, noise), (0, 2, 1))


def _imputed_series(operations: TensorOperations, x: Tensor, kept: Tensor, noise: Tensor) -> Tensor:
    """Interpolate between the nearest kept positions on both sides; beyond the outermost ones their value goes on."""
    mask = operations.to_float(kept)[:, None]
    mean = _mean_of_kept(operations, x, mask, "mcl")
    before, steps_back = _nearest_kept(operations, x, mask, backwards=False)
    behind, steps_on = _nearest_kept(operations, x, mask, backwards=True)
    none_before, none_behind = steps_back < 0, steps_on < 0
    before, behind = operations.where(none_before, behind, before), operations.where(none_behind, before, behind)
    share = steps_back / operations.maximum(steps_back + steps_on, 1.0)
    between = operations.where(none_before | none_behind, before, before + (behind - before) * share)
    imputed = operations.where(none_before & none_behind, mean + 0.0 * x, between)
    return operations.where(kept[:, None], x, imputed + noise)


def _nearest_kept(operations: TensorOperations, x: Tensor, mask: Tensor, backwards: bool) -> tuple[Tensor, Tensor]:
    """Return the nearest kept value at or before each position (or behind it), and its distance, -1 without one.

    Each round looks twice as far: who has found nothing asks the position one step further than all have looked.
    """
    length = int(x.shape[-1])
    value, distance = x * mask, mask - 1.0
    step = 1
    while step < length:
        asked_value, asked_distance = (
            _shifted(operations, tensor, step, backwards) for tensor in (value, distance + 1.0)
        )
        finds = (distance < 0) & (asked_distance > 0)
        value = operations.where(finds, asked_value, value)
        distance = operations.where(finds, asked_distance + (step - 1.0), distance)
        step *= 2
    return value, distance


def _shifted(operations: TensorOperations, tensor: Tensor, step: int, backwards: bool) -> Tensor:
    """Return what stands ``step`` positions before each position (or behind it), 0 beyond the ends."""
    if backwards:
        return operations.concat([tensor[..., step:], 0.0 * tensor[..., :step]], axis=2)
    return operations.concat([0.0 * tensor[..., :step], tensor[..., :-step]], axis=2)


def _mean_of_kept(operations: TensorOperations, x: Tensor, mask: Tensor, order: str) -> Tensor:
    """Return each channel's mean over what is kept, or over everything where nothing is, with axes of size one.

    ``order`` names the axes of ``x``: ``m`` for samples, ``c`` for channels and one letter for each spatial axis.
    """
    spatial = [axis for axis, name in enumerate(order) if name not in "mc"]
    nothing = 1.0 - operations.max(mask, spatial, keepdims=True)
    counted = operations.maximum(mask, nothing)
    channel = order.index("c")
    masked = operations.reshape(counted, [-1, *(x.shape[axis] for axis in spatial)])
    # A product of matrices, so that no masked copy of x is made for it.
    total = operations.einsum(f"{order.replace('c', '')},{order}->mc", masked, x)
    shape = [1] * len(order)
    shape[0], shape[channel] = -1, x.shape[channel]
    return operations.reshape(total, shape) / operations.sum(counted, spatial, keepdims=True)
