"""Monotonicity, under its two definitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure
from ..perturbing.correlations import spearman
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.levels import EqualSteps, Levels
from ..perturbing.perturbation import ORIGINAL, POSITION, MapFacts, MetricScore, Perturbation, Reading, removing
from ..perturbing.rounding import changes, rounding_of
from ..perturbing.units import UNITS
from ..registry import register_metric
from .single_deletion import removed_relevance


@register_metric(
    "monotonicity",
    title="Monotonicity",
    family="faithfulness",
    higher_is_better=True,
    range=(-1.0, 1.0),
    reference=Reference(
        "Nguyen, Rodríguez Martínez", 2020, "On quantitative aspects of model interpretability", "2007.07584"
    ),
    version=2,
)
@dataclass(frozen=True)
class EffectMonotonicity(CurveMeasure):
    """The rank correlation of the size of attributions with how much the score depends on each part of the input.

    Spearman's, over units, of |attribution|, summed over a unit's positions. How much the score f depends on a unit is
    the mean of (f(x with the unit replaced) - f(x))^2 over replacements by uniform noise; the authors' division by
    f(x)^2 changes no rank. Changes that are float32's rounding are none. Undefined (NaN) where either side is constant.

    Formula
    -------
    Spearman's correlation, over units u, of |R_u| with the mean over noise z of (f(x with u = z) - f(x))^2

    Reading
    -------
    -1 to 1, high is good: large attributions are where the score depends on the input.

    Weaknesses
    ----------
    The sign of a map does not count, and each unit is changed alone.
    """

    draws: Annotated[
        int,
        Doc(
            "noisy replacements of each unit",
            says="{} noisy replacements of each",
            source="heatmark; Quantus: 100",
            low=1,
        ),
    ] = 3
    unit: Annotated[
        str,
        Doc(
            "what is replaced",
            says="{} are replaced",
            source="heatmark: few, for cost; the paper: every feature",
            choices=UNITS,
        ),
    ] = "grid:9"
    score: Annotated[
        MetricScore, Doc("what changes", says="the change is that of {}", source="Nguyen et al. 2020: the probability")
    ] = "probability"

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL, *(item for draw in range(self.draws) for item in self._replaced(facts, draw))]

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        whole = reading.score(ORIGINAL, self.score)
        draws = [reading.curve(self._replaced(reading.facts, draw), self.score) for draw in range(self.draws)]
        effects = (changes(np.stack(draws), whole, self.score) ** 2).mean(axis=0)
        return spearman(np.abs(removed_relevance(reading, self._replaced(reading.facts, 0))), effects)

    def _replaced(self, facts: MapFacts, draw: int) -> list[Perturbation]:
        return [removing(rank, rank + 1, f"noise:{draw}", facts) for rank in range(facts.positions)]


@dataclass(frozen=True)
class RisingLevels(Levels):
    """Equal steps, or a number of units each."""

    steps: EqualSteps = 28
    step: Annotated[
        int | None,
        Doc("units a step instead", says="{} at a step", source="Arya et al. 2019: one feature", low=1),
    ] = None


@register_metric(
    "monotone_curve",
    title="Monotone Curve",
    family="faithfulness",
    higher_is_better=True,
    range=(0.0, 1.0),
    reference=Reference("Arya et al.", 2019, "One Explanation Does Not Fit All", "1909.03012"),
    presets={"arya2019": {"step": 1, "fill": "black"}},
    version=2,
)
@dataclass(frozen=True)
class CurveMonotonicity(CurveMeasure):
    """The share of steps at which the score does not fall while positions appear, the least relevant first.

    The reference's verdict is whether that share is 1. A fall by no more than the rounding of float32 is none.

    Formula
    -------
    share of the levels k with f(x_(k+1)) >= f(x_k), while units appear, the least relevant first

    Reading
    -------
    0 to 1, high is good: adding more never hurts.

    Weaknesses
    ----------
    Weak: in a linear network every order of single features gives the same value, and a curve that trembles on a
    plateau is punished for nothing.
    """

    levels: RisingLevels = RisingLevels()
    fill: Annotated[
        str,
        Doc(
            "what stands where nothing is yet",
            says="positions not yet added show {}",
            source="as deletion",
            choices=FILLS,
        ),
    ] = ABSENCE
    unit: Annotated[
        str,
        Doc("what is ranked and added at once", says="{} are ranked and added", source="as deletion", choices=UNITS),
    ] = POSITION
    score: Annotated[
        MetricScore,
        Doc("what should not fall", says="what should not fall is {}", source="Arya et al. 2019: probability"),
    ] = "probability"

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        # Adding the least relevant first is removing the most relevant first, read backwards: deletion's pictures.
        return [removing(0, count, self.fill, facts) for count in self.levels.counts(facts).tolist()[::-1]]

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """See `Measure.curve`."""
        there = 1.0 - self.levels.counts(reading.facts)[::-1] / reading.facts.positions
        return there, reading.curve(self.needs(reading.facts), self.score)

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        _, scores = self.curve(reading)
        return float((np.diff(scores) >= -rounding_of(scores, self.score)).mean())
