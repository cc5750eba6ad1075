"""What a metric is: a protocol, frozen as data, and the value that follows from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from .perturbing.perturbation import POSITION, MapFacts, Perturbation, Reading
from .scoring import Scoring

#: What a metric may want besides maps: ground-truth masks, or the method that made the maps.
Want = Literal["masks", "method"]


@dataclass(frozen=True)
class Cost:
    """What some work takes of each sample, beside the shared perturbed inputs."""

    forward: int = 0
    backward: int = 0
    """Passes through the network."""
    explanations: int = 0
    """Further explanations by the method that is scored, each as dear as that method is."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.forward + other.forward, self.backward + other.backward, self.explanations + other.explanations
        )


class Measure(ABC):
    """A metric with its protocol fixed.

    Subclasses are frozen dataclasses whose fields are the protocol: everything that distinguishes one definition
    from another of the same name.
    """

    wants: ClassVar[frozenset[Want]] = frozenset()
    """What it needs besides the maps; where that is missing, it is not applicable."""
    unit: str = POSITION
    """What it ranks, if it ranks anything."""

    @property
    def bounded(self) -> bool:
        """Whether values stay in the registered range; protocols that read logits may have none."""
        return True

    def why_not(self, signed: bool | None) -> str:
        """Return why it has no meaning for maps that are declared ``signed``, or not; an empty text where it has one.

        None stands for maps of which that is not known.
        """
        return ""

    def needs(self, facts: MapFacts) -> Sequence[Perturbation]:
        """Return the perturbations of a sample whose scores the value is computed from."""
        return ()

    @abstractmethod
    def values(self, scoring: Scoring) -> np.ndarray:
        """Return each sample's value, float64 (n,); NaN where the definition gives none.

        Raises
        ------
        NotApplicable
            If the metric has no meaning for this model or data; the message is the reason.
        """

    def curve(self, reading: Reading) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the curve (x in [0, 1], y) that the value summarises, or None."""
        return None

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """Return what a sample of so many positions takes beside the perturbations that it `needs`.

        Each piece of work stands under a key; metrics of one batch that name the same key do it once together.
        """
        return {}

    def cost(self, positions: int) -> Cost:
        """Return what a sample of so many positions takes where this is the only metric."""
        return sum(self.work(positions).values(), Cost())

    def protocol(self) -> dict[str, Any]:
        """Return the protocol as plain data."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


class CurveMeasure(Measure):
    """A metric whose value follows from the scores of perturbed copies of the sample alone.

    Such values can be computed again, and new ones added, from what a run has stored.
    """

    @abstractmethod
    def needs(self, facts: MapFacts) -> Sequence[Perturbation]:
        """See `Measure.needs`."""

    @abstractmethod
    def value(self, reading: Reading) -> float:
        """Return one sample's value; NaN where the definition gives none."""

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        return np.array([self.value(reading) for reading in scoring.readings(self.unit)], np.float64)
