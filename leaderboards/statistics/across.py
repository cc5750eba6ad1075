"""Statistics across tasks: what holds for methods beyond one network on one dataset.

Tasks are few, and those that share samples are no independent evidence. So what is resampled and tested are blocks of
tasks (rows of ranks by block), and what so few blocks cannot tell is not claimed.

Arrays are (methods, blocks): a method's mean rank in each block, 1 being best, without NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from .bootstrap import CONFIDENCE, interval, resamples_of
from .ranks import ranks, rounded
from .signed_ranks import signed_rank_p
from .significance import LEVEL, friedman_p, holm, least_pairs

LEAST_BLOCKS = least_pairs(1)
"""From so many blocks on, an interval is given. The widest that resampling has to offer goes from the lowest block to
the highest, and of n blocks all lie on one side of the middle once in 2**(n - 1): below 6 that is oftener than 1 in 20.
"""


class Spread(NamedTuple):
    """An interval per method, (methods,) each; all NaN where there are too few blocks for one."""

    low: np.ndarray
    high: np.ndarray


def spreads(values: np.ndarray, resamples: int, seed: int) -> tuple[Spread, Spread]:
    """Return the 95 % intervals of the methods' means over blocks, and of the places by these means.

    Whole blocks are drawn, the same for all methods. Percentiles of a resampled mean are too narrow where blocks are
    few: their spread is that of n - 1 of n, and their tails are a normal distribution's. They are taken further out, by
    just as much as Student's t asks for (the expanded percentile interval; Hesterberg 2015, "What teachers should know
    about the bootstrap").

    Parameters
    ----------
    values
        (methods, blocks); the smallest mean has the first place.
    resamples, seed
        Of the bootstrap.
    """
    methods, blocks = values.shape
    if blocks < LEAST_BLOCKS or not methods:
        nothing = Spread(*np.full((2, methods), np.nan))
        return nothing, nothing
    # About a typical value, so that a method with the same rank everywhere has it exactly.
    centre = np.median(values, axis=1)
    draws = np.concatenate([times @ (values - centre[:, None]).T for times in resamples_of(blocks, resamples, seed)])
    draws = centre + draws / blocks
    confidence = expanded_confidence(blocks)
    places = stats.rankdata(rounded(draws), method="min", axis=1)
    low, high = interval(places, confidence)
    return Spread(*interval(draws, confidence)), Spread(np.floor(low), np.ceil(high))


def expanded_confidence(count: int, confidence: float = CONFIDENCE) -> float:
    """Return between which percentiles of the resampled mean of so few values an interval ends (see `spreads`)."""
    reach = math.sqrt(count / (count - 1)) * stats.t.ppf((1 + confidence) / 2, count - 1)
    return float(1 - 2 * stats.norm.sf(reach))


def p_against(values: np.ndarray, one: int, level: float = LEVEL) -> np.ndarray:
    """Return the p values of every method against the one that came out best, (methods,): 1 for itself.

    The best is known only after the fact: any method might have been it. So each p value is that of the signed-rank
    test times the number of methods that a method could have lost to, all others (Bonferroni); and none is smaller than
    that of the Friedman test over all methods. A method that is truly best then loses to the seeming one in at most
    ``level`` of all cases. All are NaN where so few blocks can tell no method from the best (see `least_pairs`).
    """
    methods, blocks = values.shape
    found = np.full(methods, np.nan)
    if methods < 2 or blocks < least_pairs(methods - 1, level):
        return found
    p = signed_rank_p(rounded(rounded(values) - rounded(values[one])))
    found[:] = np.fmax(np.minimum(1.0, (methods - 1) * p), friedman_p(values))
    found[one] = 1.0
    return found


def p_ahead_of(values: np.ndarray, controls: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Return the p values of every method that is no control being ahead of all controls, (methods,).

    Which ones are controls is known before anything is seen, so Holm's correction is over the methods alone. That a
    method is ahead of all controls takes that it is ahead of each: its p value is its largest (1 where it is not
    ahead of one), which needs no correction for their number. NaN for controls, and for all methods where so few blocks
    can tell none from a control or where there is no control.

    Parameters
    ----------
    values
        (methods, blocks).
    controls
        Boolean (methods,).
    """
    found, contenders = np.full(len(values), np.nan), np.flatnonzero(~controls)
    if not (controls.any() and len(contenders)) or values.shape[1] < least_pairs(len(contenders), level):
        return found
    means = rounded(values.mean(axis=1))
    each = np.array(
        [
            np.where(
                means[contenders] < means[control],
                signed_rank_p(rounded(rounded(values[contenders]) - rounded(values[control]))),
                1.0,
            )
            for control in np.flatnonzero(controls)
        ]
    )
    found[contenders] = holm(each.max(axis=0))
    return found


def shares_beaten(order: np.ndarray) -> np.ndarray:
    """Return the share of the others that each method beats, from its ranks among them (Borda's count, 0 to 1).

    Parameters
    ----------
    order
        (metrics, methods), without NaN; averaged over metrics. Alone, a method beats nobody: NaN.
    """
    methods = order.shape[1]
    if methods < 2:
        return np.full(methods, np.nan)
    beaten: np.ndarray = ((methods - order) / (methods - 1)).mean(axis=0)
    return beaten


def ranks_by_metric(scores: np.ndarray, higher_is_better: Sequence[bool]) -> np.ndarray:
    """Return the ranks of some methods among themselves on some metrics, by their means over the samples all have.

    Parameters
    ----------
    scores
        (metrics, methods, samples).
    higher_is_better
        One per metric.

    Returns
    -------
    ndarray
        (metrics with such samples, methods)
    """
    found = []
    for values, higher in zip(scores, higher_is_better, strict=True):
        common = values[:, np.isfinite(values).all(axis=0)]
        if common.size:
            found.append(ranks(common.mean(axis=1), higher))
    return np.stack(found) if found else np.empty((0, scores.shape[1]))
