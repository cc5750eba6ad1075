"""Complexity: how few positions a map singles out. No model, no ground truth: a map that is wrong can be simple."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import Measure
from ..perturbing.ranking import CleanMaps
from ..registry import register_metric
from ..scoring import Scoring

_complexity = partial(register_metric, family="complexity", higher_is_better=False, range=(0.0, None))
Summary = Literal["gini", "entropy", "count"]


@dataclass(frozen=True)
class Complexity(Measure):
    """A summary of the sizes |R| of a map's n attributions; undefined (NaN) for a map that is zero everywhere."""

    summary: Summary
    """``gini``: sum_i (2 i - n - 1) a_i / (n sum a), for a = |R| in increasing order: (n - 1) / n for one position, 0
    where all are equal. ``entropy``: - sum p ln p, for p = |R| / sum |R|: 0 for one position, ln n where all are equal.
    ``count``: how many |R| are above ``threshold`` times the largest.
    """
    threshold: float = 0.0
    """For ``count``."""

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        sizes = np.abs(CleanMaps.of(scoring.model, scoring.maps).flat.astype(np.float64))
        return np.array([self._value(row / row.max()) if row.max() > 0 else np.nan for row in sizes], np.float64)

    def _value(self, sizes: np.ndarray) -> float:
        """Return the summary of one map's sizes, the largest of which is 1."""
        if self.summary == "count":
            return float((sizes > self.threshold).sum())
        shares = sizes / sizes.sum()
        if self.summary == "gini":
            count = len(shares)
            weights = 2 * np.arange(1, count + 1) - count - 1
            return float(max(0.0, (weights * np.sort(shares)).sum() / count))
        positive = shares[shares > 0]
        return float(max(0.0, -(positive * np.log(positive)).sum()))


@_complexity(
    "sparseness",
    title="Sparseness",
    higher_is_better=True,
    range=(0.0, 1.0),
    reference=Reference("Chalasani et al.", 2020, "Concise Explanations of Neural Networks", "1810.06583"),
)
@dataclass(frozen=True)
class Sparseness(Complexity):
    """The Gini index of the attributions' sizes: 0 where all are equal, nearly 1 where one has everything.

    Formula
    -------
    sum over i of (2 i - n - 1) a_i / (n sum a), with a = |R| in increasing order (Gini index)

    Reading
    -------
    0 where all positions are equal, nearly 1 where one has everything; high is simple.

    Weaknesses
    ----------
    A wrong map can be as sparse as a right one: never a reason to prefer a method by itself.
    """

    summary: Summary = "gini"


@_complexity(
    "complexity",
    title="Complexity",
    unit="nats",
    reference=Reference(
        "Bhatt, Weller, Moura", 2020, "Evaluating and Aggregating Feature-based Model Explanations", "2005.00631"
    ),
)
@dataclass(frozen=True)
class EntropyOfSizes(Complexity):
    """The entropy of the attributions' sizes: 0 where one position has everything, ln n where all are equal.

    Formula
    -------
    - sum p ln p, with p = |R| / sum |R| (entropy in nats)

    Reading
    -------
    0 where one position has everything, ln n where all are equal; low is simple.

    Weaknesses
    ----------
    Depends on the number of positions, so other input sizes do not compare; and it asks nothing of the network.
    """

    summary: Summary = "entropy"


@_complexity(
    "effective_complexity",
    title="Effective Complexity",
    unit="positions",
    reference=Reference(
        "Nguyen, Rodríguez Martínez", 2020, "On quantitative aspects of model interpretability", "2007.07584"
    ),
)
@dataclass(frozen=True)
class EffectiveComplexity(Complexity):
    """The number of positions whose attribution is not negligible beside the largest.

    Formula
    -------
    number of positions with |R| above the threshold's share of the largest

    Reading
    -------
    Low is simple.

    Weaknesses
    ----------
    Hangs on the threshold, and on one extreme value; maps that are never quite zero count in full.
    """

    summary: Summary = "count"
    threshold: Annotated[
        float,
        Doc(
            "share of the largest size that a position must exceed",
            says="a position counts above {} of the largest size",
            source="Quantus: 1e-5",
            low=0,
            high=1,
        ),
    ] = 1e-5
