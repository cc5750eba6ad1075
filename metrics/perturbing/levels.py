"""How many units of a ranking are touched at each level of a curve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from .perturbation import MapFacts, Perturbation, keeping, removing

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
            return _equal_steps(whole, min(self.steps, max(whole, 1)))
        end = whole if self.most is None else min(whole, self.most)
        counts = np.arange(0, max(end, 1), self.step)
        return np.append(counts, end) if self.extent == "all" and end > counts[-1] else counts


def at_levels(
    counts: np.ndarray, fill: str, facts: MapFacts, *, insert: bool, ascending: bool = False
) -> tuple[Perturbation, ...]:
    """Return a curve's perturbations: so many units inserted on the filled canvas each time, or deleted.

    Parameters
    ----------
    counts
        How many.
    fill
        What stands where nothing is kept.
    facts
        Of the map.
    insert
        Whether they are inserted.
    ascending
        Whether those with the lowest attribution come first.
    """
    return _at_levels(tuple(counts.tolist()), fill, facts.positions, facts.unit, insert, ascending)


@lru_cache(maxsize=1024)
def _at_levels(
    counts: tuple[int, ...], fill: str, total: int, unit: str, insert: bool, ascending: bool
) -> tuple[Perturbation, ...]:
    """Return what `at_levels` does, which very many maps share."""
    act, facts = keeping if insert else removing, MapFacts(total, 0, unit=unit)
    if ascending:
        return tuple(act(total - count, total, fill, facts) for count in counts)
    return tuple(act(0, count, fill, facts) for count in counts)


@lru_cache(maxsize=1024)
def _equal_steps(whole: int, steps: int) -> np.ndarray:
    """Return the counts of equal steps, which very many curves share; they cannot be changed."""
    counts = np.unique(np.round(np.linspace(0, whole, steps + 1)).astype(np.int64))
    counts.flags.writeable = False
    return counts
