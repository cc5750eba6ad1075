"""Perturbed inputs as data: which units of a ranking are kept, and what stands in the others' place.

Deletion, insertion, necessity and sufficiency ordering, MoRF, LeRF and their kin all look at inputs of one form: the
units (positions, patches or superpixels) whose rank (0 for the highest attribution) lies in [low, high) are kept, the
others are filled. Removing the least relevant 30 % is keeping the top 70 %, so metrics that ask for the same
perturbation share its evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import numpy as np

POSITION = "position"
"""The unit that is a single position (pixel, or sample of a series) with all its channels."""

SOFT, SCALED = "soft:", "scaled:"
"""Prefixes of the fill of a perturbation whose mask is the map itself, scaled to [0, 1]: its positive part, or all."""

#: What a metric may read of a perturbed input; ``accuracy`` is 1 where the target has the highest logit, else 0.
MetricScore = Literal["logit", "probability", "log_probability", "accuracy"]


class Perturbation(NamedTuple):
    """One way to perturb a sample, given its ranking; a tuple, since curves look up very many of them."""

    fill: str
    """What stands where nothing is kept (see `metrics/perturbing/fills.py`); empty when everything is kept. With the
    prefix ``soft:`` each position fades to the fill as its attribution's positive part, scaled to [0, 1], falls; with
    ``scaled:`` as the whole map, scaled to [0, 1], falls.
    """
    low: int
    high: int
    """The ranks kept: low <= rank < high; with low > high those outside: rank >= low or rank < high. Both -1 for
    perturbations whose mask is the map.
    """
    unit: str = POSITION
    """What is ranked (see `metrics/perturbing/units.py`)."""

    @property
    def is_soft(self) -> bool:
        """Whether the map itself is the mask."""
        return self.fill.startswith((SOFT, SCALED))


ORIGINAL = Perturbation("", 0, 0)
"""The sample as it is."""


@dataclass(frozen=True)
class MapFacts:
    """What a metric may know of a map when it says which perturbations it needs."""

    positions: int
    """The number of units (by default of positions)."""
    positives: int
    """How many of them have an attribution above zero."""
    quantiles: tuple[int, ...] = ()
    """101 counts: how many of the top-ranked units hold 0 %, 1 %, ... 100 % of the positive attribution; empty where
    there is none.
    """
    unit: str = POSITION
    """What is ranked."""


def keeping(low: int, high: int, fill: str, facts: MapFacts) -> Perturbation:
    """Return the perturbation that keeps the ranks in [low, high), in its one canonical form."""
    low, high = max(0, low), min(high, facts.positions)
    if low >= high:
        return Perturbation(fill, 0, 0)
    return ORIGINAL if (low, high) == (0, facts.positions) else Perturbation(fill, low, high, facts.unit)


def removing(low: int, high: int, fill: str, facts: MapFacts) -> Perturbation:
    """Return the perturbation that fills the ranks in [low, high) and keeps all others, in its one canonical form."""
    low, high = max(0, low), min(high, facts.positions)
    if low >= high:
        return ORIGINAL
    if low == 0:
        return keeping(high, facts.positions, fill, facts)
    return keeping(0, low, fill, facts) if high == facts.positions else Perturbation(fill, high, low, facts.unit)


def fading(fill: str, prefix: str = SOFT) -> Perturbation:
    """Return the perturbation towards a fill whose mask is the map itself."""
    return Perturbation(prefix + fill, -1, -1)


class Seen(NamedTuple):
    """What the network said of one perturbed input."""

    logit: float
    probability: float
    """The target's."""
    top: bool = True
    """Whether the target has the highest logit."""
    relevance: float = math.nan
    """The sum of the attributions of the positions kept; NaN where the mask is the map itself."""


