"""Total proportionality for necessity and sufficiency (Wang, Mardziel, Datta, Fredrikson 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.perturbation import ORIGINAL, MapFacts, Perturbation, Reading, keeping, removing
from ..registry import register_metric
from .area import Action

_proportionality = partial(
    register_metric,
    family="faithfulness",
    higher_is_better=False,
    range=(0.0, None),
    reference=Reference("Wang, Mardziel, Datta, Fredrikson", 2020, "Interpreting Interpretations", "2002.07985"),
    presets={"wang2020": {"reference_code": True, "fill": "zero"}},
)
_GRID = 201
_TINY = 1e-16
"""Added to a divisor in the reference code."""


@dataclass(frozen=True)
class ProportionalityGap(CurveMeasure):
    """The area between two curves of the logit over the share k of the positive attribution removed, or added.

    One curve takes the highest attributions first, the other the lowest positive ones; equal shares of attribution
    should change the logit equally, whichever positions hold them. With f the logit, b the blank's and x the sample,
    both curves are (max(f, b) - b) / (f(x) - b), and the value is the integral over k in [0, 1] of their absolute
    difference. Undefined (NaN) where nothing is positive or f(x) <= b.

    ``reference_code`` follows zifanw/interpretation instead: fixed steps from the top (500 positions) and from the
    bottom (100), all below the number of positive positions; the blank's logit is not subtracted. For removal the
    first curve is clipped at it, and each curve is divided by its first value and then by
    min(1, b / max(its last value, b)); for adding nothing is clipped, and the first curve is divided by the smaller of
    f(x) and its last value, the second by the smaller of f(x) and the last value of the first as divided. The area is
    taken up to where both curves reach.
    """

    action: Action
    """``delete`` (necessity) or ``insert`` (sufficiency)."""
    steps: Annotated[
        int,
        Doc(
            "levels of k, equal shares of the positive attribution",
            says="{} equal shares of the positive attribution",
            when="reference_code=no",
            source="as deletion",
            low=1,
            high=100,
        ),
    ] = 28
    fill: Annotated[
        str,
        Doc("what stands for absence", says="what is absent shows {}", source="Wang et al. 2020: zeros", choices=FILLS),
    ] = ABSENCE
    reference_code: Annotated[
        bool,
        Doc(
            "normalise and step as the reference code does",
            says="normalised and stepped as the authors' code does",
            source="the clean definition",
        ),
    ] = False
    top_step: Annotated[
        int,
        Doc(
            "positions a step from the top, for reference_code",
            says="{} positions a step from the top",
            when="reference_code=yes",
            source="Wang et al.: 500",
            low=1,
        ),
    ] = 500
    bottom_step: Annotated[
        int,
        Doc(
            "positions a step from the bottom, for reference_code",
            says="{} positions a step from the bottom",
            when="reference_code=yes",
            source="its code",
            low=1,
        ),
    ] = 100
    score: Literal["logit"] = "logit"
    """The logit."""

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        if not facts.positives:
            return []
        return [ORIGINAL, keeping(0, 0, self.fill, facts), self._all(facts), *self._top(facts), *self._bottom(facts)]

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray] | None:
        """Return k and the absolute difference of the two curves; see `Measure.curve`."""
        facts = reading.facts
        if not facts.positives:
            return None
        sides = (self._top(facts), self._bottom(facts))
        shares = [self._share(reading, side) for side in sides]
        scores = [reading.curve(side, "logit") for side in sides]
        whole = reading.score(ORIGINAL, "logit")
        blank = reading.score(keeping(0, 0, self.fill, facts), "logit")
        if self.reference_code:
            if len(sides[0]) < 2 or len(sides[1]) < 2:
                return None
            scores = self._as_in_reference(scores, whole, blank)
        elif whole <= blank:
            return None
        else:
            scores = [(np.maximum(score, blank) - blank) / (whole - blank) for score in scores]
        if not all(np.isfinite(part).all() for part in (*shares, *scores)):
            return None
        end = min(share[-1] for share in shares)
        grid = np.union1d(np.linspace(0, end, _GRID), [point for side in shares for point in side if point <= end])
        high, low = (np.interp(grid, share, score) for share, score in zip(shares, scores, strict=True))
        return grid, np.abs(high - low)

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        curve = self.curve(reading)
        return float("nan") if curve is None else float(np.trapezoid(curve[1], curve[0]))

    def _as_in_reference(self, scores: list[np.ndarray], whole: float, blank: float) -> list[np.ndarray]:
        first, second = scores
        with np.errstate(all="ignore"):  # what is undefined is told from the result
            if self.action == "delete":
                sides = [side / side[0] for side in (np.maximum(first, blank), second)]
                return [side / min(1.0, blank / (max(side[-1], blank) + _TINY)) for side in sides]
            first = first / min(whole, first[-1])
            return [first, second / min(whole, first[-1])]

    def _share(self, reading: Reading, side: list[Perturbation]) -> np.ndarray:
        """Return the share of the positive attribution that each level removes or adds."""
        kept, everything = reading.relevance(side), reading.relevance([self._all(reading.facts)])[0]
        whole = reading.seen[ORIGINAL].relevance if self.action == "delete" else 0.0
        share: np.ndarray = (kept - whole) / (everything - whole)
        return share

    def _top(self, facts: MapFacts) -> list[Perturbation]:
        """Return the levels that take the highest attributions first."""
        if self.reference_code:
            counts = np.arange(0, facts.positives, self.top_step)
        else:
            counts = np.unique(self._quantiles(facts))
        return [self._act(0, int(count), facts) for count in counts]

    def _bottom(self, facts: MapFacts) -> list[Perturbation]:
        """Return the levels that take the lowest positive attributions first."""
        if self.reference_code:
            counts = np.arange(0, facts.positives, self.bottom_step)
        else:
            # The lowest that hold a share k are all but the highest that hold 1 - k.
            counts = facts.positives - np.unique(self._quantiles(facts))[::-1]
        return [self._act(facts.positives - int(count), facts.positives, facts) for count in counts]

    def _quantiles(self, facts: MapFacts) -> np.ndarray:
        """Return how many of the highest hold 0, 1/steps, ... all of the positive attribution."""
        wanted = np.linspace(0, 100, self.steps + 1)
        counts = np.interp(wanted, np.arange(101), facts.quantiles)
        return np.round(counts).astype(np.int64)

    def _all(self, facts: MapFacts) -> Perturbation:
        return self._act(0, facts.positives, facts)

    def _act(self, low: int, high: int, facts: MapFacts) -> Perturbation:
        return (removing if self.action == "delete" else keeping)(low, high, self.fill, facts)


@_proportionality("tpn", title="TPN")
@dataclass(frozen=True)
class NecessityProportionality(ProportionalityGap):
    """Total proportionality for necessity: do equal shares of attribution matter equally when taken away?

    Formula
    -------
    integral over k of |y_top(k) - y_bottom(k)|, with y(k) the relative logit after the share k of positive attribution
    is taken away, from the top or from the bottom

    Reading
    -------
    0 is best: equal shares of attribution matter equally, wherever they are taken from.

    Weaknesses
    ----------
    It asks for right proportions, not for right places: a map can be proportional and useless. Values depend on the
    fill and on what is below the blank.
    """

    action: Action = "delete"


@_proportionality("tps", title="TPS", version=2)
@dataclass(frozen=True)
class SufficiencyProportionality(ProportionalityGap):
    """Total proportionality for sufficiency: do equal shares of attribution matter equally when alone?

    Formula
    -------
    integral over k of |y_top(k) - y_bottom(k)|, with y(k) the relative logit when only the share k of positive
    attribution is shown, from the top or from the bottom

    Reading
    -------
    0 is best: equal shares of attribution do equally much alone.

    Weaknesses
    ----------
    As tpn: right proportions, not right places.
    """

    action: Action = "insert"
