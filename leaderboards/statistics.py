"""Ranks, paired bootstrap intervals and tie groups from per-sample scores.

Raw values of different metrics are never averaged: only ranks are. All comparisons are paired: two methods meet on the
samples on which both have a score, and one resample of the samples serves all methods and metrics.

Arrays have the axes (metrics, methods, samples); NaN stands for a missing or undefined score. Ranks start at 1, the
best; ties share their average rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

RESAMPLES = 2000
CONFIDENCE = 0.95
LEVEL = 0.05
DIGITS = 6
"""Values are rounded to so many significant digits before they are ranked, so that rounding noise breaks no tie."""

DEFINED_SHARE = 0.9
"""A method is ranked on a metric only if it has a score on this share of the samples on which any method has one."""

EXACT_PAIRS = 50
"""Up to so many pairs without ties, signed-rank tests are exact; beyond, the normal approximation is as good."""

_BLOCK_NUMBERS = 1 << 22


@dataclass(frozen=True)
class Comparable:
    """Which methods can be ranked on one metric, and on which samples.

    Attributes
    ----------
    methods
        Boolean (methods,): enough defined scores.
    samples
        Boolean (samples,): every one of these methods has a score.
    undefined
        How many of the samples that some method has a score for were lost because another lacks one.
    """

    methods: np.ndarray
    samples: np.ndarray
    undefined: int


@dataclass(frozen=True)
class Ranking:
    """The statistics of one leaderboard.

    Attributes
    ----------
    mean, low, high
        (metrics, methods): the mean over samples and its percentile interval. A ranked method's are over the common
        samples, another method's over its own.
    rank
        (metrics, methods): NaN where a method is not ranked.
    samples
        (metrics, methods): on how many samples the mean rests.
    counted
        Boolean (metrics,): the metric enters the mean rank.
    mean_rank, mean_rank_low, mean_rank_high
        (methods,): the mean over the counted metrics of the ranks (Borda), with its percentile interval; NaN for a
        method without a rank on each of them.
    place
        (methods,): 1 for the best mean rank; equal mean ranks share a place; NaN where the mean rank is.
    group
        (methods,): a letter per tie group (see `tie_groups`), empty where the place is NaN.
    metric_group
        (metrics, methods): the same for every single metric.
    friedman
        The p value of the Friedman test over the placed methods, NaN where it could not be made.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rank: np.ndarray
    samples: np.ndarray
    counted: np.ndarray
    mean_rank: np.ndarray
    mean_rank_low: np.ndarray
    mean_rank_high: np.ndarray
    place: np.ndarray
    group: tuple[str, ...]
    metric_group: tuple[tuple[str, ...], ...]
    friedman: float


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


def comparable(scores: np.ndarray, complete: np.ndarray) -> Comparable:
    """Decide which methods meet on one metric, and where.

    Parameters
    ----------
    scores
        (methods, samples).
    complete
        Boolean (methods,): the method has all its cells; others are never ranked.
    """
    defined = np.isfinite(scores)
    anywhere = defined[complete].any(axis=0)
    share = defined[:, anywhere].mean(axis=1) if anywhere.any() else np.zeros(len(scores))
    methods = complete & (share >= DEFINED_SHARE)
    samples = defined[methods].all(axis=0) & anywhere
    if not samples.any():
        methods = np.zeros_like(methods)
    return Comparable(methods, samples, int(anywhere.sum() - samples.sum()))


