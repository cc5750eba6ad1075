"""How often the 95 % intervals of means hold the true mean, simulated: what the choice of interval rests on.

::

    pytest benchmark/runtime/test_interval_coverage.py -s      # prints the table; seconds

Each cell is the share of 20,000 simulated sets of n samples whose interval holds the mean of what they were drawn from.
Beside heatmark's interval stand the bootstrap's, by percentiles and bias-corrected and accelerated (BCa), from 1,000
resamples of 1,000 of the sets.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from heatmark.leaderboards.statistics.means import UNBOUNDED, Bounds, mean_intervals

SETS, BOOTSTRAPPED, RESAMPLES = 20_000, 1000, 1000
SIZES = (5, 10, 16, 20, 50)
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
#: What samples are drawn from, its mean, its range, and the least coverage at n = 5 and from n = 16.
SCORES: dict[str, tuple[Draw, float, Bounds, tuple[float, float]]] = {
    "normal": (lambda draw, shape: draw.normal(size=shape), 0.0, UNBOUNDED, (0.94, 0.94)),
    "uniform": (lambda draw, shape: draw.random(shape), 0.5, (0.0, 1.0), (0.93, 0.94)),
    "near both ends": (lambda draw, shape: draw.beta(0.3, 0.3, shape), 0.5, (0.0, 1.0), (0.91, 0.94)),
    "skewed": (lambda draw, shape: draw.exponential(size=shape), 1.0, (0.0, None), (0.87, 0.90)),
    "near zero": (lambda draw, shape: draw.beta(0.5, 4.0, shape), 0.5 / 4.5, (0.0, 1.0), (0.83, 0.89)),
    "hits, 50 %": (lambda draw, shape: 1.0 * (draw.random(shape) < 0.5), 0.5, (0.0, 1.0), (0.93, 0.92)),
    "hits, 10 %": (lambda draw, shape: 1.0 * (draw.random(shape) < 0.1), 0.1, (0.0, 1.0), (0.90, 0.92)),
}


def by_percentiles(values: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.percentile(draws, [2.5, 97.5], axis=1)
    return low, high


def by_bca(values: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The quantiles corrected for bias and skewness (Efron 1987); of equal values, the value."""
    mean = values.mean(axis=1, keepdims=True)
    below = ((draws < mean).mean(axis=1) + (draws <= mean).mean(axis=1)) / 2
    bias = stats.norm.ppf(np.clip(below, 1e-6, 1 - 1e-6))
    spread = ((values - mean) ** 2).sum(axis=1) ** 1.5
    skew = ((values - mean) ** 3).sum(axis=1) / np.where(spread > 0, 6 * spread, 1)
    ordered, ends = np.sort(draws, axis=1), []
    for z in stats.norm.ppf([0.025, 0.975]):
        level = stats.norm.cdf(bias + (bias + z) / (1 - skew * (bias + z)))
        place = np.rint(level * (draws.shape[1] - 1)).astype(int)
        ends.append(np.take_along_axis(ordered, place[:, None], axis=1)[:, 0])
    return ends[0], ends[1]


def coverages(name: str, size: int) -> tuple[float, float, float]:
    """Return the coverage of heatmark's interval, the percentiles' and BCa's."""
    draw, mean, bounds, _ = SCORES[name]
    generator = np.random.default_rng(size)
    values = draw(generator, (SETS, size))
    _, low, high = mean_intervals(values, np.ones(values.shape, bool), bounds)
    times = generator.multinomial(size, [1 / size] * size, size=RESAMPLES)
    some = values[:BOOTSTRAPPED]
    draws = some @ times.T / size
    ends = [(low, high), by_percentiles(some, draws), by_bca(some, draws)]
    ours, percentiles, bca = (float(((one <= mean) & (mean <= other)).mean()) for one, other in ends)
    return ours, percentiles, bca


@pytest.mark.parametrize("name", SCORES)
def test_coverage(name: str) -> None:
    """Heatmark's intervals cover what they say where samples are well-behaved, and never less than the bootstrap's."""
    least = SCORES[name][3]
    for size in SIZES:
        ours, percentiles, bca = coverages(name, size)
        print(f"{name:16} n = {size:2}: {ours:.3f}   percentiles {percentiles:.3f}   BCa {bca:.3f}")
        assert ours >= (least[0] if size < 16 else least[1])
        assert size >= 16 or ours >= max(percentiles, bca) - 0.02
