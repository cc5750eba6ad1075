"""Guided Integrated Gradients: a path that moves the positions with the smallest gradients first."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

_ROUNDING = 1e-6
"""Of the largest gradient: what float32 may make of the difference between two; up to 8e-7 in small networks."""


@register_method(
    "guided_ig",
    title="Guided IG",
    family="gradient",
    signed=True,
    needs=["gradients"],
    cost="`steps` forward and backward passes",
    reference=Reference("Kapishnikov et al.", 2021, "Guided Integrated Gradients", "2106.09788"),
    version=2,
)
def guided_ig(
    request: Request,
    *,
    steps: Annotated[
        int,
        Doc(
            "gradients along the path", says="{} gradients along the path", source="Kapishnikov et al. 2021: 200", low=1
        ),
    ] = 200,
    fraction: Annotated[
        float,
        Doc(
            "share of values moved at a time",
            says="{%} of the values move at a time",
            source="Kapishnikov et al. 2021: 0.25",
            low=0.001,
            high=1,
        ),
    ] = 0.25,
    distance: Annotated[
        float,
        Doc(
            "largest distance from the straight path",
            says="at most {} from the straight path",
            source="PAIR saliency: 0.02",
            low=0,
            high=1,
        ),
    ] = 0.02,
    baseline: Annotated[
        str | float | np.ndarray, Doc("where the path begins", says="from {}", source="black image", choices=BASELINES)
    ] = NEUTRAL,
) -> Tensor:
    """The gradient integrated along a path near the straight one that avoids steep directions (algorithm 1).

    The values with the smallest gradients move first, ``fraction`` of all at a time, and with them those whose
    gradients are as small but for rounding: 1e-6 of the largest gradient. Otherwise rounding would choose among equal
    gradients, and every later gradient is taken where that choice led. What is left are the kinks of the network: where
    many steps meet a ReLU or a pooling that rounding turns, processors and frameworks part (docs/methods.md).

    The sum is not f(x) - f(baseline): a step's gradient is taken once, where the step begins, and then holds for all
    the moves that it chooses by that gradient. More steps help little: a small network's map was 8 % off with 1000.

    Formula
    -------
    R = integral of gradient along a path that moves the values of smallest gradient first

    Weaknesses
    ----------
    The path depends on the network's kinks, so small differences of rounding can lead elsewhere; the sum is not exact.
    """
    model = request.model
    end = model.to_numpy(request.x).astype(np.float64)
    begin = np.broadcast_to(model.to_numpy(request.baseline(baseline)).astype(np.float64), end.shape)
    paths = [_Path(start, stop, fraction, distance) for start, stop in zip(begin, end, strict=True)]
    for step in range(steps):
        here = model.from_numpy(np.stack([path.x for path in paths]))
        gradients = model.to_numpy(Request(model, here, request.target_array).gradient())
        for path, gradient in zip(paths, gradients.astype(np.float64), strict=True):
            path.advance(gradient, (step + 1) / steps)
    return model.from_numpy(np.stack([path.attribution for path in paths]))


class _Path:
    """One sample's path from its baseline to itself; double precision, because thousands of small moves add up."""

    def __init__(self, begin: np.ndarray, end: np.ndarray, fraction: float, distance: float) -> None:
        self.begin, self.end = begin, end
        self.x = begin.copy()
        self.attribution = np.zeros_like(begin)
        self._fraction, self._distance = fraction, distance
        self._length = np.abs(end - begin).sum()

    def advance(self, gradient: np.ndarray, share: float) -> None:
        """Move until the path has covered its share of the L1 distance, along this gradient."""
        span = self.end - self.begin
        lowest = self.begin + max(share - self._distance, 0.0) * span
        highest = self.begin + min(share + self._distance, 1.0) * span
        behind = np.abs(self.x - self.begin) < np.abs(lowest - self.begin)
        self._move(np.where(behind, lowest, self.x), gradient)
        remaining = self._length * (1 - share)
        while (excess := np.abs(self.end - self.x).sum() - remaining) > 1e-9 * max(self._length, 1e-12):
            free = self.x != highest
            if not free.any():
                break
            # What has arrived counts among all values, of which a fraction moves, but cannot move itself.
            strength = np.where(free, np.abs(gradient), np.inf)
            equal = _ROUNDING * np.abs(gradient).max()
            chosen = free & (strength <= np.quantile(strength, self._fraction, method="lower") + equal)
            room = np.abs(highest - self.x)[chosen].sum()
            # All of the chosen to their limit, or as far as brings the path to its length.
            part = 1.0 if room <= excess else excess / room
            target = highest if part == 1.0 else self.x + part * (highest - self.x)
            self._move(np.where(chosen, target, self.x), gradient)

    def _move(self, target: np.ndarray, gradient: np.ndarray) -> None:
        self.attribution += (target - self.x) * gradient
        self.x = target
