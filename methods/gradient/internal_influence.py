"""Influence inside the network: of a layer's units, of the expert unit, and of the input on that unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from ...datasets.base import Dataset
from ...datasets.registry import load_dataset
from ...errors import BadInput
from ...models.arrays.operations import Tensor, TensorOperations
from ...models.engine import Maker, Pairs
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...models.queries import Layer, Query, ScoreFunction, ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..cam.cams import ContrastScore, LayerName
from ..registry import register_method
from ..request import Request
from .class_samples import samples_of_class
from .integrated_gradients import along_path

_LEINO = Reference(
    "Leino et al.", 2018, "Influence-Directed Explanations for Deep Convolutional Networks", "1802.03788"
)
_influence = partial(register_method, family="influence", signed=True, needs=["gradients", "layers"])
Steps = Annotated[int, Doc("points of the distribution", source="TruLens: 10; IG: 50", low=1)]
Points = Annotated[
    int, Doc("points of the distribution; of a class, at most so many samples", source="TruLens: 10", low=1)
]
Baseline = Annotated[str | float | np.ndarray, Doc("where the path begins", source="black", choices=BASELINES)]
Quantity = Annotated[
    Literal["class", "comparison"],
    Doc("the target's logit, or its lead over the nearest other class", source="Leino et al. 2018, section 2.2"),
]
Distribution = Annotated[
    Literal["instance", "class", "path", "gaussian"],
    Doc(
        "where influence is averaged: at x, over samples of the target's class, from the baseline to x, or around x",
        source="Leino et al. 2018, section 2.2",
    ),
]
Data = Annotated[
    str | Dataset | None,
    Doc("the dataset whose first samples of the target's class are the distribution `class`", source="heatmark"),
]


@dataclass(frozen=True)
class UnitScore:
    """The mean over positions of one channel of a layer's output; the "class" of each row is its channel."""

    channel_axis: int
    """The channel axis of a batch, counted from 0."""

    def __call__(self, operations: TensorOperations, output: Tensor, channel: Tensor) -> Tensor:
        """Return each row's unit."""
        positions = tuple(axis for axis in range(1, len(output.shape)) if axis != self.channel_axis)
        return operations.take_class(operations.mean(output, axis=positions) if positions else output, channel)


@_influence(
    "internal_influence",
    pooling="none",
    cost="`steps` forward and backward passes, and 1 forward pass",
    reference=_LEINO,
)
def internal_influence(
    request: Request, *, layer: LayerName = None, steps: Steps = 50, baseline: Baseline = NEUTRAL
) -> Tensor:
    """A layer's activations times their mean influence along the path from a baseline, summed over its maps."""
    place = request.layer(layer)
    influence = _mean_influence(request, place, _path(request, baseline, steps), steps, "logit")
    return request.upsampled(request.operations.sum(influence * request.activations(layer), axis=1))


@_influence(
    "conductance",
    pooling="none",
    cost="2 x `steps` + 1 forward, `steps` backward passes",
    reference=Reference("Dhamdhere, Sundararajan, Yan", 2018, "How Important Is a Neuron?", "1805.12233"),
)
def conductance(
    request: Request, *, layer: LayerName = None, steps: Steps = 50, baseline: Baseline = NEUTRAL
) -> Tensor:
    """What flows through a layer on the path from a baseline: influence times the change of its activations, summed.

    Before it is enlarged to the input's size, the map sums to the difference of the logits at x and at the baseline.
    """
    return request.upsampled(conductance_map(request, layer, steps, baseline))


def conductance_map(request: Request, layer: str | None, steps: int, baseline: str | float | np.ndarray) -> Tensor:
    """Return the conductance of a layer's positions, (n, *layer's spatial shape); it is complete."""
    model, operations = request.model, request.operations
    place = request.layer(layer)
    middles = _path(request, baseline, steps)
    ends = _path(request, baseline, steps, offset=0.0)
    query, plain = Query(layers=(place.name,), layer_gradients=True), Query(layers=(place.name,))
    # Ends and middles of each step side by side, all samples of a step together: memory is that of one step.
    before, total = None, 0.0
    for number in range(steps + 1):
        pairs = Pairs(np.arange(request.count), np.full(request.count, number))
        here = _collected(request, plain, pairs, ends)[0]
        if before is not None:
            at_middle = Pairs(np.arange(request.count), np.full(request.count, number - 1))
            _, gradients = _collected(request, query, at_middle, middles)
            flow = model.maps_of(place, gradients) * model.maps_of(place, here - before)
            total = total + operations.sum(flow, axis=1)
        before = here
    return total


