"""From maps to rankings: one order everywhere, and maps that give none are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...errors import BadInput
from ...models.arrays.operations import Tensor
from ...models.base import Model
from .perturbation import POSITION, SOFT, MapFacts, Perturbation
from .units import unit_labels

_RANKED_AT_ONCE = 2**17
"""Positions; what sorting needs for a moment is several times the size of the maps that are sorted."""


@dataclass(frozen=True)
class CleanMaps:
    """A batch of maps, checked, and with NaN and infinity replaced."""

    flat: np.ndarray
    """(n, positions) float32: NaN and negative infinity are the lowest number, positive infinity is the highest."""
    spatial: tuple[int, ...]
    """The maps' shape."""
    finite: np.ndarray
    """(n,) bool: whether a map had neither NaN nor infinity."""
    degenerate: tuple[str, ...]
    """``constant``, ``non-finite`` or empty, one per map."""

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
        largest = float(np.finfo(np.float32).max)
        flat = values if finite.all() else np.nan_to_num(values, nan=-largest, posinf=largest, neginf=-largest)
        constant = np.equal(flat.min(axis=1), flat.max(axis=1))
        degenerate = tuple(
            "non-finite" if not ok else "constant" if same else "" for ok, same in zip(finite, constant, strict=True)
        )
        return cls(flat, model.spatial_shape, finite, degenerate)

    @cached_property
    def addable(self) -> np.ndarray:
        """The maps for sums: what is not finite is next to the largest or smallest number that is, (n, positions).

        So it ranks as in ``flat``, but does not swamp the rest.
        """
        if self.finite.all():
            return self.flat
        largest = np.finfo(np.float32).max
        known = np.abs(self.flat) < largest
        low, high = (
            np.where(known.any(axis=1), end, np.float32(0))[:, None]
            for end in (
                self.flat.min(axis=1, where=known, initial=largest),
                self.flat.max(axis=1, where=known, initial=-largest),
            )
        )
        return self.flat.clip(np.nextafter(low, -largest), np.nextafter(high, largest))

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
    """

    ranks: Tensor
    """float32 (n, *spatial) on the device: each position's rank, or its region's; 0 is the highest attribution. Half
    the size of what sorting gives, and exact up to 2^24 positions.
    """
    facts: tuple[MapFacts, ...]
    """One per map."""
    cumulated: tuple[np.ndarray, ...]
    """One float64 (units + 1,) array per map: the sum of the attributions of the top-ranked units."""

    @classmethod
    def of(cls, model: Model, maps: CleanMaps, x: Tensor, unit: str = POSITION) -> Ranking:
        """Return the rankings of a batch of maps.

        Parameters
        ----------
        model, maps, x
            The model, the maps, and the samples that they belong to.
        unit
            What is ranked: see `metrics/perturbing/units.py`.
        """
        ranked = _of_positions(model, maps) if unit == POSITION else _of_regions(model, maps, x, unit)
        facts: list[MapFacts] = []
        cumulated: list[np.ndarray] = []

        def ranks() -> Iterator[tuple[Tensor]]:
            for places, ordered in ranked:
                facts.extend(_facts(values, unit) for values in ordered)
                cumulated.extend(np.concatenate([[0.0], np.cumsum(values)]) for values in ordered)
                yield (places,)

        (collected,) = model.operations.collect(ranks(), len(maps.flat))
        shape = (len(maps.flat), *maps.spatial)
        return cls(model.operations.reshape(collected, shape), tuple(facts), tuple(cumulated))

    def relevance(self, row: int, item: Perturbation) -> float:
        """Return the sum of the attributions that a perturbation of one sample keeps."""
        total = self.cumulated[row]
        if not item.fill:
            return float(total[-1])
        kept = total[item.high] - total[item.low]
        return float(kept if item.low <= item.high else total[-1] + kept)


def _of_positions(model: Model, maps: CleanMaps) -> Iterator[tuple[Tensor, list[np.ndarray]]]:
    """Yield, for a few maps after another, the positions' ranks and the attributions from high to low, float64."""
    count = max(1, _RANKED_AT_ONCE // maps.flat.shape[1])
    for first in range(0, len(maps.flat), count):
        some = slice(first, first + count)
        places = model.operations.rank_descending(model.from_numpy(maps.flat[some]))
        ordered = np.empty(maps.flat[some].shape, np.float64)
        np.put_along_axis(ordered, model.to_numpy(places), maps.addable[some], axis=1)
        yield model.operations.to_float(places), list(ordered)


def _of_regions(model: Model, maps: CleanMaps, x: Tensor, unit: str) -> Iterator[tuple[Tensor, list[np.ndarray]]]:
    """Yield each position's region's rank by mean attribution, and the regions' sums in that order, map by map."""
    labels_of_all = unit_labels(model, x, unit).reshape(maps.flat.shape)
    for values, addable, labels in zip(maps.flat, maps.addable, labels_of_all, strict=True):
        sums, sizes = np.bincount(labels, values.astype(np.float64)), np.bincount(labels)
        order = np.argsort(-sums / sizes, kind="stable")
        ranks = np.empty(len(order), np.float32)
        ranks[order] = np.arange(len(order))
        ordered = sums if addable is values else np.bincount(labels, addable.astype(np.float64))
        yield model.from_numpy(ranks[labels][None]), [ordered[order]]


def _facts(ordered: np.ndarray, unit: str) -> MapFacts:
    positive = ordered[ordered > 0]
    quantiles: tuple[int, ...] = ()
    if len(positive):
        share = np.cumsum(positive) / positive.sum()
        share[-1] = 1.0  # rounding must not leave the last percent out of reach
        counts = np.searchsorted(share, np.arange(1, 101) / 100) + 1
        quantiles = (0, *(int(count) for count in counts))
    return MapFacts(len(ordered), len(positive), quantiles, unit)
