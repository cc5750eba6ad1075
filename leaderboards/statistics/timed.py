"""Intervals of what was timed in rounds: medians, and ratios of two runs' medians."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .bootstrap import RESAMPLES, interval


class Estimate(NamedTuple):
    """A value with its 95 % interval; all NaN where there is nothing to estimate from."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of_draws(cls, value: float, draws: np.ndarray) -> Estimate:
        """Return a value with the interval of what it was in resamples, (resamples,)."""
        low, high = interval(draws)
        return cls(value, float(low), float(high))

    def between(self, text: Callable[[float], str], form: str = "{} to {}") -> str:
        """Return the interval in words, or nothing where there is none."""
        known = math.isfinite(self.low) and math.isfinite(self.high)
        return form.format(text(self.low), text(self.high)) if known else ""

    def record(self, name: str) -> dict[str, float]:
        """Return the value and both ends as columns of a table."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


NOTHING = Estimate(math.nan)


def median_estimate(values: Sequence[float] | np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the median over rounds with its percentile bootstrap interval."""
    rounds = np.asarray(values, np.float64)
    if not rounds.size:
        return NOTHING
    return Estimate.of_draws(float(np.median(rounds)), drawn_medians(rounds, resamples, np.random.default_rng(seed)))


def ratio_estimate(new: Sequence[float], old: Sequence[float], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the ratio of two runs' medians, the rounds of each resampled by themselves."""
    generator = np.random.default_rng(seed)
    first, second = np.asarray(new, np.float64), np.asarray(old, np.float64)
    if not (first.size and second.size):
        return NOTHING
    draws = drawn_medians(first, resamples, generator) / drawn_medians(second, resamples, generator)
    return Estimate.of_draws(float(np.median(first) / np.median(second)), draws)


def drawn_medians(rounds: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return the median of each of several resamples of the rounds, (resamples,)."""
    draws: np.ndarray = np.median(generator.choice(rounds, (resamples, rounds.size)), axis=1)
    return draws
