"""Comprehensiveness and sufficiency: the drop when a few top shares are taken away, or are all that is left."""

from __future__ import annotations

from typing import Annotated

from ...parameters import Doc
from ...registry import Reference
from ..measure import Measure
from ..perturbing.fills import FILLS
from ..perturbing.levels import Levels
from ..perturbing.perturbation import POSITION, MetricScore
from ..perturbing.units import UNITS
from ..registry import register_metric
from .area import PerturbationArea

_DEYOUNG = Reference("DeYoung et al.", 2020, "ERASER", "1911.03429")
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
"""The top shares whose drops are averaged (DeYoung et al. 2020)."""
Fill = Annotated[str, Doc("what stands for what is taken away", source="as deletion", choices=FILLS)]
Unit = Annotated[str, Doc("what is ranked", source="as deletion", choices=UNITS)]
Score = Annotated[MetricScore, Doc("what drops", source="DeYoung et al. 2020: probability")]


@register_metric(
    "comprehensiveness",
    family="faithfulness",
    higher_is_better=True,
    range=(-1.0, 1.0),
    reference=_DEYOUNG,
    version=2,
)
def comprehensiveness(*, fill: Fill = "black", unit: Unit = POSITION, score: Score = "probability") -> Measure:
    """The mean drop when the top 1, 5, 10, 20 and 50 % are taken away."""
    return PerturbationArea("delete", fill, Levels(shares=SHARES), score, unit, aggregate="mean", change="drop")


@register_metric(
    "sufficiency", family="faithfulness", higher_is_better=False, range=(-1.0, 1.0), reference=_DEYOUNG, version=2
)
def sufficiency(*, fill: Fill = "black", unit: Unit = POSITION, score: Score = "probability") -> Measure:
    """The mean drop when only the top 1, 5, 10, 20 and 50 % are left."""
    return PerturbationArea("insert", fill, Levels(shares=SHARES), score, unit, aggregate="mean", change="drop")
