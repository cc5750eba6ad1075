"""Correlations of two lists of numbers, undefined where one of them is constant."""

from __future__ import annotations

import numpy as np


def pearson(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation; NaN where a side is constant, not finite, or has fewer than two entries."""
    sides = [np.asarray(side, np.float64).ravel() for side in (first, second)]
    if len(sides[0]) < 2 or not all(np.isfinite(side).all() for side in sides):
        return float("nan")
    # Numbers near the limits of their type would overflow when squared.
    sides = [side / (np.abs(side).max() or 1.0) for side in sides]
    if any(np.ptp(side) == 0 for side in sides):
        return float("nan")
    centred = [side - side.mean() for side in sides]
    lengths = [float(np.sqrt((side * side).sum())) for side in centred]
    if 0.0 in lengths:
        return float("nan")
    return float(np.clip((centred[0] * centred[1]).sum() / (lengths[0] * lengths[1]), -1.0, 1.0))


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation, ties sharing their mean rank; NaN where `pearson` of the ranks is."""
    from scipy.stats import rankdata

    sides = [np.asarray(side, np.float64).ravel() for side in (first, second)]
    if not all(np.isfinite(side).all() for side in sides):
        return float("nan")
    return pearson(rankdata(sides[0]), rankdata(sides[1]))
