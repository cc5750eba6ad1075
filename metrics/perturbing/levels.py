"""How many units of a ranking are touched at each level of a curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from .perturbation import MapFacts

Extent = Literal["all", "positive"]
EqualSteps = Annotated[
    int,
    Doc(
        "steps from nothing to everything",
        says="{} equal steps from nothing to everything",
        when="step=none",
        source="as deletion, to share its inputs",
        low=1,
    ),
]
"""Of a metric whose steps may be counted in units instead."""


@dataclass(frozen=True)
class Levels:
    """The levels of a perturbation curve, as counts of ranked units.

    A metric that leaves some of them open declares these again, with a `Doc`, in a class of its own.
    """

    steps: int = 28
    """The number of equal steps from none to all; a map with fewer units has one step each."""
    step: int | None = None
    """A fixed number of units a step instead (then ``steps`` does not count)."""
    extent: Extent = "all"
    """``all`` units, or only the ``positive`` ones: then the last count is the largest below their number, as in the
    reference code of Wang et al. 2020, or their number itself for equal steps.
    """
    most: int | None = None
    """With ``step``: stop after so many units."""
    shares: tuple[float, ...] = ()
    """These shares of the units instead of any steps."""

    def counts(self, facts: MapFacts) -> np.ndarray:
        """Return the increasing counts, beginning with 0; for ``shares`` one each, some equal where units are few."""
        whole = facts.positions if self.extent == "all" else facts.positives
        if self.shares:
            return np.round(np.array(self.shares) * whole).astype(np.int64)
        if self.step is None:
            return np.unique(np.round(np.linspace(0, whole, min(self.steps, max(whole, 1)) + 1)).astype(np.int64))
        end = whole if self.most is None else min(whole, self.most)
        counts = np.arange(0, max(end, 1), self.step)
        return np.append(counts, end) if self.extent == "all" and end > counts[-1] else counts
