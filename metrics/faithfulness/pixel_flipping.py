"""Pixel flipping: the score while the most, or the least, relevant units are replaced first."""

from __future__ import annotations

from typing import Annotated, Any

from ...parameters import Doc
from ...registry import Reference
from ..measure import Measure
from ..perturbing.fills import FILLS
from ..perturbing.levels import Levels
from ..perturbing.perturbation import POSITION, MetricScore
from ..perturbing.units import UNITS
from ..registry import register_metric
from .area import OrderGap, PerturbationArea

_SAMEK = Reference(
    "Samek, Binder, Montavon, Lapuschkin, Müller", 2017, "Evaluating the Visualization of What a DNN Has Learned"
)
_PRESETS: dict[str, dict[str, Any]] = {"samek2017": {"unit": "patch:9", "fill": "noise", "step": 1, "most": 100}}
Steps = Annotated[int, Doc("steps from nothing to everything", source="as deletion, to share its inputs", low=1)]
Step = Annotated[int | None, Doc("units a step instead", source="Samek et al. 2017: 1 patch", low=1)]
Most = Annotated[int | None, Doc("with step: stop after so many units", source="Samek et al. 2017: 100", low=1)]
Fill = Annotated[str, Doc("what replaces a unit", source="as deletion; Samek et al. 2017: noise", choices=FILLS)]
Unit = Annotated[str, Doc("what is ranked and replaced at once", source="Samek et al. 2017: 9 px", choices=UNITS)]
Score = Annotated[MetricScore, Doc("what the curve shows", source="as deletion: probability")]


@register_metric(
    "morf", family="faithfulness", higher_is_better=False, range=(0.0, 1.0), reference=_SAMEK, presets=_PRESETS
)
def morf(
    *,
    steps: Steps = 28,
    step: Step = None,
    most: Most = None,
    fill: Fill = "black",
    unit: Unit = POSITION,
    score: Score = "probability",
) -> Measure:
    """The mean score while the most relevant units are replaced first."""
    return PerturbationArea("delete", fill, Levels(steps, step, most=most), score, unit, aggregate="mean")


@register_metric(
    "lerf", family="faithfulness", higher_is_better=True, range=(0.0, 1.0), reference=_SAMEK, presets=_PRESETS
)
def lerf(
    *,
    steps: Steps = 28,
    step: Step = None,
    most: Most = None,
    fill: Fill = "black",
    unit: Unit = POSITION,
    score: Score = "probability",
) -> Measure:
    """The mean score while the least relevant units are replaced first."""
    levels = Levels(steps, step, most=most)
    return PerturbationArea("delete", fill, levels, score, unit, order="ascending", aggregate="mean")


@register_metric(
    "aopc", family="faithfulness", higher_is_better=True, range=(-1.0, 1.0), reference=_SAMEK, presets=_PRESETS
)
def aopc(
    *,
    steps: Steps = 28,
    step: Step = None,
    most: Most = None,
    fill: Fill = "black",
    unit: Unit = POSITION,
    score: Score = "probability",
) -> Measure:
    """The area over the perturbation curve: the mean drop of the score while the most relevant units go first."""
    levels = Levels(steps, step, most=most)
    return PerturbationArea("delete", fill, levels, score, unit, aggregate="mean", change="drop")


@register_metric(
    "abpc",
    family="faithfulness",
    higher_is_better=True,
    range=(-1.0, 1.0),
    reference=Reference("Schulz, Sixt, Tombari, Landgraf", 2020, "Restricting the Flow", "2001.00396"),
    presets=_PRESETS,
)
def abpc(
    *,
    steps: Steps = 28,
    step: Step = None,
    most: Most = None,
    fill: Fill = "black",
    unit: Unit = POSITION,
    score: Score = "probability",
) -> Measure:
    """The area between the curves of least relevant first and of most relevant first."""
    return OrderGap(fill, Levels(steps, step, most=most), score, unit)
