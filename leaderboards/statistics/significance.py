"""Which methods can be told apart: Friedman's test, then signed-rank tests with Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from .ranks import rounded

LEVEL = 0.05
EXACT_PAIRS = 50
"""Up to so many pairs without ties, signed-rank tests are exact; beyond, the normal approximation is as good."""


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p values, in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def wilcoxon_p(first: np.ndarray, second: np.ndarray) -> float:
    """Return the two-sided p value of the signed-rank test on paired scores; 1.0 where no pair differs."""
    differences = rounded(rounded(first) - rounded(second))
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    tied = len(np.unique(np.abs(differences))) < len(differences)
    # With ties SciPy would enumerate all signs of small samples, which takes a second per pair of methods.
    exact = len(differences) <= EXACT_PAIRS and not tied
    return float(stats.wilcoxon(differences, method="exact" if exact else "approx").pvalue)


def friedman_p(scores: np.ndarray) -> float:
    """Return the Friedman test's p value for (methods, samples); NaN for fewer than three methods or two samples."""
    methods, samples = scores.shape
    if methods < 3 or samples < 2:
        return float("nan")
    values = rounded(scores)
    if (values == values[:1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*values).pvalue)


def tie_groups(scores: np.ndarray, order: Sequence[int], level: float = LEVEL) -> tuple[str, ...]:
    """Return a letter per method: methods that cannot be told apart from the best of their group share it.

    If the Friedman test sees no difference between the methods, all are one group. Else the best method and all that
    Wilcoxon signed-rank tests against it, adjusted by Holm, do not separate from it are group ``a``; the best of the
    rest opens group ``b``, and so on.

    Parameters
    ----------
    scores
        (methods, samples), without NaN.
    order
        The methods from best to worst.
    """
    letters = [""] * len(scores)
    remaining = list(order)
    overall = friedman_p(scores)
    number = 0
    while remaining:
        best, *others = remaining
        group = [best, *others]
        if others and not overall > level:
            adjusted = holm([wilcoxon_p(scores[best], scores[other]) for other in others])
            group = [best, *(other for other, p in zip(others, adjusted, strict=True) if p > level)]
        for method in group:
            letters[method] = _letter(number)
        remaining = [method for method in others if method not in group]
        number += 1
    return tuple(letters)


def _letter(number: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    prefix, last = divmod(number, 26)
    return (_letter(prefix - 1) if prefix else "") + chr(ord("a") + last)
