"""Which methods can be told apart: Friedman's test, then signed-rank tests of all pairs with Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from .ranks import rounded
from .signed_ranks import signed_rank_p

LEVEL = 0.05
_TOGETHER = 1 << 20
"""So many differences are ranked together: more would leave the processor's caches."""


class Places(NamedTuple):
    """The places around a method from which it cannot be told apart, its own among them; see `tied_places`."""

    first: int
    last: int

    @property
    def lead(self) -> bool:
        """Whether the best is among them."""
        return self.first == 1

    @property
    def alone(self) -> bool:
        """Whether the method is told apart from both neighbours."""
        return self.first == self.last

    def __str__(self) -> str:
        return str(self.first) if self.alone else f"{self.first}-{self.last}"


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p values, in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def wilcoxon_p(first: np.ndarray, second: np.ndarray) -> float:
    """Return the two-sided p value of the signed-rank test on paired scores; 1.0 where no pair differs.

    Scores and their differences are rounded (see `rounded`); `signed_ranks.signed_rank_p` has the test itself.
    """
    return float(signed_rank_p(rounded(rounded(first) - rounded(second))[None])[0])


def least_pairs(tests: int, level: float = LEVEL) -> int:
    """Return from how many paired values on one of so many signed-rank tests can be significant after correction.

    Where all n differences have one sign, the exact two-sided p value is 2 / 2**n, the smallest there is; Holm's and
    Bonferroni's correction multiply the smallest by the number of tests. So n is the least with
    ``tests * 2 / 2**n <= level``: 17 for the 1,770 pairs of 60 methods.
    """
    return math.ceil(math.log2(2 * max(tests, 1) / level))


def friedman_p(scores: np.ndarray) -> float:
    """Return the Friedman test's p value for (methods, samples); NaN for fewer than three methods or two samples."""
    methods, samples = scores.shape
    if methods < 3 or samples < 2:
        return float("nan")
    values = rounded(scores)
    if (values == values[:1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*values).pvalue)


def pair_p(scores: np.ndarray, friedman: float | None = None) -> np.ndarray:
    """Return the adjusted p value of every pair of methods: (methods, methods), symmetric, 1 on the diagonal.

    The larger of two: the p value of the Friedman test over all methods, without which no pair is told apart, and that
    of the pair's signed-rank test, adjusted by Holm over all pairs. Two methods alone need no Friedman test.

    Parameters
    ----------
    scores
        (methods, samples), without NaN.
    friedman
        The p value of the Friedman test, where it is known already.
    """
    count, samples = scores.shape
    adjusted = np.ones((count, count))
    if count < 2:
        return adjusted
    values = rounded(scores)
    first, second = np.triu_indices(count, 1)
    step = max(1, _TOGETHER // max(samples, 1))
    found = [
        signed_rank_p(rounded(values[first[begin : begin + step]] - values[second[begin : begin + step]]))
        for begin in range(0, len(first), step)
    ]
    # Of fewer than three methods Friedman's p value is NaN, which fmax passes over.
    overall = friedman_p(scores) if friedman is None else friedman
    adjusted[first, second] = adjusted[second, first] = np.fmax(holm(np.concatenate(found)), overall)
    return adjusted


def tied_places(scores: np.ndarray, standing: np.ndarray, level: float = LEVEL) -> tuple[Places, ...]:
    """Return for each method the places from which it cannot be told apart.

    If the Friedman test sees no difference between the methods, none is told apart from any. Else all pairs are tested
    (Wilcoxon's signed-rank test, p values adjusted by Holm over all pairs); `places_by` makes ties of what is found.

    Parameters
    ----------
    scores
        (methods, samples), without NaN.
    standing
        (methods,): what places are by, the smallest first: mean ranks, or ranks. Equal ones share a place.
    """
    overall = friedman_p(scores)
    # Without a look at the pairs where the first test fails.
    adjusted = np.ones((len(scores), len(scores))) if overall > level else pair_p(scores, overall)
    return places_by(adjusted, standing, level)


def places_by(adjusted: np.ndarray, standing: np.ndarray, level: float = LEVEL) -> tuple[Places, ...]:
    """Return for each method the places from which it cannot be told apart, given the p values of `pair_p`.

    Neighbouring places no two of which are told apart are a tie, as the bars of a critical difference diagram show it;
    a method's places are those of all ties that it is in. So they are neighbours, rise with the place, and hold only
    methods from which it is not told apart.

    Parameters
    ----------
    adjusted
        (methods, methods), symmetric.
    standing
        (methods,): what places are by, the smallest first. Equal ones share a place.
    """
    count = len(adjusted)
    order, place = np.argsort(standing, kind="stable"), stats.rankdata(standing, method="min").astype(np.int64)
    apart = adjusted[np.ix_(order, order)] <= level
    first, last = list(range(count)), list(range(count))
    begin = 0
    for end in range(count):
        # The longest tie that ends here begins where it no longer holds two that are told apart.
        while apart[begin:end, end].any():
            begin += 1
        first[end] = begin
        last[begin:end] = [max(known, end) for known in last[begin:end]]
    found = [Places(0, 0)] * count
    for position, method in enumerate(order.tolist()):
        found[method] = Places(int(place[order[first[position]]]), last[position] + 1)
    return tuple(found)
