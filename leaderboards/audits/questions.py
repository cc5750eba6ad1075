"""What is asked of a metric, as numbers from its values: pure functions of arrays.

Values are turned so that higher is better before they come here. Differences that are rounding noise count as none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ..statistics.means import mean_intervals
from ..statistics.ranks import ranks, rounded, spearman
from .audit import OracleComparison

SPLITS = 200
"""So many random halvings of the samples."""

FEWEST = 3
"""An order of fewer things than this says nothing."""


def comparisons(oracle: np.ndarray, controls: np.ndarray, names: Sequence[str]) -> tuple[OracleComparison, ...]:
    """Compare the oracle's map (samples,) with those of several controls (controls, samples), paired over samples."""
    differences = _differences(np.broadcast_to(oracle, controls.shape), controls)
    known = np.isfinite(differences)
    means, low, high = mean_intervals(differences, known)
    return tuple(
        OracleComparison(
            name,
            float(means[row]),
            float(low[row]),
            float(high[row]),
            _wins(differences[row]),
            int(known[row].sum()),
            len(oracle),
        )
        for row, name in enumerate(names)
    )


def reactivity(plain: np.ndarray, disrupted: np.ndarray) -> float:
    """Return how often a map scores better than the noise that replaces it, ties counting half.

    The range is [0, 1]: 1 always, 0.5 as often as not (the metric does not react), 0 never (it points the wrong way).

    Parameters
    ----------
    plain, disrupted
        Of one shape, NaN where undefined; pairs that lack one side do not count. NaN where none is left.
    """
    return _wins(_differences(plain, disrupted))


def resilience(plain: np.ndarray, slight: np.ndarray, disrupted: np.ndarray) -> float:
    """Return 1 - mean |plain - slight| / mean |plain - disrupted|, at least 0.

    The range is [0, 1]: 1 where a little noise changes nothing, 0 where it changes as much as if the map were gone.
    NaN where even that changes nothing.

    Parameters
    ----------
    plain, slight, disrupted
        Of one shape; only where all three are defined they count.
    """
    little, much = _differences(plain, slight), _differences(plain, disrupted)
    known = np.isfinite(little) & np.isfinite(much)
    whole = np.abs(much[known]).sum()
    return float(max(0.0, 1.0 - np.abs(little[known]).sum() / whole)) if whole > 0 else float("nan")


def order_kept(first: np.ndarray, second: np.ndarray) -> float:
    """Return Kendall's tau-b between the mean scores of the same maps (maps, samples) scored in two ways.

    The range is [-1, 1]; NaN where fewer than three maps are defined in both, or one side is constant.
    """
    return tau(means_of(first), means_of(second))


def retest(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's correlation, over maps and samples, of what two seeds of a metric say of the same maps.

    The range is [-1, 1]; 1 where they are the same throughout, NaN where one is constant and the other is not.
    """
    known = np.isfinite(first) & np.isfinite(second)
    one, other = rounded(first[known]), rounded(second[known])
    return 1.0 if len(one) >= FEWEST and np.array_equal(one, other) else spearman(one, other)


def split_half(values: np.ndarray, seed: int = 0, splits: int = SPLITS) -> float:
    """Return Spearman's correlation of the maps' mean scores on two random halves of the samples, averaged.

    The range is [-1, 1]: 1 where any half of the samples gives the same order. Maps that are not defined on at least
    half of the samples do not take part. NaN where fewer than three are left, or no half tells them apart.

    Parameters
    ----------
    values
        (maps, samples).
    """
    used = values[np.isfinite(values).mean(axis=1) >= 0.5]
    samples = used.shape[1]
    if len(used) < FEWEST or samples < 2:
        return float("nan")
    generator = np.random.default_rng(seed)
    chosen = np.stack([generator.permutation(samples) < samples // 2 for _ in range(splits)])
    halves = [_half_means(used, chosen), _half_means(used, ~chosen)]
    known = np.isfinite(halves[0]) & np.isfinite(halves[1])
    first, second = (_centred(ranks(np.where(known, half, np.nan), higher_is_better=True)) for half in halves)
    lengths = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    telling = (lengths > 0) & (known.sum(axis=1) >= FEWEST)
    return float(((first * second).sum(axis=1)[telling] / lengths[telling]).mean()) if telling.any() else float("nan")


def concordance(scores: np.ndarray) -> float:
    """Return Kendall's coefficient of concordance W of several metrics' orders, corrected for ties.

    The range is [0, 1]: 1 where all metrics put the maps in the same order, about 0 where their orders are unrelated.
    W is Friedman's statistic over (metrics times (maps - 1)).

    Parameters
    ----------
    scores
        (metrics, maps), higher is better. A metric that does not score every map has no part. NaN for fewer than two
        metrics or three maps, and where no metric tells any apart.
    """
    complete = scores[np.isfinite(scores).all(axis=1)]
    if len(complete) < 2 or complete.shape[1] < FEWEST:
        return float("nan")
    order = ranks(complete, higher_is_better=True)
    if (order == order[:, :1]).all():
        return float("nan")
    statistic = float(stats.friedmanchisquare(*order.T).statistic)
    return float(statistic / (len(order) * (order.shape[1] - 1)))


def taus(scores: np.ndarray) -> np.ndarray:
    """Return Kendall's tau-b between every two metrics' orders of the maps, (metrics, metrics).

    Parameters
    ----------
    scores
        (metrics, maps), higher is better; maps that one of two metrics does not score are left out for these two. A
        metric that scores all maps alike has no tau, not even with itself.
    """
    frame = pd.DataFrame(rounded(scores).T)
    found = frame.corr(method="kendall", min_periods=FEWEST).to_numpy(np.float64, copy=True)
    silent = frame.nunique().to_numpy() < 2
    found[silent] = np.nan
    found[:, silent] = np.nan
    return found


def tau(first: np.ndarray, second: np.ndarray) -> float:
    """Return Kendall's tau-b of paired numbers; NaN for fewer than three, or where one side is constant."""
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < FEWEST:
        return float("nan")
    return float(stats.kendalltau(rounded(first[known]), rounded(second[known])).statistic)


def means_of(values: np.ndarray) -> np.ndarray:
    """Return each map's mean over the samples on which it is defined, rounded: (maps, samples) to (maps,)."""
    return rounded(np.ma.masked_invalid(values).mean(axis=1).filled(np.nan))


def _differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return first - second, NaN where either is not finite, and zero where it is no more than rounding noise."""
    known = np.isfinite(first) & np.isfinite(second)
    one, other = np.where(known, first, np.nan), np.where(known, second, np.nan)
    noise = 1e-6 * np.maximum(np.abs(one), np.abs(other))
    return np.where(np.abs(one - other) <= noise, 0.0, one - other)


def _wins(differences: np.ndarray) -> float:
    known = differences[np.isfinite(differences)]
    return float(((known > 0) + 0.5 * (known == 0)).mean()) if known.size else float("nan")


def _half_means(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the means of (maps, samples) over each of several choices of samples, (choices, maps)."""
    known, weights = np.isfinite(values), chosen.astype(np.float64)
    counts = weights @ known.T
    sums = weights @ np.where(known, values, 0.0).T
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _centred(order: np.ndarray) -> np.ndarray:
    """Return ranks minus their mean, row by row; zero where there is none."""
    known = np.ma.masked_invalid(order)
    centred: np.ndarray = (known - known.mean(axis=1, keepdims=True)).filled(0.0)
    return centred
