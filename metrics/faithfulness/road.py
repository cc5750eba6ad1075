"""ROAD: removal without retraining, where what is removed is imputed from its surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from ...parameters import Doc
from ...registry import Reference
from ..perturbing.fills import FILLS, IMPUTED
from ..perturbing.levels import Levels
from ..perturbing.perturbation import MetricScore
from ..registry import register_metric
from .area import Action, Aggregate, Order, OrderGap, PerturbationArea

_road = partial(
    register_metric,
    family="faithfulness",
    reference=Reference(
        "Rong, Leemann, Borisov, Kasneci, Kasneci", 2022, "A Consistent and Efficient Evaluation", "2202.00449"
    ),
    version=2,
)
_LEVELS = Levels(shares=tuple(number / 10 for number in range(1, 10)))


@dataclass(frozen=True)
class Imputing:
    """What all of these metrics leave open; they remove 10, 20, ... 90 %."""

    levels: Levels = _LEVELS
    fill: Annotated[
        str,
        Doc(
            "what replaces what is removed",
            says="what is removed shows {}",
            source="Rong et al. 2022: linear, noise 0.01",
            choices=FILLS,
        ),
    ] = IMPUTED
    score: Annotated[
        MetricScore,
        Doc(
            "what is averaged over 10, 20, ... 90 % removed",
            says="averaged over 10, 20, ... 90 % removed is {}",
            source="Rong et al. 2022: both are given",
        ),
    ] = "probability"


@_road("road_morf", title="ROAD MoRF", higher_is_better=False, range=(0.0, 1.0))
@dataclass(frozen=True)
class RoadMostRelevantFirst(Imputing, PerturbationArea):
    """The mean score while the most relevant positions are removed and imputed.

    Formula
    -------
    mean over q in {10, ..., 90 %} of p(x without its top q, imputed from what is left)

    Reading
    -------
    Low is good. What is removed is filled smoothly from its surroundings, so that the shape of the mask tells the
    network less.

    Weaknesses
    ----------
    The imputed picture is blurred where much is gone, and the network sees that too. A large connected hole keeps
    little of its surroundings.
    """

    action: Action = "delete"
    aggregate: Aggregate = "mean"


@_road("road_lerf", title="ROAD LeRF", higher_is_better=True, range=(0.0, 1.0))
@dataclass(frozen=True)
class RoadLeastRelevantFirst(RoadMostRelevantFirst):
    """The mean score while the least relevant positions are removed and imputed.

    Formula
    -------
    mean over q in {10, ..., 90 %} of p(x without its bottom q, imputed from what is left)

    Reading
    -------
    High is good.

    Weaknesses
    ----------
    As road_morf; scattered holes are imputed almost perfectly, which favours scattered maps.
    """

    order: Order = "ascending"


@_road("road_combined", title="ROAD", higher_is_better=True, range=(-0.5, 0.5))
@dataclass(frozen=True)
class RoadCombined(Imputing, OrderGap):
    """Half the gap between the least relevant first and the most relevant first (pytorch-grad-cam's ROADCombined).

    Formula
    -------
    mean over q of (road_lerf_q - road_morf_q) / 2

    Reading
    -------
    -0.5 to 0.5, high is good, 0 is what a random order gets on average.

    Weaknesses
    ----------
    As its two parts; the difference hides which of them was good.
    """

    factor: float = 0.5
