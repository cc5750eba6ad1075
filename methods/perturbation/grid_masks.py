"""Scores under masks that are constant on the cells of a coarse grid, for global sensitivity analysis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.engine import Chunk
from ...models.inputs.baselines import BASELINES
from ...models.inputs.regions import grid_labels
from ...models.queries import ScoreKind
from ...parameters import Doc
from ..request import Request

Cells = Annotated[
    int, Doc("cells of the grid along each axis", says="a grid of {} cells along each axis", source="Xplique: 8", low=1)
]
Fill = Annotated[
    str | float | np.ndarray,
    Doc(
        "what shows where a mask is zero",
        says="what is masked shows {}",
        source="Xplique: inpainting with zero",
        choices=BASELINES,
    ),
]
Score = Annotated[ScoreKind, Doc("what is analysed", says="read is {}", source="as RISE")]


@dataclass(frozen=True)
class Grid:
    """A coarse grid over the positions of one request's samples."""

    request: Request
    """The samples."""
    shape: tuple[int, ...]
    """The cells along each spatial axis."""

    @classmethod
    def over(cls, request: Request, cells: int) -> Grid:
        """Return a grid of ``cells`` along each axis, or of every position where an axis is shorter.

        Raises
        ------
        NotApplicable
            For inputs with more than two spatial axes.
        """
        spatial = request.model.spatial_shape
        if len(spatial) > 2:
            raise NotApplicable(f"Grids are laid over pictures and series, and {spatial} is neither.")
        return cls(request, tuple(min(cells, size) for size in spatial))

    @property
    def size(self) -> int:
        """The number of cells."""
        return math.prod(self.shape)

    def scores(self, masks: np.ndarray, baseline: str | float | np.ndarray, score: ScoreKind) -> np.ndarray:
        """Return every sample's score under every mask, float64 (masks, n).

        Parameters
        ----------
        masks
            (masks, cells) in [0, 1]: how much of the sample each cell shows; the rest is the baseline's.
        baseline
            As in `baseline_of`.
        score
            What is read off the network.
        """
        request, model, operations = self.request, self.request.model, self.request.operations
        spatial = model.spatial_shape
        fill = request.baseline(baseline)
        places = model.from_numpy(grid_labels(spatial, self.shape).reshape(1, -1))

        def masked(x: Tensor, chunk: Chunk) -> Tensor:
            numbers, rows = np.unique(chunk.variants, return_inverse=True)
            cells = model.from_numpy(masks[numbers])
            everywhere = operations.take(places, np.zeros(len(numbers), np.int64))
            whole = operations.reshape(operations.take_along_rows(cells, everywhere), (len(numbers), *spatial))
            return request.masked(operations.take(whole, rows), x, chunk.background(fill))

        return model.to_numpy(request.scores(masked, len(masks), score)).astype(np.float64)

    def map(self, values: np.ndarray) -> Tensor:
        """Return (n, cells) values as maps of the input's size, linearly between the cells' centres."""
        cells = values.reshape(len(values), *self.shape).astype(np.float32)
        return self.request.upsampled(self.request.model.from_numpy(cells))


def is_constant(scores: np.ndarray) -> np.ndarray:
    """Return whether scores (masks, ...) differ by no more than float32 rounding, boolean (...)."""
    constant: np.ndarray = np.ptp(scores, axis=0) <= 1e-6 * np.abs(scores).max(axis=0)
    return constant
