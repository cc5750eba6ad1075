"""Wilcoxon's signed-rank test of many sets of differences at once, exact where they are few, with ties too."""

from __future__ import annotations

import numpy as np
from scipy import special

EXACT_PAIRS = 50
"""Up to so many differences signed-rank tests are exact, with ties too; beyond, the normal approximation is as good."""

_COUNT_BITS = 64
"""A count of patterns of signs is at most 2**50."""


def signed_rank_p(differences: np.ndarray) -> np.ndarray:
    """Return the two-sided p value of the signed-rank test on each row of differences; 1.0 where all are zero.

    Differences of zero are left out; equal ones share their mean rank. Given the ranks, every pattern of signs is as
    likely as any other where two methods are alike, ties or not: up to `EXACT_PAIRS` differences the p value is the
    share of patterns that are at least as extreme. Beyond, it is the normal approximation's, without a correction for
    continuity.

    Parameters
    ----------
    differences
        (tests, samples), finite. What shall count as equal is equal to the last bit (see `ranks.rounded`).

    Returns
    -------
    ndarray
        (tests,)
    """
    doubled, positive = _doubled_ranks(np.asarray(differences, np.float64))
    counts = (doubled > 0).sum(axis=1)
    rises, totals = (doubled * positive).sum(axis=1), doubled.sum(axis=1)
    least = np.minimum(rises, totals - rises)
    found = np.ones(len(doubled))
    many = counts > EXACT_PAIRS
    deviations = np.sqrt((doubled[many].astype(np.float64) ** 2).sum(axis=1)) / 2
    found[many] = 2 * special.ndtr((least[many] - totals[many] / 2) / deviations)
    # Few distinct sets of ranks occur: without ties there is one for each number of differences.
    shares: dict[bytes, np.ndarray] = {}
    for row in np.flatnonzero(~many & (counts > 0)).tolist():
        used = doubled[row, len(doubled[row]) - counts[row] :]
        key = used.tobytes()
        if key not in shares:
            shares[key] = _shares_up_to(used.tolist())
        found[row] = min(1.0, 2 * shares[key][least[row]])
    return found


def signed_rank_lean(differences: np.ndarray) -> np.ndarray:
    """Return to which side the signed-rank test of each row leans: (tests,), above zero where positive ranks outweigh.

    Neither the mean nor the number of positive differences tells: few large ones may outweigh many small ones.
    """
    doubled, positive = _doubled_ranks(np.asarray(differences, np.float64))
    lean: np.ndarray = (doubled * (2 * positive - 1)).sum(axis=1)
    return lean


def _doubled_ranks(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return twice the ranks of each row's absolute values, smallest first, and whether the difference was positive.

    Twice, so that the mean ranks of ties are whole numbers; zero for differences of zero, which stand first.
    """
    # Bits of positive numbers are in the order of the numbers. The sign is sorted along in the last bit of the key.
    keys = np.abs(differences).view(np.uint64) << np.uint64(1) | (differences > 0)
    keys.sort(axis=1)
    positive, sizes = (keys & np.uint64(1)).astype(np.int64), keys >> np.uint64(1)
    tests, samples = sizes.shape
    places = np.broadcast_to(np.arange(samples), sizes.shape)
    begins = np.ones((tests, samples), bool)
    begins[:, 1:] = sizes[:, 1:] != sizes[:, :-1]
    zero = sizes == 0
    doubled = 2 * places + 2
    tied = np.flatnonzero((~begins & ~zero).any(axis=1))
    if len(tied):
        first = np.maximum.accumulate(np.where(begins[tied], places[tied], 0), axis=1)
        ends = np.ones((len(tied), samples), bool)
        ends[:, :-1] = begins[tied, 1:]
        last = np.minimum.accumulate(np.where(ends, places[tied], samples)[:, ::-1], axis=1)[:, ::-1]
        doubled[tied] = first + last + 2
    return np.where(zero, 0, doubled - 2 * zero.sum(axis=1, keepdims=True)), positive


def _shares_up_to(doubled: list[int]) -> np.ndarray:
    """Return for each sum s of doubled ranks the share of patterns of signs whose positive ranks sum to at most s."""
    total = sum(doubled)
    # One whole number holds the counts of all sums, each in bits of its own: adding a rank shifts and adds.
    counts = 1
    for rank in doubled:
        counts += counts << (_COUNT_BITS * rank)
    each = np.frombuffer(counts.to_bytes((total + 1) * _COUNT_BITS // 8, "little"), "<u8")
    shares: np.ndarray = np.cumsum(each) / 2.0 ** len(doubled)
    return shares
