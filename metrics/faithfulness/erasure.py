"""Comprehensiveness and sufficiency: the drop when a few top shares are taken away, or are all that is left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from ...parameters import Doc
from ...registry import Reference
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.levels import Levels
from ..perturbing.perturbation import POSITION, MetricScore
from ..perturbing.units import UNITS
from ..registry import register_metric
from .area import Action, Aggregate, Change, PerturbationArea

_erasure = partial(
    register_metric,
    family="faithfulness",
    range=(-1.0, 1.0),
    reference=Reference("DeYoung et al.", 2020, "ERASER", "1911.03429"),
    version=2,
)
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
"""The top shares whose drops are averaged (DeYoung et al. 2020)."""
_LEVELS = Levels(shares=SHARES)


@_erasure("comprehensiveness", title="Comprehensiveness", higher_is_better=True)
@dataclass(frozen=True)
class Comprehensiveness(PerturbationArea):
    """The mean drop when the top 1, 5, 10, 20 and 50 % are taken away.

    Formula
    -------
    mean over q in {1, 5, 10, 20, 50 %} of f(x) - f(x without its top q)

    Reading
    -------
    High is good: without the best of the map the class is gone.

    Weaknesses
    ----------
    Five levels, most of them small: what a map says below its middle does not count.
    """

    action: Action = "delete"
    levels: Levels = _LEVELS
    fill: Annotated[
        str,
        Doc(
            "what stands for what is taken away",
            says="what is taken away shows {}",
            source="as deletion",
            choices=FILLS,
        ),
    ] = ABSENCE
    unit: Annotated[str, Doc("what is ranked", says="{} are ranked", source="as deletion", choices=UNITS)] = POSITION
    score: Annotated[
        MetricScore, Doc("what drops", says="the drop is that of {}", source="DeYoung et al. 2020: probability")
    ] = "probability"
    aggregate: Aggregate = "mean"
    change: Change = "drop"


@_erasure("sufficiency", title="Sufficiency", higher_is_better=False)
@dataclass(frozen=True)
class Sufficiency(Comprehensiveness):
    """The mean drop when only the top 1, 5, 10, 20 and 50 % are left.

    Formula
    -------
    mean over q in {1, 5, 10, 20, 50 %} of f(x) - f(only the top q of x)

    Reading
    -------
    Low is good, and may be below zero: the best of the map alone is enough.

    Weaknesses
    ----------
    One to twenty per cent of a picture on a blank is no picture; most methods lose nearly everything there.
    """

    action: Action = "insert"
