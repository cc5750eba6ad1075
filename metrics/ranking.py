"""From maps to rankings: one order everywhere, and maps that give none are told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from ..models.base import Model
from ..models.tensors import Tensor
from .perturbations import MapFacts


@dataclass(frozen=True)
class Ranking:
    """The rankings of a batch of maps.

    Equal values rank in order of position, row by row, in both frameworks. NaN and negative infinity rank last,
    positive infinity first. A map that is not finite or is constant is degenerate: it is scored like any other, and
    reported.

    Attributes
    ----------
    ranks
        (n, *spatial) int on the device; 0 is the highest attribution.
    soft
        (n, *spatial) float32 on the device: each map's positive part scaled to [0, 1]; zero where that is constant
        or the map is not finite. Scaling a signed map as a whole would turn "no effect" into a half-transparent mask,
        under which noise hides nothing and scores best.
    facts
        One per map.
    degenerate
        ``constant``, ``non-finite`` or empty, one per map.
    """

    ranks: Tensor
    soft: Tensor
    facts: tuple[MapFacts, ...]
    degenerate: tuple[str, ...]

    @classmethod
    def of(cls, model: Model, maps: np.ndarray) -> Ranking:
        """Return the rankings of (n, *spatial) maps.

        Raises
        ------
        BadInput
            If the maps have another shape than the model's positions.
        """
        if maps.shape[1:] != model.spatial_shape:
            raise BadInput(
                f"The attributions have shape {maps.shape}; {model.name} needs (n, "
                f"{', '.join(map(str, model.spatial_shape))}): one value per position, without a channel axis."
            )
        values = np.asarray(maps, np.float32)
        count, positions = len(values), int(np.prod(values.shape[1:]))
        flat = values.reshape(count, positions)
        finite: np.ndarray = np.logical_and.reduce(np.isfinite(flat), axis=1)
        largest = np.finfo(np.float32).max
        flat = np.nan_to_num(flat, nan=-np.inf, posinf=np.inf, neginf=-np.inf).clip(-largest, largest)
        constant = np.equal(flat.min(axis=1), flat.max(axis=1))
        positive = np.maximum(flat, np.float32(0))
        low, high = positive.min(axis=1, keepdims=True), positive.max(axis=1, keepdims=True)
        visible = (low < high) & finite[:, None]
        soft = np.where(visible, (positive - low) / np.where(visible, high - low, np.float32(1)), np.float32(0))
        operations = model.operations
        ranks = operations.rank_descending(model.from_numpy(flat))
        return cls(
            operations.reshape(ranks, values.shape),
            model.from_numpy(soft.reshape(values.shape)),
            tuple(MapFacts(positions, int(row)) for row in (flat > 0).sum(axis=1)),
            tuple(
                "non-finite" if not ok else "constant" if flat_map else ""
                for ok, flat_map in zip(finite, constant, strict=True)
            ),
        )
