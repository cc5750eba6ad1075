"""Necessity and sufficiency ordering (Wang, Mardziel, Datta, Fredrikson 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.levels import Extent, Levels, at_levels
from ..perturbing.perturbation import ORIGINAL, POSITION, MapFacts, Perturbation, Reading, keeping
from ..registry import register_metric
from .area import Action, Order

_ordering = partial(
    register_metric,
    family="faithfulness",
    range=(0.0, None),
    reference=Reference("Wang, Mardziel, Datta, Fredrikson", 2020, "Interpreting Interpretations", "2002.07985"),
)
_REFERENCE_CODE = {"step": 500, "extent": "positive", "fill": "zero"}
"""Zeros are what the network itself gets: the raw value that the normalisation maps to zero."""


@dataclass(frozen=True)
class OrderedLevels(Levels):
    """Equal steps, or a number of positions each, over all or the positive ones."""

    steps: Annotated[
        int,
        Doc(
            "equal steps of the ranking",
            says="{} equal steps of the ranking",
            when="step=none",
            source="as deletion, so that the two share their inputs",
            low=1,
        ),
    ] = 28
    step: Annotated[
        int | None,
        Doc("positions a step instead", says="{} positions at a step", source="500 in the code of Wang et al.", low=1),
    ] = None
    extent: Annotated[
        Extent,
        Doc(
            "the ranked positions",
            says={"all": "all positions are ranked", "positive": "only positive attributions are ranked"},
            source="the code of Wang et al.: only positive ones",
        ),
    ] = "all"


@dataclass(frozen=True)
class OrderingArea(CurveMeasure):
    """The area under the target's logit, measured from the blank input's, over the share of the ranking.

    With f the target's logit, b its value for the blank input and x the sample, the curve is (max(f, b) - b) /
    (f(x) - b); for ``insert`` also clipped from above at f(x). ``undivided`` is the form of the reference code for
    sufficiency: max(f, b) / f(x). Undefined (NaN) where f(x) does not exceed b, nor zero in the undivided form, or
    where the ranking has fewer than two levels.
    """

    action: Action
    """``delete`` (necessity: the top-ranked positions go) or ``insert`` (sufficiency: only they stay)."""
    levels: OrderedLevels = OrderedLevels()
    fill: Annotated[
        str,
        Doc("what stands for absence", says="what is absent shows {}", source="Wang et al. 2020: zeros", choices=FILLS),
    ] = ABSENCE
    undivided: bool = False
    """Whether the blank's logit is left in."""
    score: Literal["logit"] = "logit"
    unit: str = POSITION
    order: Order = "descending"
    """The logit; single positions, from the highest attribution down; ties in order of position."""

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`; the original and the blank come first."""
        return [*self._ends(facts), *self._levels(facts)]

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray] | None:
        """See `Measure.curve`."""
        whole, blank = reading.curve(self._ends(reading.facts), "logit")
        counts = self.levels.counts(reading.facts)
        if len(counts) < 2 or whole <= blank or (self.undivided and whole <= 0):
            return None
        above = np.maximum(reading.curve(self._levels(reading.facts), "logit"), blank)
        if self.undivided:
            return counts / counts[-1], above / whole
        top = whole if self.action == "insert" else np.inf
        return counts / counts[-1], (np.minimum(above, top) - blank) / (whole - blank)

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        curve = self.curve(reading)
        return float("nan") if curve is None else float(np.trapezoid(curve[1], curve[0]))

    def _ends(self, facts: MapFacts) -> list[Perturbation]:
        return [ORIGINAL, keeping(0, 0, self.fill, facts)]

    def _levels(self, facts: MapFacts) -> Sequence[Perturbation]:
        return at_levels(self.levels.counts(facts), self.fill, facts, insert=self.action == "insert")


@_ordering("n_ord", title="N-Ord", higher_is_better=False, presets={"wang2020": _REFERENCE_CODE})
@dataclass(frozen=True)
class NecessityOrdering(OrderingArea):
    """Necessity ordering: the area under the logit while the highest-ranked positions are taken away.

    Formula
    -------
    integral over s of (max(f(x without its top share s), b) - b) / (f(x) - b), with f the logit and b that of the blank
    input

    Reading
    -------
    0 to about 1, low is good: the logit falls to the blank's level soon.

    Weaknesses
    ----------
    The logit of a half-emptied picture may be anything, and what is below the blank's is cut off. Undefined where the
    sample scores no more than the blank.
    """

    action: Action = "delete"


@_ordering(
    "s_ord",
    title="S-Ord",
    higher_is_better=True,
    presets={"wang2020": {**_REFERENCE_CODE, "undivided": True}},
    version=2,
)
@dataclass(frozen=True)
class SufficiencyOrdering(OrderingArea):
    """Sufficiency ordering: the area under the logit while only the highest-ranked positions are there.

    Formula
    -------
    integral over s of (min(max(f(only the top share s of x), b), f(x)) - b) / (f(x) - b), with f the logit and b that
    of the blank input

    Reading
    -------
    0 to 1, high is good: few positions bring the logit back.

    Weaknesses
    ----------
    As n_ord; a logit that overshoots f(x) counts as f(x), so nothing is won by being too strong.
    """

    action: Action = "insert"
    undivided: Annotated[
        bool,
        Doc("leave the blank's logit in", says="the blank's logit is left in", source="the code of Wang et al."),
    ] = False
