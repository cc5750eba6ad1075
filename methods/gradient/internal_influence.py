"""Influence inside the network: of a layer's units, of the expert unit, and of the input on that unit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np

from ...datasets.base import Dataset
from ...datasets.registry import load_dataset
from ...errors import BadInput
from ...models.arrays.operations import Tensor, TensorOperations
from ...models.base import Model
from ...models.checking.inputs import two_inputs
from ...models.engine import Maker, Pairs
from ...models.inputs.baselines import NEUTRAL
from ...models.queries import Layer, Query, ScoreFunction, ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..cam.cams import ContrastScore, LayerName
from ..registry import register_method
from ..request import Request
from .class_samples import samples_of_any_class, samples_of_class
from .influence_parameters import Baseline, Data, Distribution, Points, Quantity, Rival, Steps
from .integrated_gradients import along_path

_LEINO = Reference(
    "Leino et al.", 2018, "Influence-Directed Explanations for Deep Convolutional Networks", "1802.03788"
)
_influence = partial(register_method, family="influence", signed=True, needs=["gradients", "layers"], version=2)


@dataclass(frozen=True)
class UnitScore:
    """The mean over positions of one channel of a layer's output; the "class" of each row is its channel."""

    channel_axis: int
    """The channel axis of a batch, counted from 0."""

    def __call__(self, operations: TensorOperations, output: Tensor, channel: Tensor) -> Tensor:
        """Return each row's unit."""
        positions = tuple(axis for axis in range(1, len(output.shape)) if axis != self.channel_axis)
        return operations.take_class(operations.mean(output, axis=positions) if positions else output, channel)


@dataclass(frozen=True)
class RivalScore:
    """The target's logit less that of one other class."""

    rival: int

    def __call__(self, operations: TensorOperations, logits: Tensor, target: Tensor) -> Tensor:
        """Return the score of each row."""
        return operations.take_class(logits, target) - logits[:, self.rival]


@_influence(
    "internal_influence",
    title="Internal Influence",
    pooling="none",
    cost="`steps` forward and backward passes, and 1 forward pass",
    reference=_LEINO,
)
def internal_influence(
    request: Request, *, layer: LayerName = None, steps: Steps = 50, baseline: Baseline = NEUTRAL
) -> Tensor:
    """A layer's activations times their mean influence along the path from a baseline, summed over its maps.

    Formula
    -------
    R = sum_k A_k * mean over t of d f / d A_k along the path from the baseline

    Weaknesses
    ----------
    Of one layer, enlarged; the baseline is part of the question.
    """
    place = request.layer(layer)
    influence = _mean_influence(request, place, _path(request, baseline, steps), steps, "logit")
    return request.upsampled(request.operations.sum(influence * request.activations(layer), axis=1))


