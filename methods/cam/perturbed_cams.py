"""Class activation maps whose weights come from changed inputs or feature maps instead of gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor, TensorOperations
from ...models.engine import Chunk, Pairs
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...models.queries import Query
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .cams import LayerName, positive_map

Hidden = Annotated[
    str | float | np.ndarray,
    Doc(
        "what shows where a mask is zero",
        says="what is masked shows {}",
        source="paper: zero, the mask times the input",
        choices=BASELINES,
    ),
]
_cam = partial(register_method, family="cam", signed=False, pooling="none", version=2)


@_cam(
    "score_cam",
    title="Score-CAM",
    needs=["layers"],
    cost="1 forward pass, and 1 for each channel of the layer",
    reference=Reference("Wang et al.", 2019, "Score-CAM", "1910.01279"),
)
def score_cam(request: Request, *, layer: LayerName = None, baseline: Hidden = NEUTRAL) -> Tensor:
    """A layer's maps, weighted by the softmax of the logits that the input masked by each of them gives (algorithm 1).

    Masks are the enlarged maps scaled to [0, 1]; a constant map masks everything. What is masked fades to the baseline.
    The baseline's logit, which the paper subtracts, is the same for all channels, so the softmax does not see it.

    Formula
    -------
    R = relu(sum_k w_k A_k), w = softmax over k of f(x * scaled(A_k))

    Weaknesses
    ----------
    One pass for each channel, on masked pictures; the softmax lets a few channels have everything.
    """
    operations = request.operations
    activations = request.activations(layer)
    channels = int(activations.shape[1])
    masks = request.unit_range(activations)
    fill = request.baseline(baseline)

    def masked(x: Tensor, chunk: Chunk) -> Tensor:
        here = operations.take_class(chunk.of_samples(masks), operations.from_numpy(chunk.variants))
        return request.masked(request.upsampled(here), x, chunk.background(fill))

    scores = operations.transpose(request.scores(masked, channels, "logit"), (1, 0))
    weights = operations.exp(scores - operations.log_sum_exp(scores, axis=1)[:, None])
    return positive_map(request, _per_channel(operations, weights, activations) * activations)


@_cam(
    "ablation_cam",
    title="Ablation-CAM",
    needs=["layers"],
    cost="2 forward passes, and 1 for each channel of the layer",
    reference=Reference("Ramaswamy et al.", 2020, "Ablation-CAM"),
    version=3,
)
def ablation_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """A layer's maps, weighted by the share of the logit that is lost when each is set to zero (equation 3).

    Formula
    -------
    R = relu(sum_k w_k A_k), w_k = (f(x) - f(x with A_k = 0)) / f(x)

    Weaknesses
    ----------
    One pass for each channel; channels that say the same cover for one another.
    """
    model, operations = request.model, request.operations
    place = request.layer(layer)
    native = request.native_activations(layer)
    activations = model.maps_of(place, native)
    channels = int(activations.shape[1])
    lost = np.eye(channels, dtype=np.float32)
    axis = model.channel_axis_of(place)

    def ablated(x: Tensor, chunk: Chunk) -> tuple[Tensor, Tensor]:
        shape = [len(chunk.samples)] + [1] * (len(native.shape) - 1)
        shape[axis] = channels
        kept = operations.reshape(1.0 - chunk.of_variants(lost), shape)
        return x, chunk.of_samples(native) * kept

    pairs = Pairs.grid(request.count, channels)
    without = model.engine.scores(request.x, request.target, pairs, ablated, "logit", replaced=place.name)
    whole = request.scores(lambda x, chunk: x, 1, "logit")
    size = operations.abs(whole)
    # A logit of exactly zero has no shares; the losses themselves order the maps as well.
    share = (whole - operations.reshape(without, (channels, request.count))) / operations.where(size > 0, size, 1.0)
    weights = _per_channel(operations, operations.transpose(share, (1, 0)), activations)
    return positive_map(request, weights * activations)


@_cam(
    "opti_cam",
    title="Opti-CAM",
    needs=["gradients", "layers"],
    cost="1 forward pass, and `steps` forward and backward passes",
    reference=Reference("Zhang et al.", 2023, "Opti-CAM", "2301.07002"),
)
def opti_cam(
    request: Request,
    *,
    layer: LayerName = None,
    steps: Annotated[int, Doc("steps of Adam", says="{} steps of Adam", source="Zhang et al. 2023: 100", low=1)] = 100,
    rate: Annotated[
        float, Doc("learning rate", says="a learning rate of {}", source="Zhang et al. 2023: 0.1", low=0)
    ] = 0.1,
    baseline: Hidden = NEUTRAL,
) -> Tensor:
    """The combination of a layer's maps whose mask, scaled to [0, 1], leaves the largest logit (equation 9).

    The weights are a softmax over channels, optimised per sample from equal ones; the best step's map is returned.

    Formula
    -------
    R = sum_k w_k A_k, w = softmax of what makes f(x * scaled(R)) largest

    Weaknesses
    ----------
    A search on masked pictures: it finds what pleases the network, with many passes.
    """
    model = request.model
    activations = model.to_numpy(request.activations(layer)).astype(np.float64)
    flat = activations.reshape(*activations.shape[:2], -1)
    enlarge = _enlarging_matrix(request, activations.shape[2:])
    fill = model.to_numpy(model.channels_first(request.baseline(baseline) + 0.0 * request.x)).astype(np.float64)
    x = request.channels_first_array().astype(np.float64) - fill
    parameters = np.zeros(flat.shape[:2])
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    best_score = np.full(request.count, -np.inf)
    best = np.zeros((request.count, *model.spatial_shape), np.float32)
    query = Query(input_gradient=True)
    for step in range(1, steps + 1):
        weights = np.exp(parameters - parameters.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        small = np.einsum("nk,nkp->np", weights, flat)
        mask, slope = _unit_range_with_slope(small @ enlarge.T)
        shown = fill + x * mask.reshape(request.count, 1, *model.spatial_shape)
        here = model.native(model.from_numpy(shown.astype(np.float32)))
        logits, gradients = [], []
        for _, answer in model.engine.stream(query, here, request.target, Pairs.grid(request.count, 1)):
            logits.append(model.to_numpy(answer.logits))
            gradients.append(model.to_numpy(model.channels_first(answer.input_gradient)))
        score = np.concatenate(logits)[np.arange(request.count), request.target_array]
        better = score > best_score
        best_score = np.where(better, score, best_score)
        best[better] = mask.reshape(best.shape)[better]
        by_mask = (np.concatenate(gradients) * x).sum(axis=1).reshape(request.count, -1)
        by_map = slope(by_mask) @ enlarge
        by_weight = np.einsum("np,nkp->nk", by_map, flat)
        gradient = weights * (by_weight - (weights * by_weight).sum(axis=1, keepdims=True))
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        parameters += rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return model.from_numpy(best)


def _per_channel(operations: TensorOperations, weights: Tensor, maps: Tensor) -> Tensor:
    """Return (n, channels) weights in a shape that broadcasts against (n, channels, *spatial)."""
    shape = (int(maps.shape[0]), int(maps.shape[1]), *[1] * (len(maps.shape) - 2))
    return operations.reshape(weights, shape)


def _enlarging_matrix(request: Request, small: tuple[int, ...]) -> np.ndarray:
    """Return the (positions, small positions) matrix of the linear resize from a layer's size to the input's."""
    units = np.eye(int(np.prod(small)), dtype=np.float32).reshape(-1, *small)
    model = request.model
    enlarged = model.to_numpy(request.upsampled(model.from_numpy(units)))
    matrix: np.ndarray = enlarged.reshape(len(units), -1).T.astype(np.float64)
    return matrix


def _unit_range_with_slope(maps: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Return maps (n, positions) scaled to [0, 1], and the function that takes gradients back through the scaling."""
    rows = np.arange(len(maps))
    low_at, high_at = maps.argmin(axis=1), maps.argmax(axis=1)
    low, span = maps[rows, low_at][:, None], np.ptp(maps, axis=1)[:, None]
    flat = span == 0
    safe = np.where(flat, 1.0, span)
    scaled = np.where(flat, 0.0, (maps - low) / safe)

    def back(gradient: np.ndarray) -> np.ndarray:
        result = gradient / safe
        result[rows, low_at] -= (gradient * (1 - scaled)).sum(axis=1) / safe[:, 0]
        result[rows, high_at] -= (gradient * scaled).sum(axis=1) / safe[:, 0]
        return np.where(flat, 0.0, result)

    return scaled, back
