"""From maps to rankings: one order everywhere, and maps that give none are told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from ..models.base import Model
from ..models.tensors import Tensor
from .perturbations import POSITION, SOFT, MapFacts, Perturbation
from .units import unit_labels


@dataclass(frozen=True)
class CleanMaps:
    """A batch of maps, checked, and with NaN and infinity replaced.

    Attributes
    ----------
    flat
        (n, positions) float32: NaN and negative infinity are the lowest number, positive infinity is the highest.
    spatial
        The maps' shape.
    finite
        (n,) bool: whether a map had neither NaN nor infinity.
    degenerate
        ``constant``, ``non-finite`` or empty, one per map.
    """

    flat: np.ndarray
    spatial: tuple[int, ...]
    finite: np.ndarray
    degenerate: tuple[str, ...]

    @classmethod
    def of(cls, model: Model, maps: np.ndarray) -> CleanMaps:
        """Return the maps (n, *spatial), ready to be ranked.

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
        values = np.asarray(maps, np.float32).reshape(len(maps), -1)
        finite: np.ndarray = np.logical_and.reduce(np.isfinite(values), axis=1)
        largest = np.finfo(np.float32).max
        flat = np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf).clip(-largest, largest)
        constant = np.equal(flat.min(axis=1), flat.max(axis=1))
        degenerate = tuple(
            "non-finite" if not ok else "constant" if same else "" for ok, same in zip(finite, constant, strict=True)
        )
        return cls(flat, model.spatial_shape, finite, degenerate)

    def mask(self, prefix: str) -> np.ndarray:
        """Return each map, or its positive part for ``soft:``, scaled to [0, 1]: float32 (n, *spatial).

        Zero where that is constant or the map is not finite. Scaling a signed map as a whole turns "no effect" into a
        half-transparent mask, under which noise hides nothing and scores best: hence the positive part.
        """
        values = np.maximum(self.flat, np.float32(0)) if prefix == SOFT else self.flat
        low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
        visible = (low < high) & self.finite[:, None]
        span = np.where(visible, high - np.where(visible, low, 0), np.float32(1))
        scaled = np.where(visible, (values - low) / span, np.float32(0))
        return np.asarray(scaled, np.float32).reshape(-1, *self.spatial)


@dataclass(frozen=True)
class Ranking:
    """The rankings of a batch of maps by one unit.

    Regions are ranked by their mean attribution. Equal values rank in order of position (or of region), row by row,
    in both frameworks. NaN and negative infinity rank last, positive infinity first. A map that is not finite or is
    constant is degenerate: it is scored like any other, and reported.

    Attributes
    ----------
    ranks
        float32 (n, *spatial) on the device: each position's rank, or its region's; 0 is the highest attribution.
        Half the size of what sorting gives, and exact up to 2^24 positions.
    facts
        One per map.
    cumulated
        One float64 (units + 1,) array per map: the sum of the attributions of the top-ranked units.
    """

    ranks: Tensor
    facts: tuple[MapFacts, ...]
    cumulated: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, model: Model, maps: CleanMaps, x: Tensor, unit: str = POSITION) -> Ranking:
        """Return the rankings of a batch of maps.

        Parameters
        ----------
        model, maps, x
            The model, the maps, and the samples that they belong to.
        unit
            What is ranked: see `metrics/units.py`.
        """
        if unit == POSITION:
            sorted_places = model.operations.rank_descending(model.from_numpy(maps.flat))
            places = model.to_numpy(sorted_places)
            ranks = model.operations.to_float(sorted_places)
            ordered = [_ordered(row, place) for row, place in zip(maps.flat, places, strict=True)]
        else:
            labels = unit_labels(model, x, unit).reshape(maps.flat.shape)
            found = [_of_regions(row, label) for row, label in zip(maps.flat, labels, strict=True)]
            ordered = [sums for _, sums in found]
            ranks = model.from_numpy(np.stack([place for place, _ in found]).astype(np.float32))
        cumulated = tuple(np.concatenate([[0.0], np.cumsum(sums)]) for sums in ordered)
        return cls(
            model.operations.reshape(ranks, (len(maps.flat), *maps.spatial)),
            tuple(_facts(sums, unit) for sums in ordered),
            cumulated,
        )

    def relevance(self, row: int, item: Perturbation) -> float:
        """Return the sum of the attributions that a perturbation of one sample keeps."""
        total = self.cumulated[row]
        if not item.fill:
            return float(total[-1])
        kept = total[item.high] - total[item.low]
        return float(kept if item.low <= item.high else total[-1] + kept)


def _ordered(values: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the values from the highest to the lowest, float64."""
    ordered = np.empty(len(values), np.float64)
    ordered[ranks] = values
    return ordered


def _of_regions(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each position's region's rank by mean attribution, and the regions' sums in that order."""
    sums, sizes = np.bincount(labels, values.astype(np.float64)), np.bincount(labels)
    order = np.argsort(-sums / sizes, kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks[labels], sums[order]


def _facts(ordered: np.ndarray, unit: str) -> MapFacts:
    positive = ordered[ordered > 0]
    quantiles: tuple[int, ...] = ()
    if len(positive):
        share = np.cumsum(positive) / positive.sum()
        share[-1] = 1.0  # rounding must not leave the last percent out of reach
        counts = np.searchsorted(share, np.arange(1, 101) / 100) + 1
        quantiles = (0, *(int(count) for count in counts))
    return MapFacts(len(ordered), len(positive), quantiles, unit)
