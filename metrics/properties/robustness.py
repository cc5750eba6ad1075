"""Robustness: does a map stay when the sample moves a little?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, Measure, Want
from ..registry import register_metric
from ..scoring import Scoring
from .neighbourhood import FLOOR, Neighbourhood

_robustness = partial(register_metric, family="robustness", higher_is_better=False, range=(0.0, None))
_YEH = Reference(
    "Yeh, Hsieh, Suggala, Inouye, Ravikumar", 2019, "On the (In)fidelity and Sensitivity of Explanations", "1901.09392"
)
_AGARWAL = Reference("Agarwal et al.", 2022, "Rethinking Stability for Attribution-based Explanations", "2203.06877")
_NEAR = Neighbourhood()
_WIDE: dict[str, Any] = {"radius": 0.2, "samples": 200}
_STABILITY = {"quantus": {**_WIDE, "noise": "positive", "flipped": "nan"}}
#: What happens to a neighbour for which the network predicts another class: it counts, it is left out, or the sample
#: has no value.
Flipped = Literal["keep", "skip", "nan"]
#: What a change is divided by: the map's norm (NaN where that is zero; one in ``norm_or_one``), or nothing.
Relative = Literal["norm", "norm_or_one", "none"]
Aggregate = Literal["max", "mean"]
Against = Literal["input", "output"]
FlippedOf = Annotated[
    Flipped,
    Doc(
        "neighbours with another predicted class",
        says={
            "keep": "neighbours with another predicted class count",
            "skip": "neighbours with another predicted class are left out",
            "nan": "where the predicted class changes there is no value",
        },
        source="the definition",
    ),
]


@dataclass(frozen=True)
class NeighbourMeasure(Measure):
    """A metric that is the largest, or the mean, of some change over the neighbours of a sample.

    The value is NaN where the change is undefined for a neighbour that counts, or no neighbour counts.
    """

    wants: ClassVar[frozenset[Want]] = frozenset({"method"})

    neighbourhood: Neighbourhood = _NEAR
    flipped: FlippedOf = "keep"

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return self.neighbourhood.work(outputs=self.flipped != "keep")

    def over_neighbours(self, scoring: Scoring, changes: np.ndarray, *, largest: bool = True) -> np.ndarray:
        """Return the largest or mean change, float64 (n,), from changes (neighbours, n)."""
        counted = np.ones(changes.shape, bool)
        if self.flipped != "keep":
            flipped = self.neighbourhood.output_changes(scoring).flipped
            counted = ~flipped
            if self.flipped == "nan":
                changes, counted = np.where(flipped, np.nan, changes), np.ones_like(counted)
        numbers = counted.sum(axis=0)
        if largest:
            value = np.where(counted, changes, -np.inf).max(axis=0)
        else:
            value = np.where(counted, changes, 0.0).sum(axis=0) / np.maximum(numbers, 1)
        return np.asarray(np.where(numbers > 0, value, np.nan), np.float64)


@dataclass(frozen=True)
class Sensitivity(NeighbourMeasure):
    """The change of the map, ||e - e'|| / ||e||: the largest over the neighbours, or the mean."""

    relative: Annotated[
        Relative,
        Doc(
            "what the change is divided by",
            says={
                "norm": "changes are divided by the map's norm",
                "norm_or_one": "changes are divided by the map's norm, by one where that is zero",
                "none": "changes are left undivided",
            },
            source="Yeh et al. 2019; zero: heatmark",
        ),
    ] = "norm"
    aggregate: Aggregate = "max"
    """``max`` or ``mean``."""

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        changes = self.neighbourhood.map_changes(scoring).distance
        if self.relative != "none":
            with np.errstate(all="ignore"):  # a map with infinity has changes of NaN
                norms = np.linalg.norm(scoring.flat_maps, axis=1)
            changes = changes / np.where(norms == 0, 1.0 if self.relative == "norm_or_one" else np.nan, norms)
        return self.over_neighbours(scoring, changes, largest=self.aggregate == "max")


