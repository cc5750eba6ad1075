"""IROF: iterative removal of superpixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.levels import Levels, at_levels
from ..perturbing.perturbation import ORIGINAL, MapFacts, Perturbation, Reading
from ..perturbing.units import UNITS
from ..registry import register_metric

FallingScore = Literal["probability", "logit", "accuracy"]
_ONE_BY_ONE = Levels(step=1)


@register_metric(
    "irof",
    title="IROF",
    family="faithfulness",
    higher_is_better=True,
    range=(None, None),
    reference=Reference("Rieger, Hansen", 2020, "IROF: a low resource evaluation metric", "2003.08747"),
    presets={"quantus": {"undivided": True, "fill": "mean"}},
)
@dataclass(frozen=True)
class RemovalOfFeatures(CurveMeasure):
    """The area over the relative score's curve while superpixels are removed, the most relevant first.

    With y_k the score after the k most relevant of L regions are gone over the score of the whole, the value is
    1 - the area under y over k / L (trapezoid rule). ``undivided`` is the form of Quantus: L - the area over k from 1
    to L, which grows with the number of regions and leaves out the first step. Undefined (NaN) where the whole's
    score is zero or negative.

    Formula
    -------
    1 - integral over k / L of f(x_k) / f(x), with x_k the sample after its k best of L superpixels are gone

    Reading
    -------
    High is good: the score falls with the first superpixels.

    Weaknesses
    ----------
    Superpixels are made from the picture, not from the network: an object in one piece or in ten changes the value.
    Undefined where the score is not positive.
    """

    fill: Annotated[
        str,
        Doc(
            "what replaces a superpixel",
            says="a removed region shows {}",
            source="Rieger and Hansen 2020: the mean",
            choices=FILLS,
        ),
    ] = ABSENCE
    unit: Annotated[
        str, Doc("the regions", says="the regions are {}", source="Quantus: SLIC, about 100", choices=UNITS)
    ] = "superpixel:100"
    score: Annotated[
        FallingScore, Doc("what falls", says="the curve shows {}", source="Rieger and Hansen 2020: probability")
    ] = "probability"
    undivided: Annotated[
        bool,
        Doc(
            "the form of Quantus: not divided by the number of regions",
            says="the area is not divided by the number of regions, as in Quantus",
            source="",
        ),
    ] = False
    levels: Levels = _ONE_BY_ONE

    def needs(self, facts: MapFacts) -> Sequence[Perturbation]:
        """See `Measure.needs`."""
        return at_levels(self.levels.counts(facts), self.fill, facts, insert=False)

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray] | None:
        """See `Measure.curve`."""
        whole = reading.score(ORIGINAL, self.score)
        if whole <= 0:
            return None
        share = self.levels.counts(reading.facts) / reading.facts.positions
        return share, reading.curve(self.needs(reading.facts), self.score) / whole

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        curve = self.curve(reading)
        if curve is None:
            return float("nan")
        share, relative = curve
        if self.undivided:
            return float(reading.facts.positions - np.trapezoid(relative[1:]))
        return float(1.0 - np.trapezoid(relative, share))
