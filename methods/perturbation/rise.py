"""RISE: the mean of random masks, weighted by the score that each leaves."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.engine import Chunk
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...models.random_bank import RandomBank
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

Cells = Annotated[
    int,
    Doc(
        "cells of the coarse grid along each axis",
        says="from a grid of {} cells along each axis",
        source="Petsiuk et al. 2018",
        low=1,
    ),
]
_BLOCK = 64
"""Masks that are held at a time while the scores are summed up."""


class SmoothMasks:
    """RISE's masks: random coarse grids, enlarged linearly and shifted by less than a cell.

    A mask is made on the device from its grid and one interpolation matrix per axis, so that thousands of masks
    need no memory beyond a chunk.
    """

    def __init__(self, request: Request, cells: int, probability: float) -> None:
        self._request = request
        self._spatial = request.model.spatial_shape
        self._cells = cells
        axes = len(self._spatial)
        bank: RandomBank = request.bank
        self._draws = bank.rows("rise", lambda generator: generator.random(cells**axes + axes))
        self._probability = probability
        fine, coarse = "hwd"[:axes], "abe"[:axes]
        each = ",".join(f"m{to}{of}" for to, of in zip(fine, coarse, strict=True))
        self._equation = f"{each},m{coarse}->m{fine}"

    def __getitem__(self, numbers: np.ndarray) -> Tensor:
        """Return the masks with these numbers, (m, *spatial), in [0, 1]."""
        model, axes = self._request.model, len(self._spatial)
        draws = self._draws[numbers]
        grids = (draws[:, :-axes] < self._probability).astype(np.float32).reshape(-1, *(self._cells,) * axes)
        weights = [self._enlarging(size, draws[:, axis - axes]) for axis, size in enumerate(self._spatial)]
        return model.operations.einsum(self._equation, *(model.from_numpy(item) for item in (*weights, grids)))

    def _enlarging(self, size: int, shift: np.ndarray) -> np.ndarray:
        """Return (m, size, cells): each position's weights of the grid's cells along one axis.

        The grid is enlarged to one cell more than the input, and the input's window begins anywhere in the first.
        """
        cell = math.ceil(size / self._cells)
        begin = np.floor(shift * cell)[:, None]
        place = (np.arange(size)[None] + begin + 0.5) * self._cells / ((self._cells + 1) * cell) - 0.5
        place = np.clip(place, 0, self._cells - 1)
        distance = np.abs(place[:, :, None] - np.arange(self._cells))
        weights: np.ndarray = np.maximum(0, 1 - distance).astype(np.float32)
        return weights


@register_method(
    "rise",
    title="RISE",
    family="perturbation",
    signed=False,
    pooling="none",
    cost="`masks` forward passes",
    reference=Reference("Petsiuk, Das, Saenko", 2018, "RISE: Randomized Input Sampling", "1806.07421"),
)
def rise(
    request: Request,
    *,
    masks: Annotated[
        int, Doc("random masks", says="{} random masks", source="Petsiuk et al. 2018: 4000 for VGG16", low=1)
    ] = 4000,
    cells: Cells = 7,
    probability: Annotated[
        float,
        Doc(
            "of a cell to be kept",
            says="a cell is kept with a probability of {}",
            source="Petsiuk et al. 2018",
            low=0.001,
            high=1,
        ),
    ] = 0.5,
    baseline: Annotated[
        str | float | np.ndarray,
        Doc("what shows where the mask is zero", says="what is masked shows {}", source="heatmark", choices=BASELINES),
    ] = NEUTRAL,
) -> Tensor:
    """The mean of random smooth masks, weighted by the target's probability for the masked input.

    Formula
    -------
    R = 1 / (N p) sum_i f(x * m_i) m_i, m_i smooth random masks kept with probability p

    Weaknesses
    ----------
    Thousands of passes, or noise; coarse, since masks are.
    """
    operations = request.operations
    smooth = SmoothMasks(request, cells, probability)
    fill = request.baseline(baseline)

    def masked(x: Tensor, chunk: Chunk) -> Tensor:
        numbers, places = np.unique(chunk.variants, return_inverse=True)
        here = chunk.background(fill)
        return request.masked(operations.take(smooth[numbers], places), x, here)

    scores = request.scores(masked, masks)
    letters = "hwd"[: len(request.model.spatial_shape)]
    total = operations.zeros((request.count, *request.model.spatial_shape))
    for first in range(0, masks, _BLOCK):
        numbers = np.arange(first, min(first + _BLOCK, masks))
        total = total + operations.einsum(f"vn,v{letters}->n{letters}", scores[first : first + _BLOCK], smooth[numbers])
    return total / (masks * probability)
