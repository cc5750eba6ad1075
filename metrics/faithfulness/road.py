"""ROAD: removal without retraining, where what is removed is imputed from its surroundings."""

from __future__ import annotations

from typing import Annotated

from ...parameters import Doc
from ...registry import Reference
from ..measure import Measure
from ..perturbing.fills import FILLS, IMPUTED
from ..perturbing.levels import Levels
from ..perturbing.perturbation import MetricScore
from ..registry import register_metric
from .area import OrderGap, PerturbationArea

_RONG = Reference(
    "Rong, Leemann, Borisov, Kasneci, Kasneci", 2022, "A Consistent and Efficient Evaluation", "2202.00449"
)
_LEVELS = Levels(shares=tuple(number / 10 for number in range(1, 10)))
Fill = Annotated[
    str, Doc("what replaces what is removed", source="Rong et al. 2022: linear, noise 0.01", choices=FILLS)
]
Score = Annotated[
    MetricScore, Doc("what is averaged over 10, 20, ... 90 % removed", source="Rong et al. 2022: both are given")
]


@register_metric(
    "road_morf", family="faithfulness", higher_is_better=False, range=(0.0, 1.0), reference=_RONG, version=2
)
def road_morf(*, fill: Fill = IMPUTED, score: Score = "probability") -> Measure:
    """The mean score while the most relevant positions are removed and imputed."""
    return PerturbationArea("delete", fill, _LEVELS, score, aggregate="mean")


@register_metric(
    "road_lerf", family="faithfulness", higher_is_better=True, range=(0.0, 1.0), reference=_RONG, version=2
)
def road_lerf(*, fill: Fill = IMPUTED, score: Score = "probability") -> Measure:
    """The mean score while the least relevant positions are removed and imputed."""
    return PerturbationArea("delete", fill, _LEVELS, score, order="ascending", aggregate="mean")


@register_metric(
    "road_combined", family="faithfulness", higher_is_better=True, range=(-0.5, 0.5), reference=_RONG, version=2
)
def road_combined(*, fill: Fill = IMPUTED, score: Score = "probability") -> Measure:
    """Half the gap between the least relevant first and the most relevant first (pytorch-grad-cam's ROADCombined)."""
    return OrderGap(fill, _LEVELS, score, factor=0.5)
