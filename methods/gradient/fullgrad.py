"""FullGrad: the input's gradient together with the gradients at every bias."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import Doubt, NotApplicable
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
    "fullgrad",
    title="FullGrad",
    family="gradient",
    signed=False,
    pooling="none",
    needs=["gradients"],
    cost=_COST,
    reference=_SRINIVAS,
    version=2,
)
def fullgrad(request: Request) -> Tensor:
    """The absolute input x gradient and bias x gradient maps of all layers, each scaled to [0, 1], summed.

    Equation 4 with the post-processing of the authors: absolute value, each layer's maps of a sample scaled jointly,
    linear enlarging. The input counts from the value that the network's normalisation maps to zero. Biases without
    positions (dense layers) are part of no map.

    Formula
    -------
    R = |x * grad| + sum over layers of |b * grad|, each scaled to [0, 1]

    Weaknesses
    ----------
    Absolute values and scaling give up the exact sum, and the sign.
    """

    def layer_map(gradient: Tensor, bias: Tensor) -> Tensor:
        return request.operations.sum(request.unit_range(request.operations.abs(gradient * bias), jointly=True), axis=1)

    return _summed_maps(request, layer_map, with_input=True)


@register_method(
    "fullgrad_cam",
    title="FullGrad-CAM",
    family="cam",
    signed=False,
    pooling="none",
    needs=["gradients"],
    cost=_COST,
    reference=_SRINIVAS,
    version=3,
)
def fullgrad_cam(request: Request) -> Tensor:
    """FullGrad's bias maps put together as Grad-CAM puts its maps: weighted by gradients, summed, the positive part.

    At every layer with positions, the positive part of the sum over channels of bias x gradient, scaled to [0, 1];
    these are summed over layers. Where FullGrad takes absolute values, evidence against the class is taken off here,
    so that the map tells classes apart.

    Formula
    -------
    R = sum over layers of scaled(relu(sum_k grad_k b_k)), b_k the biases

    Weaknesses
    ----------
    Says what biases do; each layer counts the same, as it is scaled by itself.
    """
    operations = request.operations

    def layer_map(gradient: Tensor, bias: Tensor) -> Tensor:
        positive = operations.maximum(operations.sum(gradient * bias, axis=1), 0.0)
        return request.unit_range(positive[:, None], jointly=True)[:, 0]

    return _summed_maps(request, layer_map, with_input=False)


_BENT = frozenset({
    "silu", "gelu", "sigmoid", "tanh", "softplus", "elu", "selu", "celu", "mish", "hardswish", "hardsigmoid", "erf",
    "exp", "softmax", "layer_norm", "group_norm", "square", "squareddifference", "pow",
})  # fmt: skip
"""Operations that are no line through zero on each side of it, in both frameworks' spelling."""


def require_complete(model: Model) -> None:
    """Refuse networks whose parts do not sum to the logit: something adds to it that FullGrad does not see.

    Asked once for a network, on two pictures of noise. Where activations are bounded or bent (ReLU6, SiLU), they add
    constants of their own, which the method leaves out as its authors' code does; that is warned of.
    """
    if model.has_attention():
        raise NotApplicable(
            f"FullGrad takes a piecewise linear network apart into gradients and biases; {model.name} computes "
            "attention, which has no such biases."
        )
    parts = model.once("fullgrad completeness", lambda: completeness(model))
    total, logit, scale = parts.total, parts.logit, parts.size
    worst = int(np.argmax(np.abs(total - logit) / scale))
    if abs(total[worst] - logit[worst]) <= model.resolution * scale[worst]:
        return
    seen = f"its gradients and biases sum to {total[worst]:.4g} where the logit is {logit[worst]:.4g}"
    bent = activations_that_add(model)
    if not bent or model.unreached:
        why = model.unreached or "something adds a constant that is no layer's bias"
        raise NotApplicable(f"FullGrad takes {model.name} apart incompletely: {seen}; {why}.")

    def warn() -> bool:
        warnings.warn(
            f"FullGrad takes {model.name} apart incompletely: {seen}, for activations such as {min(bent)} add "
            "constants of their own, which are in no map.",
            Doubt,
            stacklevel=2,
        )
        return True

    model.once("fullgrad warned", warn)