def bootstrap_means(
    values: np.ndarray, mask: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of every row and its means under resampled samples, one resample for all rows.

    Parameters
    ----------
    values, mask
        (rows, samples); only values where ``mask`` is true count.

    Returns
    -------
    means
        (rows,), NaN where a row has no value.
    draws
        (resamples, rows), NaN where a resample met none of the row's values.
    """
    kept = np.where(mask, values, np.nan)
    counts = mask.sum(axis=1)
    # Sums are taken about a typical value, so that a constant row has its constant as mean and interval exactly.
    centre = np.array([np.median(row[used]) if used.any() else np.nan for row, used in zip(kept, mask, strict=True)])
    offsets = np.where(mask, values - centre[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = centre + offsets.sum(axis=1) / counts
        weights = mask.astype(np.float64)
        blocks = [
            centre + (times @ offsets.T) / (times @ weights.T) for times in _resamples(values.shape[1], resamples, seed)
        ]
    return means, np.concatenate(blocks) if blocks else np.empty((0, len(values)))


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


def ranking(
    scores: np.ndarray,
    higher_is_better: Sequence[bool | None],
    complete: np.ndarray,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Ranking:
    """Compute everything that a leaderboard of one task and framework shows.

    Parameters
    ----------
    scores
        (metrics, methods, samples), NaN where missing or undefined.
    higher_is_better
        One per metric; None (unknown) leaves the metric unranked.
    complete
        Boolean (methods,): the method has all its cells; others get means but no ranks.
    """
    metrics, methods, samples = scores.shape
    mask = np.isfinite(scores)
    ranked = np.zeros((metrics, methods), dtype=bool)
    for m, higher in enumerate(higher_is_better):
        meeting = comparable(scores[m], complete & (higher is not None))
        ranked[m] = meeting.methods
        mask[m, meeting.methods] = meeting.samples
    flat = (metrics * methods, samples)
    means, draws = bootstrap_means(scores.reshape(flat), mask.reshape(flat), resamples, seed)
    low, high = interval(draws)
    mean, shape = means.reshape(metrics, methods), (metrics, methods)
    rank = _ranks_of(mean, ranked, higher_is_better)
    counted = ranked.sum(axis=1) * 2 >= max(1, int(complete.sum()))
    counted &= ranked.any(axis=1)
    placed = counted.any() & ranked[counted].all(axis=0) & complete
    mean_rank, mean_rank_low, mean_rank_high, place = np.full((4, methods), np.nan)
    group: tuple[str, ...] = ("",) * methods
    friedman = float("nan")
    if placed.any():
        mean_rank[placed] = rank[counted][:, placed].mean(axis=0)
        drawn = _ranks_of(draws.reshape(-1, *shape), ranked, higher_is_better)[:, counted][:, :, placed].mean(axis=1)
        mean_rank_low[placed], mean_rank_high[placed] = interval(drawn)
        place[placed] = stats.rankdata(rounded(mean_rank[placed]), method="min")
        per_sample = sample_ranks(scores, mask, counted, placed, higher_is_better)
        friedman = friedman_p(per_sample)
        letters = tie_groups(per_sample, np.argsort(place[placed], kind="stable").tolist())
        group = _spread(letters, placed)
    metric_group = tuple(
        _spread(
            tie_groups(
                scores[m][np.ix_(ranked[m], mask[m][ranked[m]].all(axis=0))],
                np.argsort(rank[m, ranked[m]], kind="stable").tolist(),
            ),
            ranked[m],
        )
        for m in range(metrics)
    )
    return Ranking(
        mean,
        low.reshape(shape),
        high.reshape(shape),
        rank,
        mask.sum(axis=2),
        counted,
        mean_rank,
        mean_rank_low,
        mean_rank_high,
        place,
        group,
        metric_group,
        friedman,
    )


def sample_ranks(
    scores: np.ndarray,
    mask: np.ndarray,
    counted: np.ndarray,
    placed: np.ndarray,
    higher_is_better: Sequence[bool | None],
) -> np.ndarray:
    """Return every placed method's rank on each sample, averaged over the counted metrics: (placed, samples kept)."""
    layers = []
    for m in np.flatnonzero(counted).tolist():
        common = mask[m][placed].all(axis=0)
        order = ranks(scores[m][placed].T, bool(higher_is_better[m])).T
        layers.append(np.where(common, order, np.nan))
    stack = np.stack(layers)
    known = np.isfinite(stack).all(axis=1)
    used = known.any(axis=0)
    totals = np.where(known[:, None], stack, 0.0).sum(axis=0)[:, used]
    return np.asarray(totals / known.sum(axis=0)[used])


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation of paired scores; NaN where either is constant or there are fewer than three."""
    first, second = rounded(first), rounded(second)
    if len(first) < 3 or (first == first[0]).all() or (second == second[0]).all():
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)


def _ranks_of(means: np.ndarray, ranked: np.ndarray, higher_is_better: Sequence[bool | None]) -> np.ndarray:
    """Return ranks over the last axis of (..., metrics, methods), each metric in its own direction."""
    usable = np.where(ranked, means, np.nan)
    found = np.full(usable.shape, np.nan)
    for m, higher in enumerate(higher_is_better):
        if higher is not None:
            found[..., m, :] = ranks(usable[..., m, :], higher)
    return found


def _resamples(samples: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks (some resamples, samples): how often each sample was drawn."""
    generator = np.random.default_rng(seed)
    block = max(1, min(resamples, _BLOCK_NUMBERS // max(samples, 1)))
    for first in range(0, resamples if samples else 0, block):
        rows = min(block, resamples - first)
        drawn = generator.integers(0, samples, size=(rows, samples)) + samples * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * samples).reshape(rows, samples).astype(np.float64)


def _spread(letters: Sequence[str], where: np.ndarray) -> tuple[str, ...]:
    """Return one letter per method, empty for the methods that were not tested."""
    remaining = iter(letters)
    return tuple(next(remaining) if tested else "" for tested in where)


def _letter(number: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    prefix, last = divmod(number, 26)
    return (_letter(prefix - 1) if prefix else "") + chr(ord("a") + last)
