"""How many positions of a ranking are touched at each level of a curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .perturbations import MapFacts


@dataclass(frozen=True)
class Levels:
    """The levels of a perturbation curve, as counts of top-ranked positions.

    Attributes
    ----------
    steps
        The number of equal steps from none to all; a map with fewer positions has one step each.
    step
        A fixed number of positions a step instead (then ``steps`` does not count).
    extent
        ``all`` positions, or only the ``positive`` ones: then the last count is the largest below their number, as in
        the reference code of Wang et al. 2020, or their number itself for equal steps.
    """

    steps: int
    step: int | None = None
    extent: str = "all"

    def counts(self, facts: MapFacts) -> np.ndarray:
        """Return the increasing counts, beginning with 0."""
        whole = facts.positions if self.extent == "all" else facts.positives
        if self.step is None:
            return np.unique(np.round(np.linspace(0, whole, min(self.steps, max(whole, 1)) + 1)).astype(np.int64))
        counts = np.arange(0, max(whole, 1), self.step)
        return np.append(counts, whole) if self.extent == "all" and whole > counts[-1] else counts
