"""Ranks, means with intervals, and ties from per-sample scores.

Raw values of different metrics are never averaged: only ranks are. All comparisons are paired: two methods meet on the
samples on which both have a score, and one resample of the samples serves all methods and metrics.

Arrays have the axes (metrics, methods, samples); NaN stands for a missing or undefined score. Ranks start at 1, the
best; ties share their average rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .bootstrap import RESAMPLES, bootstrap_means, interval
from .comparable import comparable
from .means import UNBOUNDED, Bounds, mean_intervals
from .ranks import ranks, rounded
from .significance import Places, friedman_p, places_by, tied_places
from .wins import Wins, wins_among


@dataclass(frozen=True)
class RankStatistics:
    """The statistics of one leaderboard."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """(metrics, methods): the mean over samples and its interval (see `mean_intervals`). A ranked method's are over the
    common samples, another method's over its own.
    """
    rank: np.ndarray
    """(metrics, methods): NaN where a method is not ranked."""
    samples: np.ndarray
    """(metrics, methods): on how many samples the mean rests."""
    counted: np.ndarray
    """Boolean (metrics,): the metric enters the mean rank."""
    mean_rank: np.ndarray
    mean_rank_low: np.ndarray
    mean_rank_high: np.ndarray
    """(methods,): the mean over the counted metrics of the ranks (Borda), NaN for a method without a rank on each of
    them; and the percentiles of a paired bootstrap over samples. These say how the mean rank on this very board moves
    with the samples: with other methods beside it a method has other ranks.
    """
    place: np.ndarray
    """(methods,): 1 for the best mean rank; equal mean ranks share a place; NaN where the mean rank is."""
    tied: tuple[Places | None, ...]
    """(methods,): the places from which it cannot be told apart (see `tied_places`), None where the place is NaN."""
    metric_tied: tuple[tuple[Places | None, ...], ...]
    """(metrics, methods): the same for every single metric, by its ranks."""
    friedman: float
    """The p value of the Friedman test over the placed methods, NaN where it could not be made."""
    wins: Wins
    """Who wins against whom among the placed methods, by their mean ranks on each sample: what ``tied`` was told by."""


def ranking(
    scores: np.ndarray,
    higher_is_better: Sequence[bool | None],
    complete: np.ndarray,
    resamples: int = RESAMPLES,
    seed: int = 0,
    *,
    bounds: Sequence[Bounds] | None = None,
    counting: Sequence[bool] | None = None,
) -> RankStatistics:
    """Compute everything that a leaderboard of one task and framework shows.

    Parameters
    ----------
    scores
        (metrics, methods, samples), NaN where missing or undefined.
    higher_is_better
        One per metric; None (unknown) leaves the metric unranked.
    complete
        Boolean (methods,): the method has all its cells; others get means but no ranks.
    resamples, seed
        Of the bootstrap behind the mean ranks' intervals.
    bounds
        The metrics' ranges, where they are known.
    counting
        One per metric: whether it may enter the mean rank; all may where None.
    """
    metrics, methods, samples = scores.shape
    mask = np.isfinite(scores)
    ranked = np.zeros((metrics, methods), dtype=bool)
    for m, higher in enumerate(higher_is_better):
        ranked[m], common = comparable(scores[m], complete & (higher is not None))
        mask[m, ranked[m]] = common
    shape = (metrics, methods)
    mean, low, high = np.full((3, *shape), np.nan)
    for m, ends in enumerate(bounds or [UNBOUNDED] * metrics):
        mean[m], low[m], high[m] = mean_intervals(scores[m], mask[m], ends)
    rank = _ranks_of(mean, ranked, higher_is_better)
    counted = ranked.sum(axis=1) * 2 >= max(1, int(complete.sum()))
    counted &= ranked.any(axis=1) & np.array([True] * metrics if counting is None else counting, bool)
    placed = counted.any() & ranked[counted].all(axis=0) & complete
    mean_rank, mean_rank_low, mean_rank_high, place = np.full((4, methods), np.nan)
    tied: tuple[Places | None, ...] = (None,) * methods
    friedman, wins = float("nan"), Wins(*np.full((2, methods, methods), np.nan))
    if placed.any():
        mean_rank[placed] = rank[counted][:, placed].mean(axis=0)
        used = np.flatnonzero(counted).tolist()
        directions = [higher_is_better[m] for m in used]
        flat = (len(used) * methods, samples)
        draws = bootstrap_means(scores[used].reshape(flat), mask[used].reshape(flat), resamples, seed)
        drawn = _ranks_of(draws.reshape(-1, len(used), methods), ranked[used], directions)[:, :, placed].mean(axis=1)
        mean_rank_low[placed], mean_rank_high[placed] = interval(drawn)
        place[placed] = stats.rankdata(rounded(mean_rank[placed]), method="min")
        per_sample = sample_ranks(scores, mask, counted, placed, higher_is_better)
        friedman = friedman_p(per_sample)
        wins = wins_among(per_sample, False, placed)
        tied = _spread(places_by(wins.p[np.ix_(placed, placed)], place[placed]), placed)
    metric_tied = tuple(
        _spread(
            tied_places(scores[m][np.ix_(ranked[m], mask[m][ranked[m]].all(axis=0))], rank[m, ranked[m]]), ranked[m]
        )
        for m in range(metrics)
    )
    return RankStatistics(
        mean,
        low,
        high,
        rank,
        mask.sum(axis=2),
        counted,
        mean_rank,
        mean_rank_low,
        mean_rank_high,
        place,
        tied,
        metric_tied,
        friedman,
        wins,
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


def _ranks_of(means: np.ndarray, ranked: np.ndarray, higher_is_better: Sequence[bool | None]) -> np.ndarray:
    """Return ranks over the last axis of (..., metrics, methods), each metric in its own direction."""
    usable = np.where(ranked, means, np.nan)
    found = np.full(usable.shape, np.nan)
    for m, higher in enumerate(higher_is_better):
        if higher is not None:
            found[..., m, :] = ranks(usable[..., m, :], higher)
    return found


def _spread(found: Sequence[Places], where: np.ndarray) -> tuple[Places | None, ...]:
    """Return one entry per method, None for the methods that were not tested."""
    remaining = iter(found)
    return tuple(next(remaining) if tested else None for tested in where)
