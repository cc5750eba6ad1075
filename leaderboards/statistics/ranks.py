"""Ranks of scores: rounded, so that rounding noise breaks no tie, and never disturbed by undefined values."""

from __future__ import annotations

import numpy as np
from scipy import stats

DIGITS = 6
"""Values are rounded to so many significant digits before they are ranked."""


def rounded(values: np.ndarray, digits: int = DIGITS) -> np.ndarray:
    """Return ``values`` rounded to ``digits`` significant digits; zeros and non-finite values stay as they are."""
    values = np.asarray(values, dtype=np.float64)
    usable = np.isfinite(values) & (values != 0)
    exponent = np.floor(np.log10(np.abs(np.where(usable, values, 1.0))))
    scale = 10.0 ** np.clip(digits - 1 - exponent, -300, 300)
    return np.where(usable, np.round(np.where(usable, values, 0.0) * scale) / scale, values)


def ranks(values: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Return the average ranks (1 = best) along the last axis; NaN and infinite values get NaN and disturb no rank."""
    keys = rounded(values)
    usable = np.isfinite(keys)
    keys = np.where(usable, -keys if higher_is_better else keys, np.inf)
    return np.where(usable, stats.rankdata(keys, axis=-1), np.nan)


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation of paired scores; NaN where either is constant or there are fewer than three."""
    first, second = rounded(first), rounded(second)
    if len(first) < 3 or (first == first[0]).all() or (second == second[0]).all():
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)
