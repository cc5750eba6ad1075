"""Who wins against whom: the share of samples won by each of two methods, and whether that can be told from chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .comparable import comparable
from .ranks import rounded
from .significance import pair_p


class Wins(NamedTuple):
    """Every method against every other, (methods, methods); NaN where one of the two is not ranked."""

    share: np.ndarray
    """In [0, 1]: on which share of the samples the row's method is better than the column's, ties counting half. So a
    pair's two shares sum to 1, and the diagonal holds one half.
    """
    p: np.ndarray
    """The pair's p value by which ties are told (see `significance.pair_p`); 1 on the diagonal."""


def win_matrix(scores: np.ndarray, higher: bool, complete: np.ndarray | None = None) -> Wins:
    """Return who wins against whom on one metric.

    Parameters
    ----------
    scores
        (methods, samples), NaN where missing or undefined. Methods meet where every ranked one has a score, as they do
        in the tables (see `comparable`).
    higher
        Whether higher scores are better.
    complete
        Boolean (methods,): the methods that may be ranked; all where None.
    """
    values = np.asarray(scores, np.float64)
    methods, samples = comparable(values, np.ones(len(values), bool) if complete is None else complete)
    return wins_among(values[np.ix_(methods, samples)], higher, methods)


def wins_among(scores: np.ndarray, higher: bool, methods: np.ndarray) -> Wins:
    """Return who wins against whom among some methods of a table.

    Parameters
    ----------
    scores
        (methods that meet, samples), without NaN.
    higher
        Whether higher scores are better.
    methods
        Boolean (methods,): which ones meet.
    """
    where = np.ix_(methods, methods)
    share, p = np.full((2, len(methods), len(methods)), np.nan)
    share[where], p[where] = shares_won(scores, higher), pair_p(scores)
    return Wins(share, p)


def shares_won(scores: np.ndarray, higher: bool) -> np.ndarray:
    """Return on which share of the samples each method beats each other, ties half: (methods, methods).

    Scores that agree to six significant digits are equal (see `rounded`).
    """
    keys = rounded(scores) if higher else -rounded(scores)
    if not keys.shape[1]:
        return np.full((len(keys), len(keys)), np.nan)
    won = [((one > keys).mean(axis=1) + (one >= keys).mean(axis=1)) / 2 for one in keys]
    return np.stack(won) if won else np.empty((0, 0))
