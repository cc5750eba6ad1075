"""Deletion and insertion: the score while the highest-ranked positions disappear, or appear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from ...parameters import Doc
from ...registry import Reference
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.levels import Levels
from ..perturbing.perturbation import MetricScore
from ..registry import register_metric
from .area import Action, PerturbationArea

_area = partial(
    register_metric,
    family="faithfulness",
    range=(0.0, 1.0),
    reference=Reference("Petsiuk, Das, Saenko", 2018, "RISE: Randomized Input Sampling", "1806.07421"),
)
Score = Annotated[
    MetricScore, Doc("what the curve shows", says="the curve shows {}", source="Petsiuk et al. 2018: probability")
]


@dataclass(frozen=True)
class EqualSteps(Levels):
    """Equal steps over the whole ranking."""

    steps: Annotated[
        int,
        Doc(
            "steps from nothing to everything",
            says="{} equal steps from nothing to everything",
            when="step=none",
            source="RISE's evaluation code: 28 at 224 px",
            low=1,
        ),
    ] = 28


@_area("deletion", title="Deletion", higher_is_better=False, presets={"rise": {"fill": "zero", "steps": 28}})
@dataclass(frozen=True)
class Deletion(PerturbationArea):
    """The area under the target's probability while the highest-ranked positions are deleted.

    Formula
    -------
    integral over s from 0 to 1 of p(x without its top share s)

    Reading
    -------
    0 to 1, low is good: the probability falls as soon as the first positions go. The curve begins at the network's own
    confidence, so values of a sure and an unsure network are not comparable.

    Weaknesses
    ----------
    What is filled in is no natural picture, and the fall may be the network's answer to that: another fill can give
    another order. Coarse maps that cut out whole objects do well.
    """

    action: Action = "delete"
    levels: EqualSteps = EqualSteps()
    fill: Annotated[
        str,
        Doc(
            "what the deleted positions show",
            says="deleted positions show {}",
            source="torch-cam, Xplique: black",
            choices=FILLS,
        ),
    ] = ABSENCE
    score: Score = "probability"


@_area("insertion", title="Insertion", higher_is_better=True, presets={"rise": {"fill": "rise_blur", "steps": 28}})
@dataclass(frozen=True)
class Insertion(PerturbationArea):
    """The area under the target's probability while the highest-ranked positions appear on a blurred canvas.

    Formula
    -------
    integral over s from 0 to 1 of p(canvas with the top share s of x)

    Reading
    -------
    0 to 1, high is good: the first positions shown suffice for the class.

    Weaknesses
    ----------
    A blurred canvas already shows what is large; a plain one makes edges that no picture has. Favours smooth, compact
    maps, whose parts are recognisable early.
    """

    action: Action = "insert"
    levels: EqualSteps = EqualSteps()
    fill: Annotated[
        str,
        Doc("the canvas", says="the canvas shows {}", source="Petsiuk et al. 2018: a blurred picture", choices=FILLS),
    ] = ABSENCE
    score: Score = "probability"
