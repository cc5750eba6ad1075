"""Means over samples with 95 % intervals that cover what they say, also where samples are few.

Which interval was chosen by its coverage in simulations (`benchmark/runtime/test_interval_coverage.py`): Student's t
where values vary freely, Wilson's score interval where each sample either hits or misses.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

CONFIDENCE = 0.95

#: The smallest and the largest possible value; None where there is no bound.
Bounds = tuple[float | None, float | None]
UNBOUNDED: Bounds = (None, None)


def mean_intervals(
    values: np.ndarray, mask: np.ndarray, bounds: Bounds = UNBOUNDED, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of every row over its samples, and the interval's two ends.

    Parameters
    ----------
    values, mask
        (rows, samples); only values where ``mask`` is true count.
    bounds
        The range of the values. No interval goes beyond it. Where it has two ends and every value of every row is one
        of them, samples are hits and misses, and the interval is Wilson's.

    Returns
    -------
    mean, low, high
        (rows,). All NaN where a row has no value. Of equal values the interval is that value (Student) or what so many
        hits in a row leave open (Wilson). A single value that is not a hit or a miss says nothing of its spread: no
        interval, NaN.
    """
    kept, counts = np.where(mask, values, np.nan), mask.sum(axis=1)
    # Sums are taken about a typical value, so that a constant row has its constant as mean and interval exactly.
    centre = np.array([np.median(row[used]) if used.any() else np.nan for row, used in zip(kept, mask, strict=True)])
    offsets = np.where(mask, values - centre[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = offsets.sum(axis=1) / counts
        mean = centre + shift
        if _hits_and_misses(values[mask], bounds):
            low, high = _wilson(mean, counts, bounds, confidence)
        else:
            squares = np.where(mask, (offsets - shift[:, None]) ** 2, 0.0).sum(axis=1)
            error = np.sqrt(squares / (counts - 1) / counts)
            reach = np.where(error == 0, 0.0, stats.t.ppf((1 + confidence) / 2, counts - 1) * error)
            low, high = mean - reach, mean + reach
    if bounds != UNBOUNDED:
        low, high = np.clip(low, *bounds), np.clip(high, *bounds)
    return mean, low, high


def _hits_and_misses(values: np.ndarray, bounds: Bounds) -> bool:
    ends = [end for end in bounds if end is not None]
    return len(ends) == 2 and bool(np.isin(values, ends).all())


def _wilson(mean: np.ndarray, counts: np.ndarray, bounds: Bounds, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's score interval of a share of hits, in the units of the values."""
    lowest, highest = (float(end or 0.0) for end in bounds)
    share, z = (mean - lowest) / (highest - lowest), stats.norm.ppf((1 + confidence) / 2)
    middle = (share + z**2 / (2 * counts)) / (1 + z**2 / counts)
    reach = z * np.sqrt(share * (1 - share) / counts + (z / (2 * counts)) ** 2) / (1 + z**2 / counts)
    # The ends of none and of all are those of the range, which rounding may miss.
    low, high = np.where(share == 0, 0.0, middle - reach), np.where(share == 1, 1.0, middle + reach)
    return lowest + (highest - lowest) * low, lowest + (highest - lowest) * high
