"""Extremal perturbations: the smooth mask of a given area that leaves the score highest."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...errors import BadInput, NotApplicable
from ...models.arrays.operations import Tensor
from ...models.engine import Chunk, Pairs
from ...models.inputs.baselines import BASELINES
from ...models.queries import Query, ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

_LEARNING_RATE, _MOMENTUM = 0.01, 0.9
_AREA_WEIGHT, _AREA_GROWTH = 300.0, 1.0035
_COLDNESS = 20.0
"""The authors' optimisation: gradient ascent with damped momentum; the weight of the area's error and its growth in
each step; how close the smooth maximum is to the maximum."""
_AUTHORS_CELLS = 38**2
"""The cells of the authors' grid, 32 with a margin of 3. Slopes are inversely proportional to the number of cells, so
steps are made proportional to it, and a coarser or finer grid takes the same course."""


@register_method(
    "extremal_perturbation",
    title="Extremal Perturbation",
    family="perturbation",
    signed=False,
    pooling="none",
    needs=["gradients"],
    cost="`steps` forward and backward passes for each area",
    reference=Reference(
        "Fong, Patrick, Vedaldi",
        2019,
        "Understanding Deep Networks via Extremal Perturbations and Smooth Masks",
        "1910.08485",
    ),
    presets={"several_areas": {"areas": "0.025+0.05+0.1+0.2"}},
)
def extremal_perturbation(
    request: Request,
    *,
    areas: Annotated[
        str | float,
        Doc(
            "the share of positions to be shown; several as 0.05+0.1+0.2",
            says="the share of positions that is shown: {}",
            source="TorchRay: 0.1",
        ),
    ] = 0.1,
    steps: Annotated[
        int, Doc("steps of the optimisation", says="{} steps of the optimisation", source="TorchRay: 800", low=1)
    ] = 800,
    cells: Annotated[
        int,
        Doc(
            "cells of the mask's grid along the shorter side",
            says="a mask of {} cells along the shorter side",
            source="TorchRay: one for 7 of 224 px",
            low=1,
        ),
    ] = 32,
    width: Annotated[
        float,
        Doc(
            "of the bumps, as a share of the shorter side",
            says="smooth bumps of {%} of that side",
            source="TorchRay: 21 of 224 px",
            low=0,
            high=1,
        ),
    ] = 0.09375,
    baseline: Annotated[
        str | float | np.ndarray,
        Doc(
            "what shows where the mask is zero",
            says="what is masked shows {}",
            source="TorchRay: blur",
            choices=BASELINES,
        ),
    ] = "blur",
    score: Annotated[
        ScoreKind, Doc("what is kept high", says="{} is kept high", source="TorchRay: before the softmax")
    ] = "logit",
) -> Tensor:
    """The mask that keeps the score highest while it shows a given share of the sample; the mean over areas.

    A mask lives on a coarse grid, where a smooth maximum of bumps keeps it from being ragged, and is enlarged linearly.
    The authors smooth at full size, blur more or less where a mask is between zero and one instead of blending with
    one blurred copy, and mirror every second copy, which has no meaning for series, digits and much else.

    Raises
    ------
    BadInput
        If an area is no number above 0 and below 1.

    Formula
    -------
    R = the smooth mask of a given area that keeps f(x * m + (1 - m) blur) highest

    Weaknesses
    ----------
    An optimisation: slow, and it can find masks that please the network and no one else.
    """
    model, operations = request.model, request.operations
    spatial = model.spatial_shape
    if len(spatial) > 2:
        raise NotApplicable(f"Masks are made for pictures and series, and {spatial} is neither.")
    wanted = _areas(areas)
    masks = SmoothMask(tuple(max(1, round(cells * size / min(spatial))) for size in spatial), spatial, width)
    fill = request.baseline(baseline)
    enlarging = [model.from_numpy(matrix) for matrix in masks.enlarging]
    letters = "hw"[: len(spatial)]
    enlarge = ",".join(f"{letter}{letter.upper()}" for letter in letters)
    up, down = f"m{letters.upper()},{enlarge}->m{letters}", f"m{letters},{enlarge}->m{letters.upper()}"

    pairs = Pairs.grid(request.count, len(wanted))
    shares = np.repeat(wanted, request.count)
    query = Query(score, input_gradient=True)
    optimiser = Ascent(np.ones((len(pairs), *masks.grid)), _LEARNING_RATE * masks.cells / _AUTHORS_CELLS)
    for step in range(steps):
        smooth = masks.of(optimiser.values)
        inside = masks.inside(smooth.values)

        def masked(x: Tensor, chunk: Chunk, inside: np.ndarray = inside) -> Tensor:
            whole = operations.einsum(up, chunk.of_pairs(inside), *enlarging)
            return request.masked(whole, x, chunk.background(fill))

        rewards = []
        for chunk, answer in model.engine.stream(query, request.x, request.target, pairs, masked):
            shown = chunk.of_samples(request.x) - chunk.background(fill)
            # The picture is fill + mask (x - fill), so that is what the mask's slope is made of.
            slope = shown * answer.input_gradient
            slope = slope if model.channel_axis is None else operations.sum(slope, axis=model.channel_axis)
            rewards.append(operations.einsum(down, slope, *enlarging))
        reward = model.to_numpy(operations.concat(rewards)).astype(np.float64)
        slope_of_area = area_slope(smooth.values, smooth.highest, shares * masks.share_inside)
        ascent = masks.with_margin(reward) - _AREA_WEIGHT * _AREA_GROWTH**step * slope_of_area
        optimiser.climb(masks.adjoint(ascent, smooth.slopes))
    final = masks.inside(masks.of(optimiser.values).values)
    mean = final.reshape(len(wanted), request.count, *masks.grid).mean(axis=0)
    return operations.einsum(up, model.from_numpy(mean), *enlarging)


@dataclass(frozen=True)
class Smooth:
    """Masks with their margin, and what else is known of them."""

    values: np.ndarray
    """(m, *wide): the smooth maximum of the bumps."""
    highest: np.ndarray
    """(m, *wide): their maximum."""
    slopes: np.ndarray
    """(offsets, m, *wide): how each value changes with the neighbour at each offset."""


class SmoothMask:
    """Masks made of bumps round the cells of a coarse grid, whose smooth maximum each position shows.

    The bumps also show in a margin round the input, where they count for the area: else a mask would crouch at the
    border, where half of a bump costs nothing.

    Parameters
    ----------
    grid
        The cells along each axis.
    spatial
        The size that masks are enlarged to.
    width
        Of the bumps, as a share of the shorter side; half of it is flat.

    Attributes
    ----------
    enlarging
        For each axis, float32 (size, cells): the weights of the linear interpolation.
    """

    def __init__(self, grid: tuple[int, ...], spatial: tuple[int, ...], width: float) -> None:
        self.grid = tuple(min(cells, size) for cells, size in zip(grid, spatial, strict=True))
        self.enlarging = [_interpolation(cells, size) for cells, size in zip(self.grid, spatial, strict=True)]
        in_cells = max(width * min(self.grid), 1e-3)
        self._margin = math.ceil(in_cells)
        self._radius = 1 + self._margin
        self._wide = tuple(size + 2 * self._margin for size in self.grid)
        span = range(-self._radius, self._radius + 1)
        self._offsets = list(itertools.product(span, repeat=len(self.grid)))
        distances = np.linalg.norm(np.array(self._offsets, np.float64), axis=1) / in_cells
        # A bump is flat up to half its width and falls off as a Gaussian.
        self._heights = np.exp(-2 * np.maximum(distances - 0.5, 0) ** 2)

    @property
    def cells(self) -> int:
        """The number of cells of a smooth mask, with its margin."""
        return math.prod(self._wide)

    @property
    def share_inside(self) -> float:
        """The share of those cells that lies inside the input."""
        return math.prod(self.grid) / self.cells

    def of(self, values: np.ndarray) -> Smooth:
        """Return the smooth masks, with margin, of (m, *grid) values in [0, 1]."""
        padded = np.pad(values, self._padding(self._margin + self._radius))
        bumps = np.stack(
            [height * padded[self._shifted(by)] for by, height in zip(self._offsets, self._heights, strict=True)]
        )
        shares = np.exp(_COLDNESS * (bumps - 1))
        shares /= shares.sum(axis=0)
        smooth = (shares * bumps).sum(axis=0)
        slopes = shares * (1 + _COLDNESS * (bumps - smooth))
        slopes *= self._heights.reshape(-1, *(1,) * values.ndim)
        return Smooth(smooth, bumps.max(axis=0), slopes)

    def adjoint(self, gradient: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Return the gradient with respect to the values from that with respect to the smooth masks with margin."""
        total = np.pad(np.zeros_like(gradient), self._padding(self._radius))
        for by, slope in zip(self._offsets, slopes, strict=True):
            total[self._shifted(by)] += slope * gradient
        return self._cropped(total, self._margin + self._radius)

    def inside(self, smooth: np.ndarray) -> np.ndarray:
        """Return smooth masks without their margin, (m, *grid)."""
        return self._cropped(smooth, self._margin)

    def with_margin(self, gradient: np.ndarray) -> np.ndarray:
        """Return (m, *grid) with a margin of zeros: the adjoint of `inside`."""
        return np.pad(gradient, self._padding(self._margin))

    def _padding(self, width: int) -> list[tuple[int, int]]:
        return [(0, 0), *[(width, width)] * len(self.grid)]

    def _shifted(self, by: tuple[int, ...]) -> tuple[slice, ...]:
        """Return where the neighbours at an offset lie in a smooth mask that is padded by the radius."""
        starts = [self._radius + step for step in by]
        return (slice(None), *(slice(start, start + size) for start, size in zip(starts, self._wide, strict=True)))

    @staticmethod
    def _cropped(array: np.ndarray, width: int) -> np.ndarray:
        return array[(slice(None), *[slice(width, -width)] * (array.ndim - 1))]


