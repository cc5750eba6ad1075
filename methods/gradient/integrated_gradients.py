"""Integrated Gradients."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.engine import Chunk, Maker
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

RULES = ("midpoint", "trapezoid", "left", "right")


def quadrature(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the points in [0, 1] and the weights (summing to one) of a rule with ``steps`` gradients."""
    if rule == "trapezoid":
        if steps == 1:
            return np.array([0.5], np.float32), np.ones(1, np.float32)
        points = np.linspace(0, 1, steps)
        weights = np.full(steps, 1 / (steps - 1))
        weights[[0, -1]] /= 2
        return points.astype(np.float32), weights.astype(np.float32)
    offset = {"left": 0.0, "midpoint": 0.5, "right": 1.0}[rule]
    return ((np.arange(steps) + offset) / steps).astype(np.float32), np.full(steps, 1 / steps, np.float32)


@register_method(
    "integrated_gradients",
    title="Integrated Gradients",
    family="gradient",
    signed=True,
    sums_to="difference",
    needs=["gradients"],
    cost="`steps` forward and backward passes for each baseline",
    reference=Reference("Sundararajan, Taly, Yan", 2017, "Axiomatic Attribution for Deep Networks", "1703.01365"),
)
def integrated_gradients(
    request: Request,
    *,
    steps: Annotated[
        int,
        Doc(
            "gradients along the path",
            says="{} gradients along the path",
            source="Sundararajan et al. 2017: 20 to 300; Captum: 50",
            low=1,
        ),
    ] = 50,
    baseline: Annotated[
        str | float | np.ndarray,
        Doc(
            f"where the path begins: {', '.join(BASELINES)}, several as black+white, a number or an array",
            says="from {}",
            source="Sundararajan et al. 2017: black image",
        ),
    ] = NEUTRAL,
    rule: Annotated[
        str,
        Doc(
            "quadrature; the midpoints have no end-point bias", says="by the {} rule", source="heatmark", choices=RULES
        ),
    ] = "midpoint",
) -> Tensor:
    """(x - baseline) times the mean gradient on the straight path from the baseline to x.

    Sums to the difference of the target's logits at x and at the baseline, up to the quadrature's error (the
    metric `completeness` tells it). With several baselines, the mean over their paths.

    Formula
    -------
    R = (x - b) * mean over t in [0, 1] of d f / d x at b + t (x - b)

    Weaknesses
    ----------
    The baseline decides: what looks like it gets nothing. Points on the path are no natural pictures.
    """
    several = request.baselines(baseline)
    return sum(_from_one(request, steps, start, rule) for start in several) / len(several)


def _from_one(request: Request, steps: int, start: Tensor, rule: str) -> Tensor:
    """Return the integral along the paths from one baseline."""
    points, weights = quadrature(rule, steps)
    per_axis = (-1,) + (1,) * len(request.model.input_shape)

    def weighted(gradient: Tensor, chunk: Chunk) -> Tensor:
        return gradient * chunk.of_variants((steps * weights).reshape(per_axis))

    return (request.x - start) * request.mean_gradient(along_path(request, start, points), steps, weighted)


def along_path(request: Request, start: Tensor, points: np.ndarray) -> Maker:
    """Return the maker of points on the straight paths from ``start`` (0) to the samples (1), float32 (variants,)."""
    shares = points.reshape(-1, *(1,) * len(request.model.input_shape))

    def point(x: Tensor, chunk: Chunk) -> Tensor:
        here = chunk.background(start)
        return here + chunk.of_variants(shares) * (x - here)

    return point
