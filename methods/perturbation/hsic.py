"""HSIC attribution: how much the score depends on whether each cell of a grid is shown."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import NEUTRAL
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .grid_masks import Cells, Fill, Grid, Score, is_constant


@register_method(
    "hsic",
    title="HSIC",
    family="perturbation",
    signed=False,
    pooling="none",
    cost="`masks` forward passes",
    reference=Reference("Novello, Fel, Vigouroux", 2022, "Making Sense of Dependence", "2206.06219"),
)
def hsic(
    request: Request,
    *,
    masks: Annotated[int, Doc("random masks", says="{} random masks", source="Xplique: 500", low=2)] = 500,
    cells: Cells = 8,
    baseline: Fill = NEUTRAL,
    score: Score = "probability",
) -> Tensor:
    """The Hilbert-Schmidt independence criterion between each cell's visibility and the score.

    Visibilities are zero or one, each in half of the masks (a binary Latin hypercube), with the kernel
    1.5 - (a - b)^2; the score has a Gaussian kernel as wide as the median distance between scores.

    Formula
    -------
    R_c = HSIC(visibility of the cell c, f) over random masks

    Weaknesses
    ----------
    Says that the score depends on a cell, not in which direction.
    """
    grid = Grid.over(request, cells)
    shown = binary_hypercube(grid.size, masks, request.bank.generator("hsic"))
    scores = grid.scores(shown, baseline, score)
    return grid.map(np.stack([dependence(shown, of_sample) for of_sample in scores.T]))


def binary_hypercube(variables: int, masks: int, generator: np.random.Generator) -> np.ndarray:
    """Return zeros and ones (masks, variables); each variable is one in half of the masks, in random order."""
    halves = np.tile((np.arange(masks) < masks // 2)[:, None], (1, variables))
    return generator.permuted(halves, axis=0).astype(np.float64)


def dependence(shown: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return tr(K H L H) / masks^2 for each variable, (variables,), at least zero.

    Parameters
    ----------
    shown
        Zeros and ones (masks, variables).
    scores
        (masks,).
    """
    masks = len(scores)
    if is_constant(scores):
        return np.zeros(shown.shape[1])
    distances = np.abs(scores[:, None] - scores)
    width = np.median(distances[np.triu_indices(masks, 1)])
    width = width if width > 0 else distances.max()
    kernel = np.exp(-((distances / width) ** 2) / 2)
    centred = kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()
    # For zeros and ones, 1.5 - (a - b)^2 is 1 + s t / 2 with signs s = 2a - 1 and t = 2b - 1, and centring takes the
    # constant away: the trace is a quadratic form in the signs.
    signs = 2 * shown - 1
    trace: np.ndarray = np.maximum(0.5 * np.einsum("md,mk,kd->d", signs, centred, signs, optimize=True), 0.0)
    return trace / masks**2
