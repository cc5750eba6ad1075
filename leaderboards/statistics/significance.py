"""Which methods can be told apart: Friedman's test, then signed-rank tests of all pairs with Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import stats

from .ranks import rounded

LEVEL = 0.05
EXACT_PAIRS = 50
"""Up to so many differences signed-rank tests are exact, with ties too; beyond, the normal approximation is as good."""


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

    Pairs that do not differ are left out; equal differences share their mean rank. Given the ranks, every pattern of
    signs is as likely as any other where the methods are alike, ties or not: up to `EXACT_PAIRS` differences the p
    value is the share of patterns that are at least as extreme.
    """
    differences = rounded(rounded(first) - rounded(second))
    differences = differences[differences != 0]
    # Doubled, so that the mean ranks of ties are whole numbers.
    doubled = np.rint(2 * stats.rankdata(np.abs(differences))).astype(np.int64)
    rises, total = int(doubled[differences > 0].sum()), int(doubled.sum())
    least = min(rises, total - rises)
    if len(doubled) > EXACT_PAIRS:
        deviation = np.sqrt((doubled.astype(np.float64) ** 2).sum()) / 2
        return float(2 * stats.norm.cdf((least - total / 2) / deviation))
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    for rank in doubled.tolist():
        chances[rank:] = (chances[rank:] + chances[: total + 1 - rank]) / 2
        chances[:rank] /= 2
    return float(min(1.0, 2 * chances[: least + 1].sum()))


def friedman_p(scores: np.ndarray) -> float:
    """Return the Friedman test's p value for (methods, samples); NaN for fewer than three methods or two samples."""
    methods, samples = scores.shape
    if methods < 3 or samples < 2:
        return float("nan")
    values = rounded(scores)
    if (values == values[:1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*values).pvalue)


def tied_places(scores: np.ndarray, standing: np.ndarray, level: float = LEVEL) -> tuple[Places, ...]:
    """Return for each method the places from which it cannot be told apart.

    If the Friedman test sees no difference between the methods, none is told apart from any. Else all pairs are tested
    (Wilcoxon's signed-rank test, p values adjusted by Holm over all pairs). Neighbouring places no two of which are
    told apart are a tie, as the bars of a critical difference diagram show it; a method's places are those of all ties
    that it is in. So they are neighbours, rise with the place, and hold only methods from which it is not told apart.

    Parameters
    ----------
    scores
        (methods, samples), without NaN.
    standing
        (methods,): what places are by, the smallest first: mean ranks, or ranks. Equal ones share a place.
    """
    count = len(scores)
    order, place = np.argsort(standing, kind="stable"), stats.rankdata(standing, method="min").astype(np.int64)
    apart = np.zeros((count, count), bool)
    if count > 1 and not friedman_p(scores) > level:
        pairs = list(combinations(range(count), 2))
        adjusted = holm([wilcoxon_p(scores[order[one]], scores[order[other]]) for one, other in pairs])
        rows, columns = np.array(pairs).T
        apart[rows, columns] = adjusted <= level
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
