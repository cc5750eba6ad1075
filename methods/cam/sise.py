"""SISE: masks made of the feature maps that speak for the class, layer by layer, and their fusion."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.engine import Chunk, Pairs
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...models.queries import Layer, Query, ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

_BLOCK = 64
"""Feature maps that are enlarged at a time."""
_ROUNDING = 1e-6
"""Differences below this share of the largest value are float32 rounding."""


@register_method(
    "sise",
    title="SISE",
    family="perturbation",
    signed=False,
    pooling="none",
    needs=["gradients", "layers"],
    cost="1 forward and backward pass, and 1 forward pass for each feature map with a positive gradient",
    reference=Reference(
        "Sattarzadeh et al.",
        2020,
        "Explaining Convolutional Neural Networks through Attribution-Based Input Sampling",
        "2010.00672",
    ),
    version=2,
)
def sise(
    request: Request,
    *,
    threshold: Annotated[
        float,
        Doc(
            "mu: maps above this share of the largest mean gradient are kept",
            says="layer maps above {} of the largest mean gradient are kept",
            source="paper: 0",
            low=0,
            high=0.999,
        ),
    ] = 0.0,
    sharpness: Annotated[
        float,
        Doc(
            "of the soft threshold between layers",
            says="layers are joined by a soft threshold of sharpness {}",
            source="authors' code: 100",
            low=0,
        ),
    ] = 100.0,
    raised: Annotated[
        float,
        Doc(
            "factor of Otsu's threshold where few positions exceed it",
            says="raised {} times where few positions exceed it",
            source="authors' code: 1.5",
            low=1,
        ),
    ] = 1.5,
    baseline: Annotated[
        str | float | np.ndarray,
        Doc("what shows where a mask is zero", says="what is masked shows {}", source="paper: zero", choices=BASELINES),
    ] = NEUTRAL,
    score: Annotated[
        ScoreKind,
        Doc("what masked samples are scored by", says="masked samples are scored by {}", source="paper: confidence"),
    ] = "probability",
) -> Tensor:
    """Score-weighted feature maps of the last layer of every block, fused from the first block to the last.

    A block ends where the size of the feature maps changes next. Of each such layer the maps are kept whose mean
    gradient of the logit is positive; enlarged and scaled to [0, 1], they mask the sample.

    Formula
    -------
    layers' maps weighted by f(x * scaled(A_k)), fused from the first block to the last

    Weaknesses
    ----------
    Many passes; thresholds between layers are a recipe without a theory.
    """
    layers = block_ends(request)
    fill = request.baseline(baseline)
    query = Query("logit", layers=tuple(layer.name for layer in layers), layer_gradients=True)
    maps = []
    stream = request.model.engine.stream(query, request.x, request.target, Pairs.grid(request.count, 1))
    # Chunk by chunk, so that no more feature maps are held than those of a chunk.
    for chunk, answer in stream:
        visualised = [
            _visualised(request, layer, chunk.samples, activations, gradients, fill, threshold, score)
            for layer, activations, gradients in zip(layers, answer.activations, answer.layer_gradients, strict=True)
        ]
        maps += [fused(list(of_sample), sharpness, raised) for of_sample in zip(*visualised, strict=True)]
    return request.model.from_numpy(np.stack(maps).astype(np.float32))


def block_ends(request: Request) -> list[Layer]:
    """Return the last feature map of each spatial size, in the network's order.

    Raises
    ------
    NotApplicable
        If the network has no feature maps, or it cannot be told where the channels of one stand.
    """
    model = request.model
    last: dict[tuple[int, ...], Layer] = {}
    for layer in model.feature_maps():
        model.channel_axis_of(layer)
        spatial = layer.spatial or layer.shape
        last.pop(spatial, None)
        last[spatial] = layer
    if not last:
        raise NotApplicable(f"{model.name} has no layer with spatial positions.")
    return list(last.values())


def _visualised(
    request: Request,
    layer: Layer,
    samples: np.ndarray,
    activations: Tensor,
    gradients: Tensor,
    fill: Tensor,
    threshold: float,
    score: ScoreKind,
) -> np.ndarray:
    """Return one layer's visualisation maps of some samples, (samples, *spatial) in [0, 1].

    The sum of the masks, each over its own area and times the score that it leaves, is a weighted sum of the feature
    maps up to a constant, which the final scaling removes; so the sum is taken at the layer's size.
    """
    model, operations = request.model, request.operations
    activations, gradients = model.maps_of(layer, activations), model.maps_of(layer, gradients)
    shape = tuple(int(size) for size in activations.shape)
    flat = operations.reshape(activations, (shape[0] * shape[1], *shape[2:]))
    lows, highs, areas = _ranges(request, flat)
    worth = model.to_numpy(operations.mean(gradients, axis=tuple(range(2, len(shape))))).astype(np.float64)
    best = worth.max(axis=1, keepdims=True)
    # A flat map masks nothing, and has no range to be scaled by.
    varied = (highs - lows > _ROUNDING * np.maximum(np.abs(highs), np.abs(lows))).reshape(worth.shape)
    kept = np.flatnonzero((best > 0) & (worth > max(threshold, _ROUNDING) * best) & varied)
    weights = np.zeros(worth.size)
    if kept.size:
        rows = samples[kept // shape[1]]

        def masked(x: Tensor, chunk: Chunk) -> Tensor:
            chosen = kept[chunk.rows]
            enlarged = request.upsampled(operations.take(flat, chosen))
            per_map = (-1,) + (1,) * len(model.spatial_shape)
            low, high = (model.from_numpy(ends[chosen].reshape(per_map)) for ends in (lows, highs))
            return request.masked((enlarged - low) / (high - low), x, chunk.background(fill))

        scores = model.engine.scores(request.x, request.target, Pairs(rows, np.arange(len(rows))), masked, score)
        weights[kept] = model.to_numpy(scores) / areas[kept]
    per_map = model.from_numpy(weights.reshape(*worth.shape, *(1,) * (len(shape) - 2)))
    whole = model.to_numpy(request.upsampled(operations.sum(per_map * activations, axis=1)))
    return np.stack([_scaled(item) for item in whole.astype(np.float64)])


def _ranges(request: Request, maps: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each map's lowest and highest value once it is enlarged, and its mean above the lowest, (maps,)."""
    operations = request.operations
    axes = tuple(range(1, len(maps.shape)))
    found: list[list[np.ndarray]] = [[], [], []]
    for first in range(0, int(maps.shape[0]), _BLOCK):
        enlarged = request.upsampled(maps[first : first + _BLOCK])
        low = operations.min(enlarged, axis=axes, keepdims=True)
        ends = (low, operations.max(enlarged, axis=axes), operations.mean(enlarged - low, axis=axes))
        for parts, values in zip(found, ends, strict=True):
            parts.append(request.model.to_numpy(values).ravel())
    lows, highs, areas = (np.concatenate(parts) for parts in found)
    return lows, highs, areas


def fused(maps: list[np.ndarray], sharpness: float, raised: float) -> np.ndarray:
    """Return one map from one sample's visualisation maps, from the first block's to the last's.

    Each next map is added and then, softly thresholded, lets through only what it shows itself; one without any
    evidence, all zeros, changes no ranking.
    """
    result = maps[0]
    for following in maps[1:]:
        result = (result + following) * _soft_threshold(following, sharpness, raised)
    return result


def _soft_threshold(values: np.ndarray, sharpness: float, raised: float) -> np.ndarray:
    """Return a sigmoid of the values in [0, 1] round Otsu's threshold, raised where few, under a tenth, exceed that."""
    from scipy.special import expit
    from skimage.filters import threshold_otsu

    threshold = float(threshold_otsu(values)) if np.ptp(values) > 0 else 0.0
    if 0 < (values > raised * threshold).mean() < 0.1:
        threshold *= raised
    passed: np.ndarray = expit(sharpness * (values - threshold))
    return passed


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return the values moved and scaled to [0, 1]; zeros where they are all the same."""
    low, high = values.min(), values.max()
    if high - low <= _ROUNDING * max(abs(low), abs(high)):
        return np.zeros_like(values)
    scaled: np.ndarray = (values - low) / (high - low)
    return scaled
