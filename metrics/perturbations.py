"""Perturbed inputs as data: which positions of a ranking are kept, and what stands in the others' place.

Deletion, insertion, necessity and sufficiency ordering, MoRF, LeRF and their kin all look at inputs of one form: the
positions whose rank (0 for the highest attribution) lies in [low, high) are kept, the others are filled. Removing the
least relevant 30 % is keeping the top 70 %, so metrics that ask for the same perturbation share its evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..models.queries import ScoreKind

SOFT = "soft:"
"""Prefix of the fill of a soft perturbation: the map's positive part, scaled to [0, 1], is the mask."""


@dataclass(frozen=True, order=True)
class Perturbation:
    """One way to perturb a sample, given its ranking.

    Attributes
    ----------
    fill
        What stands where nothing is kept (see `metrics/fills.py`); empty when everything is kept; with the prefix
        ``soft:`` each position fades to the fill as its attribution's positive part, scaled to [0, 1], falls.
    low, high
        The ranks kept: low <= rank < high; -1 for soft perturbations.
    """

    fill: str
    low: int
    high: int

    @property
    def is_soft(self) -> bool:
        """Whether the map itself is the mask."""
        return self.fill.startswith(SOFT)


ORIGINAL = Perturbation("", 0, 0)
"""The sample as it is."""


def keeping(low: int, high: int, fill: str, positions: int) -> Perturbation:
    """Return the perturbation that keeps the ranks in [low, high) of ``positions``, in its one canonical form."""
    low, high = max(0, low), min(high, positions)
    if low >= high:
        return Perturbation(fill, 0, 0)
    return ORIGINAL if (low, high) == (0, positions) else Perturbation(fill, low, high)


def fading(fill: str) -> Perturbation:
    """Return the soft perturbation towards a fill."""
    return Perturbation(SOFT + fill, -1, -1)


@dataclass(frozen=True)
class MapFacts:
    """What a metric may know of a map when it says which perturbations it needs.

    Attributes
    ----------
    positions
        The number of positions.
    positives
        How many of them have an attribution above zero.
    """

    positions: int
    positives: int


@dataclass(frozen=True)
class Reading:
    """One sample's scores under every perturbation that was evaluated.

    Attributes
    ----------
    facts
        Of its map.
    scores
        Perturbation to (target's logit, target's probability).
    """

    facts: MapFacts
    scores: Mapping[Perturbation, tuple[float, float]]

    def score(self, perturbation: Perturbation, kind: ScoreKind) -> float:
        """Return the score of one perturbed input."""
        logit, probability = self.scores[perturbation]
        if kind == "log_probability":
            return math.log(max(probability, float(np.finfo(np.float32).tiny)))
        return logit if kind == "logit" else probability

    def curve(self, perturbations: Iterable[Perturbation], kind: ScoreKind) -> np.ndarray:
        """Return the scores of several perturbed inputs, float64."""
        return np.array([self.score(item, kind) for item in perturbations], np.float64)


@dataclass(frozen=True)
class Bands:
    """A reading as columns, the form in which it is stored.

    Attributes
    ----------
    fill, low, high
        The perturbations.
    logit, probability
        The target's scores, float32.
    positions, positives
        The map's facts.
    """

    fill: list[str]
    low: np.ndarray
    high: np.ndarray
    logit: np.ndarray
    probability: np.ndarray
    positions: int
    positives: int

    def reading(self) -> Reading:
        """Return the reading that these columns hold."""
        keys = [
            Perturbation(fill, int(low), int(high))
            for fill, low, high in zip(self.fill, self.low, self.high, strict=True)
        ]
        scores = zip(map(float, self.logit), map(float, self.probability), strict=True)
        return Reading(MapFacts(self.positions, self.positives), dict(zip(keys, scores, strict=True)))