class Ascent:
    """Gradient ascent with damped momentum on values that stay in [0, 1]; the first step is not damped.

    Parameters
    ----------
    values
        Where it begins.
    rate
        The learning rate.

    Attributes
    ----------
    values
        Where it stands, float64.
    """

    def __init__(self, values: np.ndarray, rate: float) -> None:
        self.values = values
        self._rate = rate
        self._momentum: np.ndarray | None = None

    def climb(self, gradient: np.ndarray) -> None:
        """Take one step."""
        before = gradient if self._momentum is None else self._momentum
        self._momentum = _MOMENTUM * before + (1 - _MOMENTUM) * gradient
        self.values = np.clip(self.values + self._rate * self._momentum, 0, 1)


def area_slope(masks: np.ndarray, ranked: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return the gradient of each mask's area error, (m, *cells).

    The error is the mean squared difference between a mask's sorted values and zeros followed by ones, the ones being
    the wanted share. Cells of equal rank share the ones, so that no place is preferred without a reason.

    Parameters
    ----------
    masks
        (m, *cells) in [0, 1].
    ranked
        (m, *cells): what the cells are sorted by. A smooth maximum is a little higher near borders, where it has fewer
        bumps to average; the maximum itself is level there.
    areas
        (m,) shares.
    """
    slopes = []
    for mask, heights, area in zip(masks, ranked, areas, strict=True):
        _, groups, sizes = np.unique(heights.round(9), return_inverse=True, return_counts=True)
        ones = np.clip(sizes.cumsum() - np.floor(mask.size * (1 - area)), 0, sizes)
        slopes.append(2 / mask.size * (mask - (ones / sizes)[groups].reshape(mask.shape)))
    return np.stack(slopes)


def _areas(areas: str | float) -> np.ndarray:
    """Return the wanted shares from a number or from numbers joined by plus signs."""
    try:
        wanted = np.array([float(area) for area in str(areas).split("+")])
    except ValueError:
        wanted = np.zeros(1)
    if not ((wanted > 0) & (wanted < 1)).all():
        raise BadInput(
            f"extremal_perturbation: areas={areas!r}; give a share above 0 and below 1, or several as 0.05+0.1."
        )
    return wanted


def _interpolation(cells: int, size: int) -> np.ndarray:
    """Return (size, cells): each position's weights of the cells, linear between their centres."""
    places = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    weights: np.ndarray = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(cells))).astype(np.float32)
    return weights
