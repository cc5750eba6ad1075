"""Intervals of what was timed in rounds: medians, and ratios of two runs' medians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .bootstrap import CONFIDENCE, RESAMPLES


class Estimate(NamedTuple):
    """A value with its 95 % interval; all NaN where there is nothing to estimate from."""

    value: float
    low: float
    high: float


NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


def median_estimate(values: Sequence[float] | np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the median over rounds with its percentile bootstrap interval."""
    rounds = np.asarray(values, np.float64)
    if not rounds.size:
        return NOTHING
    return _estimate(float(np.median(rounds)), _medians(rounds, resamples, np.random.default_rng(seed)))


def ratio_estimate(new: Sequence[float], old: Sequence[float], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the ratio of two runs' medians, the rounds of each resampled by themselves."""
    generator = np.random.default_rng(seed)
    first, second = np.asarray(new, np.float64), np.asarray(old, np.float64)
    if not (first.size and second.size):
        return NOTHING
    draws = _medians(first, resamples, generator) / _medians(second, resamples, generator)
    return _estimate(float(np.median(first) / np.median(second)), draws)


def _medians(rounds: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    draws: np.ndarray = np.median(generator.choice(rounds, (resamples, rounds.size)), axis=1)
    return draws


def _estimate(value: float, draws: np.ndarray) -> Estimate:
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return Estimate(value, float(low), float(high))