@_robustness(
    "max_sensitivity",
    title="Max-Sensitivity",
    reference=_YEH,
    presets={"captum": {"radius": 0.02, "samples": 10, "relative": "norm_or_one"}, "quantus": _WIDE},
)
@dataclass(frozen=True)
class MaxSensitivity(Sensitivity):
    """The largest relative change of the map among noisy copies of the sample.

    Formula
    -------
    max over noise d of ||R(x + d) - R(x)|| / ||R(x)||

    Reading
    -------
    0 is best: like samples have like maps.

    Weaknesses
    ----------
    A map that never changes wins, whatever the network does. The largest of few draws depends on how many there are.
    """


@_robustness("avg_sensitivity", title="Avg-Sensitivity", reference=_YEH, presets={"quantus": _WIDE})
@dataclass(frozen=True)
class MeanSensitivity(Sensitivity):
    """The mean relative change of the map among noisy copies of the sample.

    Formula
    -------
    mean over noise d of ||R(x + d) - R(x)|| / ||R(x)||

    Reading
    -------
    0 is best: like samples have like maps.

    Weaknesses
    ----------
    A map that never changes wins, whatever the network does.
    """

    aggregate: Aggregate = "mean"


@_robustness(
    "local_lipschitz",
    title="Local Lipschitz",
    reference=Reference("Alvarez-Melis, Jaakkola", 2018, "On the Robustness of Interpretability Methods", "1806.08049"),
    presets={"quantus": {"radius": 0.1, "samples": 200, "noise": "normal", "scaled": True}},
)
@dataclass(frozen=True)
class LocalLipschitz(NeighbourMeasure):
    """The largest change of the map per change of the input among noisy copies of the sample.

    ||e - e'|| / ||x - x'||, with inputs in raw units.

    Formula
    -------
    max over neighbours x' of ||R(x) - R(x')|| / ||x - x'||

    Reading
    -------
    Low is good; the unit is that of the map over that of the input.

    Weaknesses
    ----------
    Maps with large values lose by their size alone: only methods on one scale compare. Otherwise as max_sensitivity.
    """

    scaled: Annotated[
        bool,
        Doc(
            "divide maps by their largest absolute values",
            says="maps are divided by their largest absolute values",
            source="the definition",
        ),
    ] = False

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        changes = self.neighbourhood.map_changes(scoring)
        distance = changes.scaled_distance if self.scaled else changes.distance
        return self.over_neighbours(scoring, distance / np.where(changes.inputs == 0, np.nan, changes.inputs))


@dataclass(frozen=True)
class RelativeStability(NeighbourMeasure):
    """The largest ||(e - e') / e|| over the change of something else: the input, or the output.

    Divisions are made entry by entry, with 1e-6 in place of a zero; the change of the input is ||(x - x') / x||, that
    of the output the distance of the logits, and at least 1e-6.
    """

    against: Against = "input"
    """``input`` or ``output``."""
    flipped: FlippedOf = "skip"

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return self.neighbourhood.work(outputs=self.against == "output" or self.flipped != "keep")

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        changes = self.neighbourhood.map_changes(scoring)
        if self.against == "input":
            other = changes.relative_inputs
        else:
            other = self.neighbourhood.output_changes(scoring).distance
        return self.over_neighbours(scoring, changes.relative / np.maximum(other, FLOOR))


@_robustness("relative_input_stability", title="Relative Input Stability", reference=_AGARWAL, presets=_STABILITY)
@dataclass(frozen=True)
class RelativeInputStability(RelativeStability):
    """The largest relative change of the map per relative change of the input, prediction kept.

    Formula
    -------
    max over neighbours x' of ||(R(x) - R(x')) / R(x)|| / ||(x - x') / x||

    Reading
    -------
    Low is good.

    Weaknesses
    ----------
    Divisions by attributions near zero make values of any size, so a few positions decide.
    """


@_robustness("relative_output_stability", title="Relative Output Stability", reference=_AGARWAL, presets=_STABILITY)
@dataclass(frozen=True)
class RelativeOutputStability(RelativeStability):
    """The largest relative change of the map per change of the logits, prediction kept.

    Formula
    -------
    max over neighbours x' of ||(R(x) - R(x')) / R(x)|| / ||logits(x) - logits(x')||

    Reading
    -------
    Low is good: the map changes no more than the answer does.

    Weaknesses
    ----------
    As relative_input_stability; where the logits hardly move the value has no bound.
    """

    against: Against = "output"