@dataclass(frozen=True)
class Reading:
    """One sample's scores under every perturbation that was evaluated."""

    facts: MapFacts
    """Of its map, for the unit that the reader ranks."""
    seen: Mapping[Perturbation, Seen]
    """What the network said of each perturbed input."""

    def score(self, perturbation: Perturbation, kind: MetricScore) -> float:
        """Return the score of one perturbed input."""
        found = self.seen[perturbation]
        if kind == "log_probability":
            return math.log(max(found.probability, float(np.finfo(np.float64).tiny)))
        if kind == "accuracy":
            return float(found.top)
        return found.logit if kind == "logit" else found.probability

    def curve(self, perturbations: Iterable[Perturbation], kind: MetricScore) -> np.ndarray:
        """Return the scores of several perturbed inputs, float64."""
        if kind == "probability":
            return np.array([self.seen[item].probability for item in perturbations], np.float64)
        if kind == "logit":
            return np.array([self.seen[item].logit for item in perturbations], np.float64)
        return np.array([self.score(item, kind) for item in perturbations], np.float64)

    def relevance(self, perturbations: Iterable[Perturbation]) -> np.ndarray:
        """Return the sums of the attributions kept in several perturbed inputs, float64."""
        return np.array([self.seen[item].relevance for item in perturbations], np.float64)


@dataclass(frozen=True)
class Bands:
    """The readings of one sample as columns, the form in which they are stored."""

    fill: Sequence[str]
    low: np.ndarray
    high: np.ndarray
    unit: Sequence[str]
    """The perturbations."""
    logit: np.ndarray
    probability: np.ndarray
    top: np.ndarray
    relevance: np.ndarray
    """What was seen of each; float32, float64, bool, float64."""
    units: Sequence[str]
    positions: Sequence[int]
    positives: Sequence[int]
    quantiles: Sequence[Sequence[int]]
    """The map's facts, one entry for each unit that was ranked."""

    @classmethod
    def of(cls, facts: Sequence[MapFacts], seen: Mapping[Perturbation, Seen]) -> Bands:
        """Return the columns of what was seen of one sample."""
        items, values = list(seen), list(seen.values())
        return cls(
            fill=[item.fill for item in items],
            low=np.array([item.low for item in items], np.int32),
            high=np.array([item.high for item in items], np.int32),
            unit=[item.unit for item in items],
            logit=np.array([value.logit for value in values], np.float32),
            probability=np.array([value.probability for value in values], np.float64),
            top=np.array([value.top for value in values], bool),
            relevance=np.array([value.relevance for value in values], np.float64),
            units=[one.unit for one in facts],
            positions=[one.positions for one in facts],
            positives=[one.positives for one in facts],
            quantiles=[list(one.quantiles) for one in facts],
        )

    @classmethod
    def of_row(cls, row: Mapping[Any, Any], prefix: str = "band_") -> Bands:
        """Return the columns of one stored row, whose names have a prefix; KeyError where one is missing."""
        return cls(**{item.name: row[prefix + item.name] for item in fields(cls)})

    def columns(self, prefix: str = "band_") -> dict[str, Any]:
        """Return the columns as lists, by the names under which they are stored."""
        values = {prefix + item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}

    def reading(self, unit: str = POSITION) -> Reading:
        """Return the reading that these columns hold for one unit.

        Raises
        ------
        KeyError
            If that unit was not ranked.
        """
        keys = zip(self.fill, np.asarray(self.low).tolist(), np.asarray(self.high).tolist(), self.unit, strict=True)
        columns = (np.asarray(one).tolist() for one in (self.logit, self.probability, self.top, self.relevance))
        seen = dict(zip(map(Perturbation._make, keys), map(Seen._make, zip(*columns, strict=True)), strict=True))
        places = {name: place for place, name in enumerate(self.units)}
        place = places[unit]
        quantiles = tuple(np.asarray(self.quantiles[place], np.int64).tolist())
        return Reading(MapFacts(int(self.positions[place]), int(self.positives[place]), quantiles, unit), seen)
