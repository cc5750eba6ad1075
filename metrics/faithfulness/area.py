"""The area under the score's curve while ranked units disappear, or appear: one protocol for a whole family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..measure import CurveMeasure
from ..perturbing.fills import ABSENCE
from ..perturbing.levels import Levels, at_levels
from ..perturbing.perturbation import ORIGINAL, POSITION, MapFacts, MetricScore, Perturbation, Reading

Action = Literal["delete", "insert"]
Order = Literal["descending", "ascending"]
Aggregate = Literal["trapezoid", "mean"]
Change = Literal["score", "drop"]
_ORDERS: tuple[Order, Order] = ("ascending", "descending")
_SHARES = ("probability", "accuracy")
"""Scores between 0 and 1."""


@dataclass(frozen=True)
class PerturbationArea(CurveMeasure):
    """A summary of the score's curve over the share of units deleted or inserted."""

    action: Action
    """``delete``: ranked units are filled; ``insert``: they appear on the filled canvas."""
    levels: Levels
    """How many units at each step."""
    fill: str = ABSENCE
    """What they are filled with, or the canvas."""
    unit: str = POSITION
    """What is ranked: see `metrics/perturbing/units.py`."""
    score: MetricScore = "probability"
    """What is read at each step."""
    order: Order = "descending"
    """``descending``: the highest attribution first (MoRF); ``ascending``: the lowest first (LeRF). Ties in order of
    position, or in its reverse.
    """
    aggregate: Aggregate = "trapezoid"
    """``trapezoid``: the area by the trapezoid rule; ``mean``: the mean over the levels."""
    change: Change = "score"
    """``score``: the score itself; ``drop``: the original's score minus it."""

    @property
    def bounded(self) -> bool:
        """See `Measure.bounded`."""
        return self.score in _SHARES

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        original = [ORIGINAL] if self.change == "drop" else []
        return [*original, *self._levels(facts)]

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """See `Measure.curve`."""
        share = self.levels.counts(reading.facts) / reading.facts.positions
        scores = reading.curve(self._levels(reading.facts), self.score)
        return share, reading.score(ORIGINAL, self.score) - scores if self.change == "drop" else scores

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        share, scores = self.curve(reading)
        return float(scores.mean() if self.aggregate == "mean" else np.trapezoid(scores, share))

    def _levels(self, facts: MapFacts) -> Sequence[Perturbation]:
        counts, ascending = self.levels.counts(facts), self.order == "ascending"
        return at_levels(counts, self.fill, facts, insert=self.action == "insert", ascending=ascending)


@dataclass(frozen=True)
class OrderGap(CurveMeasure):
    """The gap between deleting the least relevant units first and deleting the most relevant ones first."""

    levels: Levels
    fill: str = ABSENCE
    unit: str = POSITION
    score: MetricScore = "probability"
    """As for `PerturbationArea`."""
    factor: float = 1.0
    """What the mean gap is multiplied by."""

    @property
    def bounded(self) -> bool:
        """See `Measure.bounded`."""
        return self.score in _SHARES

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [item for side in self._sides() for item in side.needs(facts)]

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """See `Measure.curve`."""
        (share, least), (_, most) = (side.curve(reading) for side in self._sides())
        return share, self.factor * (least - most)

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        return float(self.curve(reading)[1].mean())

    def _sides(self) -> tuple[PerturbationArea, PerturbationArea]:
        """Return the curves of least relevant first and of most relevant first."""
        least, most = (
            PerturbationArea("delete", self.levels, self.fill, self.unit, self.score, order) for order in _ORDERS
        )
        return least, most