@_influence(
    "conductance",
    title="Conductance",
    pooling="none",
    cost="2 x `steps` + 1 forward, `steps` backward passes",
    reference=Reference("Dhamdhere, Sundararajan, Yan", 2018, "How Important Is a Neuron?", "1805.12233"),
)
def conductance(
    request: Request, *, layer: LayerName = None, steps: Steps = 50, baseline: Baseline = NEUTRAL
) -> Tensor:
    """What flows through a layer on the path from a baseline: influence times the change of its activations, summed.

    Before it is enlarged to the input's size, the map sums to the difference of the logits at x and at the baseline.

    Formula
    -------
    R = sum_k integral over t of d f / d A_k * d A_k / d t

    Weaknesses
    ----------
    Of one layer, enlarged: as coarse as the layer is.
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
    title="Influence-Directed",
    cost="2 forward and backward passes; 1 + `steps` for a path or a Gaussian; 1, and `steps` for each class explained",
    reads="data",
    reference=_LEINO,
    version=2,
)
def influence_directed(
    request: Request,
    *,
    layer: Annotated[
        str | None,
        Doc(
            "the slice, a dense layer too; by default the last one with positions, before its ReLU",
            says={None: "at the last layer with positions, before its ReLU", "": "at the layer {}"},
            source="heatmark",
        ),
    ] = None,
    quantity: Quantity = "class",
    rival: Rival = None,
    distribution: Distribution = "instance",
    data: Data = None,
    steps: Points = 10,
    baseline: Baseline = NEUTRAL,
    noise: Annotated[
        float,
        Doc(
            "standard deviation of the Gaussian",
            says="of deviation {}",
            when="distribution=gaussian",
            source="heatmark",
            low=0,
        ),
    ] = 0.1,
    multiply: Annotated[
        bool,
        Doc("times the input", says="times the input", source="the assignment that it came to us from"),
    ] = True,
) -> Tensor:
    """The input's influence on the expert: the layer's channel with the largest influence on the quantity of interest.

    Influence of a channel, or of a dense layer's unit, is the mean, over the distribution of interest and over
    positions, of the quantity's gradient at it (equation 1); the expert's own input attribution is the gradient of its
    mean activation, times the input. Influence does not ask whether the channel is active: after the last ReLU, before
    global pooling, it is the class's weight, the same for all samples, and a sample in which that expert is silent has
    a map of zeros, of which a warning tells. Before the ReLU, which is the default, a channel has influence where it is
    active alone, and its own gradient is never cut off.

    Formula
    -------
    R = x * d mean(A_k) / d x, k the channel with the largest mean influence d q / d A_k

    Weaknesses
    ----------
    One channel speaks for all; which one may change between samples that look alike.
    """
    model = request.model
    place = _slice(request, layer)
    score = _quantity(request, quantity, rival)
    expert = expert_channel(request, place, score, distribution, steps, baseline, noise, data)
    axis = 1 if _is_dense(place) else model.channel_axis_of(place)
    query = Query(UnitScore(axis), input_gradient=True, output=place.name)
    pairs = Pairs.grid(request.count, 1)
    (gradient,) = model.engine.summed_gradients(query, request.x, model.from_numpy(expert), pairs)
    _tell_of_silence(request, place, expert, gradient)
    return request.x * gradient if multiply else gradient


def expert_channel(
    request: Request,
    layer: Layer,
    score: ScoreKind | ScoreFunction,
    distribution: str,
    steps: int,
    baseline: str | float | np.ndarray = NEUTRAL,
    noise: float = 0.1,
    data: str | Dataset | None = None,
) -> np.ndarray:
    """Return each sample's expert, int64 (n,): the channel, or unit, with the largest (signed) influence on a score.

    The score may be one's own: a function that is equal to itself when asked again (a module's function or a frozen
    dataclass).

    Raises
    ------
    BadInput
        If the distribution is that of a class or a dataset, and no dataset is named.
    NotApplicable
        If the dataset has no sample of a target's class.
    """
    if distribution in ("class", "dataset"):
        return _expert_of_data(request, layer, score, data, steps, of_class=distribution == "class")
    makers: dict[str, tuple[Maker, int]] = {
        "instance": (lambda x, chunk: x, 1),
        "path": (_path(request, baseline, steps), steps),
        "gaussian": (lambda x, chunk: x + request.noise("influence", chunk, noise), steps),
    }
    make, variants = makers[distribution]
    influence = _mean_influence(request, layer, make, variants, score)
    expert: np.ndarray = _of_channels(request, influence).argmax(axis=1)
    return expert


def _slice(request: Request, name: str | None) -> Layer:
    """Return the layer whose units may be experts: the named one, also where it is dense, or the default.

    The default is the last feature map or, where that is the rectified values of another layer, the other.
    """
    model = request.model
    if name is None:
        name = model.once("the layer before the last rectifier", lambda: _before_rectifier(model))
    if name is not None:
        layer = model.layer(name)
        if _is_dense(layer):
            return layer
    return request.layer(name)


def _before_rectifier(model: Model) -> str | None:
    """Return the layer whose rectified values the last feature map is, or None where it is not those of the one before.

    Asked of the network itself, on two inputs: a sum that is made outside of layers may stand between the two. The
    passes are not counted as the user's.
    """
    maps = model.feature_maps()[-2:]
    if len(maps) < 2 or maps[0].shape != maps[1].shape:
        return None
    before, last = maps
    passes = model.passes
    answer = model.run(Query(layers=(before.name, last.name)), model.from_numpy(two_inputs(model)), None)
    model.add_passes(passes - model.passes)
    given, kept = (model.to_numpy(one) for one in answer.activations)
    # ReLU, or ReLU6: what is cut off above is the largest value there.
    rectified = np.array_equal(np.clip(given, 0.0, max(kept.max(), 0.0)), kept)
    return before.name if rectified and (given < 0).any() else None


def _is_dense(layer: Layer) -> bool:
    return len(layer.shape) == 1


def _quantity(request: Request, quantity: str | ScoreFunction, rival: int | None) -> ScoreKind | ScoreFunction:
    """Return the score that influence is on.

    Raises
    ------
    BadInput
        If the rival is no class, or the target itself; or if nothing is compared with it.
    """
    if quantity != "comparison":
        if rival is not None:
            raise BadInput("influence_directed: rival=CLASS is for quantity=comparison.")
        return quantity if callable(quantity) else "logit"
    if rival is None:
        return ContrastScore(1, 1.0)
    classes = request.model.num_classes
    if not 0 <= rival < classes:
        raise BadInput(f"influence_directed: {request.model.name} has the classes 0 to {classes - 1}, and not {rival}.")
    if (request.target_array == rival).any():
        raise BadInput(f"influence_directed: class {rival} is explained for some sample, and cannot be its own rival.")
    return RivalScore(rival)


def _tell_of_silence(request: Request, layer: Layer, expert: np.ndarray, gradient: Tensor) -> None:
    """Warn where the expert is silent: nothing that the input does reaches it, and the map is zero."""
    strength = np.abs(request.model.to_numpy(gradient)).reshape(request.count, -1).max(axis=1)
    silent = np.flatnonzero(strength == 0)
    if len(silent):
        warnings.warn(
            f"influence_directed: in {len(silent)} of {request.count} samples the expert of {request.model.name}'s "
            f"layer {layer.name!r} (the first: {int(expert[silent[0]])}) is silent, and the map is zero. Choose a "
            "layer before the activation, or an earlier one, with layer=NAME.",
            RuntimeWarning,
            stacklevel=2,
        )


def _expert_of_data(
    request: Request,
    layer: Layer,
    score: ScoreKind | ScoreFunction,
    data: str | Dataset | None,
    most: int,
    *,
    of_class: bool,
) -> np.ndarray:
    """Return each sample's expert, (n,): the one with the largest mean influence over samples of its class, or any."""
    if data is None:
        name = "class" if of_class else "dataset"
        raise BadInput(
            f"influence_directed: distribution={name} averages over samples of a dataset, and needs to know which: "
            f"name a dataset, as in influence_directed[distribution={name},data=digits]."
        )
    model, dataset, targets = request.model, load_dataset(data), request.target_array
    expert = np.zeros(request.count, np.int64)
    for target in np.unique(targets):
        total: Any = 0.0
        own, others = samples_of_class(model, dataset, int(target), most), samples_of_any_class(model, dataset, most)
        for x in own if of_class else others:
            batch = Request(model, x, np.full(int(x.shape[0]), target), request.seed, values=request.values)
            influence = _mean_influence(batch, layer, lambda x, chunk: x, 1, score)
            total = total + _of_channels(batch, influence).sum(axis=0, dtype=np.float64)
        expert[targets == target] = total.argmax()
    return expert


def _of_channels(request: Request, influence: Tensor) -> np.ndarray:
    """Return the mean over positions, (n, channels); of a dense layer the units themselves."""
    if len(influence.shape) == 2:
        return request.model.to_numpy(influence)
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
    total: Any = None
    for chunk, answer in model.engine.stream(
        query, request.x, request.target, Pairs.grid(request.count, variants), make
    ):
        gradient = answer.layer_gradients[0]
        if total is None:
            total = operations.zeros((request.count, *(int(size) for size in gradient.shape[1:])))
        total = operations.add_at_rows(total, chunk.samples, gradient)
    return (total if _is_dense(layer) else model.maps_of(layer, total)) / variants


def _collected(request: Request, query: Query, pairs: Pairs, make: Maker) -> tuple[Tensor, Tensor | None]:
    """Return the layer's outputs and, where queried, gradients for all pairs, in the native layout."""
    stream = request.model.engine.stream(query, request.x, request.target, pairs, make)
    parts = ((answer.activations[0], *answer.layer_gradients) for _, answer in stream)
    activations, *gradients = request.operations.collect(parts, len(pairs))
    return activations, gradients[0] if gradients else None