@_influence(
    "influence_directed",
    cost="2 forward and backward passes; 1 + `steps` for a path or a Gaussian; 1, and `steps` for each class explained",
    reads="data",
    reference=_LEINO,
)
def influence_directed(
    request: Request,
    *,
    layer: LayerName = None,
    quantity: Quantity = "class",
    distribution: Distribution = "instance",
    data: Data = None,
    steps: Points = 10,
    baseline: Baseline = NEUTRAL,
    noise: Annotated[float, Doc("standard deviation of the Gaussian", source="heatmark", low=0)] = 0.1,
    multiply: Annotated[bool, Doc("times the input", source="the assignment that it came to us from")] = True,
) -> Tensor:
    """The input's influence on the expert: the layer's channel with the largest influence on the quantity of interest.

    Influence of a channel is the mean, over the distribution of interest and over positions, of the quantity's
    gradient at it (equation 1); the expert's own input attribution is the gradient of its mean activation, times
    the input. Influence does not ask whether the channel is active: before global pooling it is the class's weight,
    the same for all samples, and a sample in which that expert is silent has a map of zeros. Ask an earlier layer then.
    """
    model = request.model
    place = request.layer(layer)
    expert = expert_channel(request, place, quantity, distribution, steps, baseline, noise, data)
    query = Query(UnitScore(model.channel_axis_of(place)), input_gradient=True, output=place.name)
    pairs = Pairs.grid(request.count, 1)
    (gradient,) = model.engine.summed_gradients(query, request.x, model.from_numpy(expert), pairs)
    return request.x * gradient if multiply else gradient


def expert_channel(
    request: Request,
    layer: Layer,
    quantity: str | ScoreFunction,
    distribution: str,
    steps: int,
    baseline: str | float | np.ndarray = NEUTRAL,
    noise: float = 0.1,
    data: str | Dataset | None = None,
) -> np.ndarray:
    """Return each sample's expert, int64 (n,): the channel with the largest (signed) influence.

    ``quantity`` may be a score of one's own: a function that is equal to itself when asked again (a module's
    function or a frozen dataclass).

    Raises
    ------
    BadInput
        If the distribution is that of a class and no dataset is named.
    NotApplicable
        If the dataset has no sample of a target's class.
    """
    score: ScoreKind | ScoreFunction = "logit"
    if callable(quantity):
        score = quantity
    elif quantity == "comparison":
        score = ContrastScore(1, 1.0)
    if distribution == "class":
        return _expert_of_class(request, layer, score, data, steps)
    makers: dict[str, tuple[Maker, int]] = {
        "instance": (lambda x, chunk: x, 1),
        "path": (_path(request, baseline, steps), steps),
        "gaussian": (lambda x, chunk: x + request.noise("influence", chunk, noise), steps),
    }
    make, variants = makers[distribution]
    influence = _mean_influence(request, layer, make, variants, score)
    expert: np.ndarray = _of_channels(request, influence).argmax(axis=1)
    return expert


def _expert_of_class(
    request: Request, layer: Layer, score: ScoreKind | ScoreFunction, data: str | Dataset | None, most: int
) -> np.ndarray:
    """Return each sample's expert, (n,): the channel with the largest mean influence over samples of its class."""
    if data is None:
        raise BadInput(
            "influence_directed: distribution=class averages over samples of the target's class, and needs to know "
            "whose: name a dataset, as in influence_directed[distribution=class,data=digits]."
        )
    dataset, targets = load_dataset(data), request.target_array
    expert = np.zeros(request.count, np.int64)
    for target in np.unique(targets):
        total: Any = 0.0
        for x in samples_of_class(request.model, dataset, int(target), most):
            batch = Request(request.model, x, np.full(int(x.shape[0]), target), request.seed, values=request.values)
            influence = _mean_influence(batch, layer, lambda x, chunk: x, 1, score)
            total = total + _of_channels(batch, influence).sum(axis=0, dtype=np.float64)
        expert[targets == target] = total.argmax()
    return expert


def _of_channels(request: Request, influence: Tensor) -> np.ndarray:
    """Return the mean over positions, (n, channels)."""
    axes = tuple(range(2, len(influence.shape)))
    return request.model.to_numpy(request.operations.mean(influence, axis=axes))


def _path(request: Request, baseline: str | float | np.ndarray, steps: int, offset: float = 0.5) -> Maker:
    """Return the maker of the points (number + offset) / steps of the way from the baseline to x."""
    points = ((np.arange(steps + 1) + offset) / steps).astype(np.float32)
    return along_path(request, request.baseline(baseline), points)


def _mean_influence(
    request: Request, layer: Layer, make: Maker, variants: int, score: ScoreKind | ScoreFunction
) -> Tensor:
    """Return each sample's mean gradient at a layer over its variants, channels first."""
    model, operations = request.model, request.operations
    query = Query(score, layers=(layer.name,), layer_gradients=True)
    total = None
    for chunk, answer in model.engine.stream(
        query, request.x, request.target, Pairs.grid(request.count, variants), make
    ):
        gradient = answer.layer_gradients[0]
        if total is None:
            total = operations.zeros((request.count, *(int(size) for size in gradient.shape[1:])))
        total = operations.add_at_rows(total, chunk.samples, gradient)
    return model.maps_of(layer, total) / variants


def _collected(request: Request, query: Query, pairs: Pairs, make: Maker) -> tuple[Tensor, Tensor | None]:
    """Return the layer's outputs and, where queried, gradients for all pairs, in the native layout."""
    stream = request.model.engine.stream(query, request.x, request.target, pairs, make)
    parts = ((answer.activations[0], *answer.layer_gradients) for _, answer in stream)
    activations, *gradients = request.operations.collect(parts, len(pairs))
    return activations, gradients[0] if gradients else None
