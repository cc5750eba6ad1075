"""Ranks in which rounding noise breaks no tie and undefined values disturb nothing, and correlations of them.

What stands in one table is ranked by `ranks`: values that agree to so many significant digits share a place. What two
frameworks, devices or processors gave is compared by `rank_correlation` and `clear_ranks`: two values within what
float32 rounds are a tie, wherever the digits happen to end.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

DIGITS = 6
"""Values are rounded to so many significant digits before they are ranked."""

_SMALLEST, _LARGEST = -324, 308
"""The decimal exponents of the smallest and the largest float64."""

ROUNDING = 1e-5
"""Of a map's largest absolute value: what float32 may make of any difference between two of its values."""


def rounded(values: np.ndarray, digits: int = DIGITS) -> np.ndarray:
    """Return ``values`` rounded to ``digits`` significant digits; zeros and non-finite values stay as they are."""
    values = np.asarray(values, dtype=np.float64)
    usable = np.isfinite(values) & (values != 0)
    safe = np.where(usable, values, 1.0)
    # The powers of ten for every exponent that a number can have, taken from a table: a power per value is slow.
    scales = 10.0 ** np.clip(digits - 1 - np.arange(_SMALLEST, _LARGEST + 1.0), -300, 300)
    scale = scales[np.floor(np.log10(np.abs(safe))).astype(np.int32) - _SMALLEST]
    return np.where(usable, np.round(safe * scale) / scale, values)


def ranks(values: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Return the average ranks (1 = best) along the last axis; NaN and infinite values get NaN and disturb no rank."""
    keys = rounded(values)
    usable = np.isfinite(keys)
    keys = np.where(usable, -keys if higher_is_better else keys, np.inf)
    return np.where(usable, _average_ranks(keys), np.nan)


def _average_ranks(keys: np.ndarray) -> np.ndarray:
    """Return what `scipy.stats.rankdata` gives along the last axis, in a third of the time where rows have no ties."""
    if not keys.size:
        return np.empty(keys.shape)
    rows = keys.reshape(-1, keys.shape[-1])
    order = np.argsort(rows, axis=1) + rows.shape[1] * np.arange(len(rows))[:, None]
    ordered = rows.ravel()[order]
    found = np.empty(rows.size)
    found[order.ravel()] = np.tile(np.arange(1.0, rows.shape[1] + 1), len(rows))
    found = found.reshape(rows.shape)
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if tied.any():
        found[tied] = stats.rankdata(rows[tied], axis=1)
    return found.reshape(keys.shape)


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation of paired scores; NaN where either is constant or there are fewer than three."""
    first, second = rounded(first), rounded(second)
    if len(first) < 3 or (first == first[0]).all() or (second == second[0]).all():
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)


def clear_ranks(values: np.ndarray, grain: float) -> np.ndarray:
    """Return average ranks (1 = smallest) that count only what is clearly apart.

    A rank is the number of smaller values, plus half of the equal ones, plus one half. Here every pair says how much
    of an order it has: none up to ``grain`` apart, a whole one from twice that, and in between in proportion.

    Pairs are judged, not groups. In a map of a hundred thousand positions each value has a neighbour within rounding,
    so groups joined by gaps would swallow it from end to end, and groups cut at fixed levels would part equal values
    that lie across a cut. And as the order of a pair sets in gradually, values that move by a small part of ``grain``
    move no rank by more than about that part of the number of its neighbours, whatever the gaps are: no threshold
    divides what two machines gave. Where all gaps are zero or at least twice the grain these are the usual ranks.

    Parameters
    ----------
    values
        Finite, (n,).
    grain
        What may be rounding, in units of the values; zero for the usual ranks.

    Returns
    -------
    ndarray
        float64 (n,) in [1, n], with the mean (n + 1) / 2.
    """
    values = np.asarray(values, np.float64)
    values = values - values.mean()  # for the accuracy of the sums
    # Zero up to the grain, one from twice that, a line in between: the difference of two lines that are cut off.
    orders = 2 * _cut_off_sums(values, 2 * grain) - _cut_off_sums(values, grain)
    ordered: np.ndarray = (len(values) + 1 + orders) / 2
    return ordered


def _cut_off_sums(values: np.ndarray, width: float) -> np.ndarray:
    """Return for each i the sum over all j of (v_i - v_j) / width, each cut off at -1 and 1."""
    ordered = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    below = np.searchsorted(ordered, values - width, side="left")
    reached = np.searchsorted(ordered, values + width, side="right")
    near = (reached - below) * values - (sums[reached] - sums[below])
    found: np.ndarray = below - (len(values) - reached) + (near / width if width > 0 else 0.0)
    return found


def rank_correlation(first: np.ndarray, second: np.ndarray, rounding: float = ROUNDING) -> float:
    """Return Spearman's correlation of what two frameworks, devices or processors gave, blind to rounding.

    The ranks are `clear_ranks` with a grain of ``rounding`` times each side's own largest absolute value. On a plateau
    whose values are equal but for rounding, the usual ranks are those of noise, and so is their correlation, however
    well the two sides agree. This is no tolerance on differences: one beyond the rounding counts in full.

    Parameters
    ----------
    first, second
        Of one shape.
    rounding
        A share of the largest absolute value.

    Returns
    -------
    float
        In [-1, 1]. 0 where one side is constant but for rounding while the other clearly varies. NaN where neither
        varies, where there are fewer than three values, and where one is not finite.
    """
    sides = [np.asarray(side, np.float64).ravel() for side in (first, second)]
    if len(sides[0]) < 3 or not all(np.isfinite(side).all() for side in sides):
        return float("nan")
    grains = [rounding * float(np.abs(side).max()) for side in sides]
    spans = [float(np.ptp(side)) for side in sides]
    # A side varies where at least one pair is told apart for certain; clearly, where rounding cannot undo that.
    varied = [span > 2 * grain for span, grain in zip(spans, grains, strict=True)]
    if not all(varied):
        clearly = any(span > 4 * grain for span, grain in zip(spans, grains, strict=True))
        return 0.0 if clearly else float("nan")
    one, other = (clear_ranks(side, grain) for side, grain in zip(sides, grains, strict=True))
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1.0, 1.0))
