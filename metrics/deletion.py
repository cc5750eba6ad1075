"""Deletion and insertion: the score while the highest-ranked positions disappear, or appear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ..models.queries import ScoreKind
from ..parameters import Doc
from ..registry import Reference
from .fills import FILLS
from .levels import Levels
from .perturbations import MapFacts, Perturbation, Reading, keeping
from .registry import Measure, register_metric

_PETSIUK = Reference("Petsiuk, Das, Saenko", 2018, "RISE: Randomized Input Sampling", "1806.07421")
Steps = Annotated[int, Doc("steps from nothing to everything", source="RISE's evaluation code: 28 at 224 px", low=1)]
Score = Annotated[ScoreKind, Doc("what the curve shows", source="Petsiuk et al. 2018: probability")]


@dataclass(frozen=True)
class PerturbationArea(Measure):
    """The area under the score's curve over the share of positions deleted or inserted (trapezoid rule).

    Attributes
    ----------
    action
        ``delete``: the top-ranked positions are filled; ``insert``: they appear on the filled canvas.
    fill
        What they are filled with, or the canvas.
    levels
        How many positions at each step.
    score
        What is read at each step.
    unit, order
        Single positions, from the highest attribution down; ties in order of position.
    """

    action: Literal["delete", "insert"]
    fill: str
    levels: Levels
    score: ScoreKind
    unit: str = "position"
    order: str = "descending"

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        total = facts.positions
        if self.action == "delete":
            return [keeping(int(count), total, self.fill, total) for count in self.levels.counts(facts)]
        return [keeping(0, int(count), self.fill, total) for count in self.levels.counts(facts)]

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """See `Measure.curve`."""
        share = self.levels.counts(reading.facts) / reading.facts.positions
        return share, reading.curve(self.needs(reading.facts), self.score)

    def value(self, reading: Reading) -> float:
        """See `Measure.value`."""
        share, scores = self.curve(reading)
        return float(np.trapezoid(scores, share))


@register_metric(
    "deletion",
    family="faithfulness",
    higher_is_better=False,
    range=(0.0, 1.0),
    reference=_PETSIUK,
    presets={"rise": {"fill": "zero", "steps": 28}},
)
def deletion(
    *,
    steps: Steps = 28,
    fill: Annotated[str, Doc("what the deleted positions show", source="torch-cam, Xplique", choices=FILLS)] = "black",
    score: Score = "probability",
) -> Measure:
    """The area under the target's probability while the highest-ranked positions are deleted."""
    return PerturbationArea("delete", fill, Levels(steps), score)


@register_metric(
    "insertion",
    family="faithfulness",
    higher_is_better=True,
    range=(0.0, 1.0),
    reference=_PETSIUK,
    presets={"rise": {"fill": "rise_blur", "steps": 28}},
)
def insertion(
    *,
    steps: Steps = 28,
    fill: Annotated[str, Doc("the canvas", source="Petsiuk et al. 2018: a blurred picture", choices=FILLS)] = "blur",
    score: Score = "probability",
) -> Measure:
    """The area under the target's probability while the highest-ranked positions appear on a blurred canvas."""
    return PerturbationArea("insert", fill, Levels(steps), score)
