"""Necessity and sufficiency ordering (Wang, Mardziel, Datta, Fredrikson 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure, Measure
from ..perturbing.fills import FILLS
from ..perturbing.levels import Levels
from ..perturbing.perturbation import ORIGINAL, MapFacts, Perturbation, Reading, keeping, removing
from ..registry import register_metric

_WANG = Reference("Wang, Mardziel, Datta, Fredrikson", 2020, "Interpreting Interpretations", "2002.07985")
_REFERENCE_CODE = {"step": 500, "extent": "positive"}
Steps = Annotated[
    int, Doc("equal steps of the ranking", source="as deletion, so that the two share their inputs", low=1)
]
Step = Annotated[int | None, Doc("positions a step instead", source="500 in the code of Wang et al.", low=1)]
Extent = Annotated[
    Literal["all", "positive"], Doc("the ranked positions", source="the code of Wang et al.: only positive ones")
]
Fill = Annotated[str, Doc("what stands for absence", source="Wang et al. 2020: zeros", choices=FILLS)]


@dataclass(frozen=True)
class OrderingArea(CurveMeasure):
    """The area under the target's logit, measured from the blank input's, over the share of the ranking.

    With f the target's logit, b its value for the blank input and x the sample, the curve is (max(f, b) - b) /
    (f(x) - b); for ``insert`` also clipped from above at f(x). ``undivided`` is the form of the reference code for
    sufficiency: max(f, b) / f(x). Undefined (NaN) where f(x) does not exceed b, nor zero in the undivided form, or
    where the ranking has fewer than two levels.

    Attributes
    ----------
    action
        ``delete`` (necessity: the top-ranked positions go) or ``insert`` (sufficiency: only they stay).
    fill
        The blank.
    levels
        How many positions at each step.
    undivided
        Whether the blank's logit is left in.
    score, unit, order
        The logit; single positions, from the highest attribution down; ties in order of position.
    """

    action: Literal["delete", "insert"]
    fill: str
    levels: Levels
    undivided: bool = False
    score: Literal["logit"] = "logit"
    unit: str = "position"
    order: str = "descending"

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

    def _levels(self, facts: MapFacts) -> list[Perturbation]:
        act = removing if self.action == "delete" else keeping
        return [act(0, count, self.fill, facts) for count in self.levels.counts(facts).tolist()]


@register_metric(
    "n_ord",
    family="faithfulness",
    higher_is_better=False,
    range=(0.0, None),
    reference=_WANG,
    presets={"wang2020": _REFERENCE_CODE},
)
def n_ord(*, steps: Steps = 28, step: Step = None, extent: Extent = "all", fill: Fill = "black") -> Measure:
    """Necessity ordering: the area under the logit while the highest-ranked positions are taken away."""
    return OrderingArea("delete", fill, Levels(steps, step, extent))


@register_metric(
    "s_ord",
    family="faithfulness",
    higher_is_better=True,
    range=(0.0, None),
    reference=_WANG,
    presets={"wang2020": {**_REFERENCE_CODE, "undivided": True}},
    version=2,
)
def s_ord(
    *,
    steps: Steps = 28,
    step: Step = None,
    extent: Extent = "all",
    fill: Fill = "black",
    undivided: Annotated[bool, Doc("leave the blank's logit in", source="the code of Wang et al.")] = False,
) -> Measure:
    """Sufficiency ordering: the area under the logit while only the highest-ranked positions are there."""
    return OrderingArea("insert", fill, Levels(steps, step, extent), undivided)
