"""Random subsets of the input: what a map says of each together, and how far the score drops without it.

Sensitivity-n, faithfulness correlation, mu-fidelity and infidelity all look at many random parts of an input. The
parts come from the bank, so they are the same for every sample, batch and framework; what the map says of them is one
matrix product; and the perturbed inputs go through the engine, made on the device from their masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.engine import Chunk, Maker
from ...models.queries import ScoreKind
from ...models.random_bank import LazyRows
from ..perturbing.fills import fill_of
from ..perturbing.perturbation import ORIGINAL, POSITION
from ..perturbing.ranking import CleanMaps
from ..perturbing.rounding import rounding_of
from ..perturbing.units import unit_labels
from ..scoring import Scoring

REGIONS = (POSITION, "patch:SIDE", "grid:CELLS")
"""The units that are the same for all samples, so that a subset of them is too."""

Correlation = Callable[[np.ndarray, np.ndarray], float]

_BLOCK = 64
"""Masks that are held at a time while attributions are summed."""

_GRAIN = 2.0**-51
"""Shares are rounded to multiples of this: float64 adds up such shares without any rounding."""


@dataclass(frozen=True)
class Responses:
    """What the maps and the network say of the same random parts."""

    sums: np.ndarray
    """float64 (parts, n): the part's attributions, added up."""
    drops: np.ndarray
    """float64 (parts, n): the sample's score less the score of the sample without the part."""
    rounding: np.ndarray
    """float64 (n,): differences between scores up to this are rounding."""

    def correlations(self, correlation: Correlation, parts: slice = slice(None)) -> np.ndarray:
        """Return each sample's correlation over some parts, float64 (n,).

        NaN where the sums are all equal (as those of a constant map are for subsets of one size) or the scores do not
        respond.
        """
        values = np.full(len(self.rounding), np.nan)
        for row, rounding in enumerate(self.rounding):
            drops = self.drops[parts, row]
            if np.ptp(drops) > rounding:
                values[row] = correlation(self.sums[parts, row], drops)
        return values


def original_scores(scoring: Scoring, score: ScoreKind) -> np.ndarray:
    """Return the score of each sample as it is, float64 (n,); the metric's `needs` must name ORIGINAL."""
    return np.array([reading.score(ORIGINAL, score) for reading in scoring.readings(POSITION)], np.float64)


def region_labels(scoring: Scoring, regions: str) -> np.ndarray:
    """Return which region each position lies in, int64 (*spatial), the same for all samples."""
    spatial = scoring.model.spatial_shape
    if regions == POSITION:
        return np.arange(math.prod(spatial)).reshape(spatial)
    labels: np.ndarray = unit_labels(scoring.model, scoring.x, regions)[0]
    return labels


def drawn(scoring: Scoring, stream: str, draw: Callable[[np.random.Generator, int], np.ndarray]) -> LazyRows:
    """Return numbered arrays over the positions, each made by ``draw`` (generator, number) when it is asked for."""
    bank = scoring.bank
    return LazyRows(lambda number: draw(bank.generator(stream, number), number))


def chosen(generator: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Return a random subset of a given size, boolean (count,)."""
    taken = np.zeros(count, bool)
    taken[generator.choice(count, size, replace=False, shuffle=False)] = True
    return taken


def removal_responses(scoring: Scoring, masks: LazyRows, count: int, fill: str, score: ScoreKind) -> Responses:
    """Return the responses to the removal of ``count`` numbered subsets.

    The sums are shares of the map's total magnitude, which are exact, so that equal sums are equal in whatever order
    they are added up: correlations do not see the scale, and rank correlations must see the ties.

    Parameters
    ----------
    scoring
        The samples and their maps.
    masks
        Numbered boolean (*spatial): what is removed.
    count
        How many.
    fill
        What stands in its place; one of `fills.CANVASES`.
    score
        What drops.
    """
    shares = exact_shares(CleanMaps.of(scoring.model, scoring.maps).addable)
    return responses(scoring, masks, count, shares, removing_from(scoring, masks, fill), score)


def responses(
    scoring: Scoring, parts: LazyRows, count: int, maps: np.ndarray, make: Maker, score: ScoreKind
) -> Responses:
    """Return the responses to ``count`` numbered parts (*spatial) that ``make`` takes out of the samples.

    ``maps`` is float64 (n, positions).
    """
    whole = original_scores(scoring, score)
    left = scoring.scores(make, count, score)
    rounding = [rounding_of(np.append(scores, known), score) for scores, known in zip(left.T, whole, strict=True)]
    return Responses(weighted_sums(parts, count, maps), whole - left, np.array(rounding))


def removing_from(scoring: Scoring, masks: LazyRows, fill: str) -> Maker:
    """Return what fills the masked positions of a chunk's samples; the chunk's variants number the masks."""
    model = scoring.model
    filling = fill_of(model, scoring.x, fill, scoring.seed, scoring.values)

    def make(rows: Tensor, chunk: Chunk) -> Tensor:
        gone = model.with_channel_axis(model.from_numpy(masks[chunk.variants]))
        return model.operations.where(gone, chunk.background(filling), rows)

    return make


def weighted_sums(parts: LazyRows, count: int, maps: np.ndarray) -> np.ndarray:
    """Return the sum of each map weighted by each part, float64 (count, n), for maps (n, positions)."""
    blocks = [np.arange(first, min(first + _BLOCK, count)) for first in range(0, count, _BLOCK)]
    sums = [parts[numbers].reshape(len(numbers), -1).astype(np.float64) @ maps.T for numbers in blocks]
    return np.concatenate(sums)


def exact_shares(maps: np.ndarray) -> np.ndarray:
    """Return maps (n, positions) as shares of their total magnitude, float64, rounded so that all sums are exact."""
    wide = maps.astype(np.float64)
    total = np.abs(wide).sum(axis=1, keepdims=True)
    return np.rint(wide / np.where(total > 0, total, 1.0) / _GRAIN) * _GRAIN
