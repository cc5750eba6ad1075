"""Deletion and insertion: the score while the highest-ranked positions disappear, or appear."""

from __future__ import annotations

from typing import Annotated

from ...parameters import Doc
from ...registry import Reference
from ..measure import Measure
from ..perturbing.fills import FILLS
from ..perturbing.levels import Levels
from ..perturbing.perturbation import MetricScore
from ..registry import register_metric
from .area import PerturbationArea

_PETSIUK = Reference("Petsiuk, Das, Saenko", 2018, "RISE: Randomized Input Sampling", "1806.07421")
Steps = Annotated[int, Doc("steps from nothing to everything", source="RISE's evaluation code: 28 at 224 px", low=1)]
Score = Annotated[MetricScore, Doc("what the curve shows", source="Petsiuk et al. 2018: probability")]


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
