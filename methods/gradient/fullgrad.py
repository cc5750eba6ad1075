"""FullGrad: the input's gradient together with the gradients at every bias."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.engine import Pairs
from ...models.queries import Answer, Query
from ...registry import Reference
from ..registry import register_method
from ..request import Request

_SRINIVAS = Reference("Srinivas, Fleuret", 2019, "Full-Gradient Representation", "1905.00780")
_COST = "1 forward and 1 backward pass, keeping every layer's gradient"


@register_method(
    "fullgrad", family="gradient", signed=False, pooling="none", needs=["gradients"], cost=_COST, reference=_SRINIVAS
)
def fullgrad(request: Request) -> Tensor:
    """The absolute input x gradient and bias x gradient maps of all layers, each scaled to [0, 1], summed.

    Equation 4 with the post-processing of the authors: absolute value, each layer's maps of a sample scaled jointly,
    linear enlarging. The input counts from the value that the network's normalisation maps to zero. Biases without
    positions (dense layers) are part of no map.
    """

    def layer_map(gradient: Tensor, bias: Tensor) -> Tensor:
        return request.operations.sum(request.unit_range(request.operations.abs(gradient * bias), jointly=True), axis=1)

    return _summed_maps(request, layer_map, with_input=True)


@register_method(
    "fullgrad_cam",
    family="cam",
    signed=False,
    pooling="none",
    needs=["gradients"],
    cost=_COST,
    reference=_SRINIVAS,
    version=2,
)
def fullgrad_cam(request: Request) -> Tensor:
    """FullGrad's bias maps put together as Grad-CAM puts its maps: weighted by gradients, summed, the positive part.

    At every layer with positions, the positive part of the sum over channels of bias x gradient, scaled to [0, 1];
    these are summed over layers. Where FullGrad takes absolute values, evidence against the class is taken off here,
    so that the map tells classes apart.
    """
    operations = request.operations

    def layer_map(gradient: Tensor, bias: Tensor) -> Tensor:
        positive = operations.maximum(operations.sum(gradient * bias, axis=1), 0.0)
        return request.unit_range(positive[:, None], jointly=True)[:, 0]

    return _summed_maps(request, layer_map, with_input=False)


def _require_piecewise_linear(request: Request) -> None:
    """Refuse networks whose layers add more than constants to a linear map."""
    if request.model.has_attention():
        raise NotApplicable(
            f"FullGrad takes a piecewise linear network apart into gradients and biases; {request.model.name} computes "
            "attention, which has no such biases."
        )


def _answers(request: Request) -> Iterator[tuple[slice, Answer]]:
    """Yield the gradients at the input and at every bias, chunk by chunk."""
    names = tuple(bias.name for bias in request.model.biases())
    # A bias that nothing reads adds nothing: zero is its share.
    query = Query(input_gradient=True, layers=names, layer_gradients=True, dead_layers=True)
    pairs = Pairs.grid(request.count, 1)
    for chunk, answer in request.model.engine.stream(query, request.x, request.target, pairs):
        yield chunk.rows, answer


def _summed_maps(request: Request, layer_map: Callable[[Tensor, Tensor], Tensor], *, with_input: bool) -> Tensor:
    """Return the sum over layers with positions of their maps, at the input's size."""
    _require_piecewise_linear(request)
    model, operations = request.model, request.operations
    biases = model.biases()

    def chunk_map(rows: slice, answer: Answer) -> Tensor:
        total = operations.zeros((rows.stop - rows.start, *model.spatial_shape))
        if with_input:
            inside = model.channels_first(answer.input_gradient) * _centred(model, request.x[rows.start : rows.stop])
            total = total + operations.sum(request.unit_range(operations.abs(inside), jointly=True), axis=1)
        for bias, gradient in zip(biases, answer.layer_gradients, strict=True):
            if len(gradient.shape) == len(request.x.shape) and model.channel_axis is not None:
                values = _shaped(model, bias.values, gradient)
                total = total + request.upsampled(layer_map(model.channels_first(gradient), values))
        return total

    (maps,) = operations.collect(((chunk_map(rows, answer),) for rows, answer in _answers(request)), request.count)
    return maps


def _centred(model: Model, x: Tensor) -> Tensor:
    """Return the samples, channels first, counted from what the normalisation maps to zero."""
    zero = np.zeros(1, np.float32) if model.zero is None else np.asarray(model.zero, np.float32).reshape(-1)
    first = model.channels_first(x)
    return first - model.from_numpy(zero.reshape(1, -1, *[1] * (len(first.shape) - 2)))


def _shaped(model: Model, values: np.ndarray, gradient: Tensor) -> Tensor:
    """Return a bias in a shape that broadcasts against channels-first gradients."""
    return model.from_numpy(np.asarray(values, np.float32).reshape(1, -1, *[1] * (len(gradient.shape) - 2)))
