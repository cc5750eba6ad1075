"""Robustness: does a map stay when the sample moves a little?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, Measure, Want
from ..registry import register_metric
from ..scoring import Scoring
from .neighbourhood import FLOOR, Neighbourhood, Noise

_YEH = Reference(
    "Yeh, Hsieh, Suggala, Inouye, Ravikumar", 2019, "On the (In)fidelity and Sensitivity of Explanations", "1901.09392"
)
_AGARWAL = Reference("Agarwal et al.", 2022, "Rethinking Stability for Attribution-based Explanations", "2203.06877")
#: What happens to a neighbour for which the network predicts another class: it counts, it is left out, or the sample
#: has no value.
Flipped = Literal["keep", "skip", "nan"]
#: What a change is divided by: the map's norm (NaN where that is zero; one in ``norm_or_one``), or nothing.
Relative = Literal["norm", "norm_or_one", "none"]


@dataclass(frozen=True)
class NeighbourMeasure(Measure):
    """A metric that is the largest, or the mean, of some change over the neighbours of a sample.

    The value is NaN where the change is undefined for a neighbour that counts, or no neighbour counts.

    Attributes
    ----------
    neighbourhood
        The neighbours.
    flipped
        What happens to those with another predicted class.
    """

    wants: ClassVar[frozenset[Want]] = frozenset({"method"})

    neighbourhood: Neighbourhood
    flipped: Flipped

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
    """The change of the map, ||e - e'|| / ||e||: the largest over the neighbours, or the mean.

    Attributes
    ----------
    aggregate
        ``max`` or ``mean``.
    relative
        What the change is divided by.
    """

    aggregate: Literal["max", "mean"]
    relative: Relative

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        changes = self.neighbourhood.map_changes(scoring).distance
        if self.relative != "none":
            with np.errstate(all="ignore"):  # a map with infinity has changes of NaN
                norms = np.linalg.norm(scoring.flat_maps, axis=1)
            changes = changes / np.where(norms == 0, 1.0 if self.relative == "norm_or_one" else np.nan, norms)
        return self.over_neighbours(scoring, changes, largest=self.aggregate == "max")


@dataclass(frozen=True)
class LocalLipschitz(NeighbourMeasure):
    """The largest ||e - e'|| / ||x - x'|| over the neighbours, with inputs in raw units.

    Attributes
    ----------
    scaled
        Whether maps are divided by their largest absolute values first.
    """

    scaled: bool

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

    Attributes
    ----------
    against
        ``input`` or ``output``.
    """

    against: Literal["input", "output"]

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


Radius = Annotated[float, Doc("size of the noise, in raw units", source="Captum: 0.02", low=0)]
Samples = Annotated[int, Doc("neighbours", source="Captum: 10", low=1)]
NoiseKind = Annotated[
    Noise, Doc("uniform in the radius, normal of that deviation, or uniform and positive", source="Captum: uniform")
]
FlippedOf = Annotated[Flipped, Doc("neighbours with another predicted class", source="the definition")]
RelativeOf = Annotated[Relative, Doc("what the change is divided by", source="Yeh et al. 2019; zero: heatmark")]

_WIDE: dict[str, Any] = {"radius": 0.2, "samples": 200}
_SENSITIVITY: dict[str, dict[str, Any]] = {
    "captum": {"radius": 0.02, "samples": 10, "relative": "norm_or_one"},
    "quantus": _WIDE,
}


@register_metric(
    "max_sensitivity",
    family="robustness",
    higher_is_better=False,
    range=(0.0, None),
    reference=_YEH,
    presets=_SENSITIVITY,
)
def max_sensitivity(
    *,
    radius: Radius = 0.02,
    samples: Samples = 10,
    noise: NoiseKind = "uniform",
    relative: RelativeOf = "norm",
    flipped: FlippedOf = "keep",
) -> Measure:
    """The largest relative change of the map among noisy copies of the sample."""
    return Sensitivity(Neighbourhood(noise, radius, samples), flipped, "max", relative)


@register_metric(
    "avg_sensitivity",
    family="robustness",
    higher_is_better=False,
    range=(0.0, None),
    reference=_YEH,
    presets={"quantus": _WIDE},
)
def avg_sensitivity(
    *,
    radius: Radius = 0.02,
    samples: Samples = 10,
    noise: NoiseKind = "uniform",
    relative: RelativeOf = "norm",
    flipped: FlippedOf = "keep",
) -> Measure:
    """The mean relative change of the map among noisy copies of the sample."""
    return Sensitivity(Neighbourhood(noise, radius, samples), flipped, "mean", relative)


@register_metric(
    "local_lipschitz",
    family="robustness",
    higher_is_better=False,
    range=(0.0, None),
    reference=Reference("Alvarez-Melis, Jaakkola", 2018, "On the Robustness of Interpretability Methods", "1806.08049"),
    presets={"quantus": {"radius": 0.1, "samples": 200, "noise": "normal", "scaled": True}},
)
def local_lipschitz(
    *,
    radius: Radius = 0.02,
    samples: Samples = 10,
    noise: NoiseKind = "uniform",
    scaled: Annotated[bool, Doc("divide maps by their largest absolute values", source="the definition")] = False,
    flipped: FlippedOf = "keep",
) -> Measure:
    """The largest change of the map per change of the input among noisy copies of the sample."""
    return LocalLipschitz(Neighbourhood(noise, radius, samples), flipped, scaled)


_STABILITY: dict[str, dict[str, Any]] = {"quantus": {**_WIDE, "noise": "positive", "flipped": "nan"}}


@register_metric(
    "relative_input_stability",
    family="robustness",
    higher_is_better=False,
    range=(0.0, None),
    reference=_AGARWAL,
    presets=_STABILITY,
)
def relative_input_stability(
    *, radius: Radius = 0.02, samples: Samples = 10, noise: NoiseKind = "uniform", flipped: FlippedOf = "skip"
) -> Measure:
    """The largest relative change of the map per relative change of the input, prediction kept."""
    return RelativeStability(Neighbourhood(noise, radius, samples), flipped, "input")


@register_metric(
    "relative_output_stability",
    family="robustness",
    higher_is_better=False,
    range=(0.0, None),
    reference=_AGARWAL,
    presets=_STABILITY,
)
def relative_output_stability(
    *, radius: Radius = 0.02, samples: Samples = 10, noise: NoiseKind = "uniform", flipped: FlippedOf = "skip"
) -> Measure:
    """The largest relative change of the map per change of the logits, prediction kept."""
    return RelativeStability(Neighbourhood(noise, radius, samples), flipped, "output")