def activations_that_add(model: Model) -> list[str]:
    """Return the activations that are computed and add constants of their own: bounded ones, and bent ones."""
    return sorted({one.name for one in model.computed() if one.bounded or _plain(one.name) in _BENT})


@dataclass(frozen=True)
class Parts:
    """What FullGrad takes the logit of the predicted class apart into; one number for each input."""

    logit: np.ndarray
    """What the network says."""
    of_input: np.ndarray
    """(x - zero) times the gradient, summed."""
    of_biases: np.ndarray
    """(n, biases): every bias times the gradient there, summed."""

    @property
    def total(self) -> np.ndarray:
        """The sum of the parts, which is the logit where nothing else adds to it."""
        return np.asarray(self.of_input + self.of_biases.sum(axis=1))

    @property
    def size(self) -> np.ndarray:
        """The sum of the absolute values of the logit and all parts, which rounding is a share of."""
        whole = np.abs(self.logit) + np.abs(self.of_input) + np.abs(self.of_biases).sum(axis=1)
        return np.asarray(whole + 1e-12)


def completeness(model: Model, x: Tensor | None = None) -> Parts:
    """Return the parts of the logit for raw inputs on the device, two pictures of noise where None.

    Raises
    ------
    NotApplicable
        If a layer with a bias does not give one output for each sample (copies of it, or windows of it).
    """
    operations = model.operations
    if x is None:
        noise = np.random.default_rng(0).random((2, *model.input_shape), dtype=np.float32)
        x = model.from_numpy(model.from_unit(noise))
    target = model.to_numpy(model.run(Query(), x, None).logits).argmax(axis=1)
    biases = model.biases()
    other = next((bias.name for bias in biases if not bias.layer.per_sample), None)
    if other is not None:
        raise NotApplicable(
            f"FullGrad adds up what biases contribute to a sample; {other!r} gives other rows than samples."
        )
    query = Query(
        input_gradient=True, layers=tuple(bias.name for bias in biases), layer_gradients=True, dead_layers=True
    )
    answer = model.run(query, x, model.from_numpy(target))

    def summed(values: Tensor) -> np.ndarray:
        return model.to_numpy(operations.sum(values, axis=tuple(range(1, len(values.shape))))).astype(np.float64)

    of_input = summed(model.channels_first(answer.input_gradient) * _centred(model, x))
    of_biases = []
    for bias, gradient in zip(biases, answer.layer_gradients, strict=True):
        shape = [1] * len(gradient.shape)
        shape[-1 if len(shape) == 2 else model.channel_axis_of(bias.layer)] = -1
        of_biases.append(summed(gradient * model.from_numpy(bias.values.reshape(shape))))
    logit = model.to_numpy(answer.logits).astype(np.float64)[np.arange(len(target)), target]
    return Parts(logit, of_input, np.stack(of_biases, axis=1) if of_biases else np.zeros((len(target), 0)))


def _plain(name: str) -> str:
    """Return an operation's name without what frameworks put around it."""
    return name.lower().strip("_").removeprefix("native_")


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
    require_complete(request.model)
    model, operations = request.model, request.operations
    biases = model.biases()

    def chunk_map(rows: slice, answer: Answer) -> Tensor:
        total = operations.zeros((rows.stop - rows.start, *model.spatial_shape))
        if with_input:
            inside = model.channels_first(answer.input_gradient) * _centred(model, request.x[rows.start : rows.stop])
            total = total + operations.sum(request.unit_range(operations.abs(inside), jointly=True), axis=1)
        for bias, gradient in zip(biases, answer.layer_gradients, strict=True):
            if len(gradient.shape) == len(request.x.shape) and model.channel_axis is not None and bias.layer.per_sample:
                values = _shaped(model, bias.values, gradient)
                total = total + request.upsampled(layer_map(model.maps_of(bias.layer, gradient), values))
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
