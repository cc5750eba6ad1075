"""Feature ablation: how much the score drops when one region is replaced."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import NEUTRAL
from ...models.queries import ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .superpixels import Fill, RegionKind, Segments, Spread, coalition_scores, painted, regions_of


@register_method(
    "feature_ablation",
    title="Feature Ablation",
    family="perturbation",
    signed=True,
    pooling="none",
    cost="1 forward pass, and 1 for each region",
    reference=Reference("Zeiler, Fergus", 2013, "Visualizing and Understanding Convolutional Networks", "1311.2901"),
)
def feature_ablation(
    request: Request,
    *,
    regions: RegionKind = "superpixels",
    segments: Segments = 50,
    baseline: Fill = NEUTRAL,
    score: Annotated[
        ScoreKind, Doc("what drops", says="the drop is that of {}", source="as occlusion")
    ] = "probability",
    spread: Spread = True,
) -> Tensor:
    """The drop of the score when a superpixel is replaced, spread over the superpixel.

    Formula
    -------
    R_s = f(x) - f(x without the region s), for each region s

    Weaknesses
    ----------
    One region at a time: where two say the same, neither gets anything.
    """
    divided = regions_of(request, regions, segments)
    # The whole sample first, then each region replaced in turn.
    coalitions = [np.concatenate([np.ones((1, count), bool), ~np.eye(count, dtype=bool)]) for count in divided.counts]
    scores = coalition_scores(request, divided, baseline, coalitions, score)
    return painted(request, divided, [left[0] - left[1:] for left in scores], spread=spread)
