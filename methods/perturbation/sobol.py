"""Sobol attribution: the share of the score's variance that each cell of a grid has a part in."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...errors import BadInput
from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import NEUTRAL
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .grid_masks import Cells, Fill, Grid, Score, is_constant


@register_method(
    "sobol",
    title="Sobol",
    family="perturbation",
    signed=False,
    pooling="none",
    cost="`designs` x (cells of the grid + 2) forward passes",
    reference=Reference("Fel et al.", 2021, "Look at the Variance! Sobol-based Sensitivity Analysis", "2111.04138"),
)
def sobol(
    request: Request,
    *,
    designs: Annotated[
        int,
        Doc(
            "random masks in each of two designs, a power of two",
            says="two designs of {} random masks",
            source="Xplique: 32",
            low=2,
        ),
    ] = 32,
    cells: Cells = 8,
    baseline: Fill = NEUTRAL,
    score: Score = "probability",
) -> Tensor:
    """The total-order Sobol index of each cell when cells fade independently and uniformly (Jansen's estimator).

    Raises
    ------
    BadInput
        If ``designs`` is not a power of two.

    Formula
    -------
    R_c = mean of (f(A) - f(A with c of B))^2 / (2 var f), A and B random masks

    Weaknesses
    ----------
    Total influence without a sign; with few masks noisy.
    """
    if designs & (designs - 1):
        raise BadInput(f"sobol: designs={designs} is not a power of two; a Sobol sequence is only balanced for those.")
    grid = Grid.over(request, cells)
    masks = replicated_designs(grid.size, designs, request.bank.generator("sobol"))
    return grid.map(total_indices(grid.scores(masks, baseline, score), designs))


def replicated_designs(variables: int, designs: int, generator: np.random.Generator) -> np.ndarray:
    """Return the designs A, B and, for each variable, A with that variable from B, below each other.

    Their shape is (designs x (variables + 2), variables). A and B are the halves of one Sobol sequence, shifted at
    random (modulo one): the bare sequence begins with zero and then one half in every variable, which tells little.
    """
    from scipy.stats import qmc

    points = qmc.Sobol(2 * variables, scramble=False).random(designs)
    points = (points + generator.random(2 * variables)) % 1.0
    first, second = points[:, :variables], points[:, variables:]
    replaced = np.repeat(first[None], variables, axis=0)
    numbers = np.arange(variables)
    replaced[numbers, :, numbers] = second.T
    return np.concatenate([first, second, replaced.reshape(-1, variables)])


def total_indices(scores: np.ndarray, designs: int) -> np.ndarray:
    """Return Jansen's estimate of each variable's total-order index, (n, variables), at least zero.

    Parameters
    ----------
    scores
        (designs x (variables + 2), n), in the order of `replicated_designs`.
    designs
        Rows of each design.
    """
    first, replaced = scores[:designs], scores[2 * designs :].reshape(-1, designs, scores.shape[1])
    changes = ((first - replaced) ** 2).mean(axis=1) / 2
    # The rows of every design are uniform, so all scores tell of the variance. One that never changes has none.
    variance = scores.var(axis=0, ddof=1)
    variance[is_constant(scores)] = np.inf
    indices: np.ndarray = (changes / variance).T
    return indices
