"""The paired bootstrap: one resample of the samples serves all methods and metrics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
_BLOCK_NUMBERS = 1 << 22


def bootstrap_means(values: np.ndarray, mask: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return the means of every row under resampled samples, one resample for all rows.

    Parameters
    ----------
    values, mask
        (rows, samples); only values where ``mask`` is true count.

    Returns
    -------
    ndarray
        (resamples, rows), NaN where a resample met none of the row's values.
    """
    kept = np.where(mask, values, np.nan)
    # Sums are taken about a typical value, so that every mean of a constant row is its constant exactly.
    centre = np.array([np.median(row[used]) if used.any() else np.nan for row, used in zip(kept, mask, strict=True)])
    offsets, weights = np.where(mask, values - centre[:, None], 0.0), mask.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        blocks = [
            centre + (times @ offsets.T) / (times @ weights.T)
            for times in resamples_of(values.shape[1], resamples, seed)
        ]
    return np.concatenate(blocks) if blocks else np.empty((0, len(values)))


def interval(draws: np.ndarray, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval along the first axis; NaN where every draw is NaN."""
    tail = 50.0 * (1.0 - confidence)
    if draws.size and np.isfinite(draws).all():
        low, high = np.percentile(draws, [tail, 100.0 - tail], axis=0)
        return low, high
    low, high = np.full((2, *draws.shape[1:]), np.nan)
    known = np.isfinite(draws).any(axis=0)
    if known.any():
        low[known], high[known] = np.nanpercentile(draws[:, known], [tail, 100.0 - tail], axis=0)
    return low, high


def resamples_of(samples: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield parts (some of the resamples, samples): how often each sample was drawn."""
    generator = np.random.default_rng(seed)
    block = max(1, min(resamples, _BLOCK_NUMBERS // max(samples, 1)))
    for first in range(0, resamples if samples else 0, block):
        rows = min(block, resamples - first)
        drawn = generator.integers(0, samples, size=(rows, samples)) + samples * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * samples).reshape(rows, samples).astype(np.float64)
