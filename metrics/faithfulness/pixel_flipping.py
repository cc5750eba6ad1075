"""Pixel flipping: the score while the most, or the least, relevant units are replaced first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from ...parameters import Doc
from ...registry import Reference
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.levels import EqualSteps, Levels
from ..perturbing.perturbation import POSITION, MetricScore
from ..perturbing.units import UNITS
from ..registry import register_metric
from .area import Action, Aggregate, Change, Order, OrderGap, PerturbationArea

_SAMEK = Reference(
    "Samek, Binder, Montavon, Lapuschkin, Müller", 2017, "Evaluating the Visualization of What a DNN Has Learned"
)
_flipping = partial(
    register_metric,
    family="faithfulness",
    presets={"samek2017": {"unit": "patch:9", "fill": "noise", "step": 1, "most": 100}},
)


@dataclass(frozen=True)
class FlippedLevels(Levels):
    """Equal steps, or a number of units each."""

    steps: EqualSteps = 28
    step: Annotated[
        int | None,
        Doc("units a step instead", says="{} at a step", source="Samek et al. 2017: 1 patch", low=1),
    ] = None
    most: Annotated[
        int | None,
        Doc(
            "with step: stop after so many units",
            says="no more than {} in all",
            when="step!=none",
            source="Samek et al. 2017: 100",
            low=1,
        ),
    ] = None


@dataclass(frozen=True)
class Flipping:
    """What all of these metrics leave open."""

    levels: FlippedLevels = FlippedLevels()
    fill: Annotated[
        str,
        Doc(
            "what replaces a unit",
            says="what is replaced shows {}",
            source="as deletion; Samek et al. 2017: noise",
            choices=FILLS,
        ),
    ] = ABSENCE
    unit: Annotated[
        str,
        Doc(
            "what is ranked and replaced at once", says="{} are ranked", source="Samek et al. 2017: 9 px", choices=UNITS
        ),
    ] = POSITION
    score: Annotated[
        MetricScore, Doc("what the curve shows", says="the curve shows {}", source="as deletion: probability")
    ] = "probability"


@_flipping("morf", title="MoRF", higher_is_better=False, range=(0.0, 1.0), reference=_SAMEK)
@dataclass(frozen=True)
class MostRelevantFirst(Flipping, PerturbationArea):
    """The mean score while the most relevant units are replaced first.

    Formula
    -------
    mean over k of f(x_k), with x_k the sample after the k most relevant units were replaced

    Reading
    -------
    Low is good. Beside deletion it takes the mean over levels instead of the area.

    Weaknesses
    ----------
    One order only: what falls early may fall for any order. Compare with lerf, or use abpc.
    """

    action: Action = "delete"
    aggregate: Aggregate = "mean"


@_flipping("lerf", title="LeRF", higher_is_better=True, range=(0.0, 1.0), reference=_SAMEK)
@dataclass(frozen=True)
class LeastRelevantFirst(MostRelevantFirst):
    """The mean score while the least relevant units are replaced first.

    Formula
    -------
    mean over k of f(x_k), with x_k the sample after the k least relevant units were replaced

    Reading
    -------
    High is good: what the map calls unimportant can go.

    Weaknesses
    ----------
    Flat for many maps, since most of a picture can go without harm.
    """

    order: Order = "ascending"


@_flipping("aopc", title="AOPC", higher_is_better=True, range=(-1.0, 1.0), reference=_SAMEK)
@dataclass(frozen=True)
class AreaOverCurve(MostRelevantFirst):
    """The area over the perturbation curve: the mean drop of the score while the most relevant units go first.

    Formula
    -------
    mean over k of f(x) - f(x_k), with x_k the sample after the k most relevant units were replaced

    Reading
    -------
    High is good; it is f(x) less morf, so the two rank alike at the same levels.

    Weaknesses
    ----------
    The value grows with the network's confidence, so it is no measure across networks.
    """

    change: Change = "drop"


@_flipping(
    "abpc",
    title="ABPC",
    higher_is_better=True,
    range=(-1.0, 1.0),
    reference=Reference("Schulz, Sixt, Tombari, Landgraf", 2020, "Restricting the Flow", "2001.00396"),
)
@dataclass(frozen=True)
class AreaBetweenCurves(Flipping, OrderGap):
    """The area between the curves of least relevant first and of most relevant first.

    Formula
    -------
    mean over k of lerf_k - morf_k

    Reading
    -------
    High is good, 0 is what a random order gets on average: two orders, one network and one fill, so what the fill does
    to every picture cancels in part.

    Weaknesses
    ----------
    A map that is right at one end of its order only gets half of the credit.
    """
