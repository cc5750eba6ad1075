"""Two entries on one metric, sample by sample: the difference with its interval, and who wins where."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import BadInput
from ..statistics.means import mean_intervals
from ..statistics.ranks import rounded
from ..statistics.significance import wilcoxon_p


class Paired(NamedTuple):
    """How far a first entry is from a second one, over the samples on which both have a score."""

    samples: int
    """So many have a finite score of both."""
    mean: float
    low: float
    high: float
    """The mean of first - second, in units of the metric, with its 95 % interval (Student's t); NaN without samples,
    the interval also with one.
    """
    wins: int | None
    ties: int | None
    losses: int | None
    """On how many samples the first is better than, equal to (to six significant digits) and worse than the second;
    None where it is not known which direction is better.
    """
    p: float
    """Two-sided, of the signed-rank test (`significance.wilcoxon_p`), for this pair alone; NaN without samples."""


def paired(first: np.ndarray, second: np.ndarray, higher_is_better: bool | None) -> Paired:
    """Compare two entries over the samples that both have.

    Parameters
    ----------
    first, second
        Scores of the same samples in the same order, (samples,); what is not finite counts as missing.
    higher_is_better
        The metric's direction, None where it is unknown.

    Raises
    ------
    BadInput
        If the two are not of one length.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise BadInput(
            f"Scores are compared sample by sample, so both are of one length; got the shapes {one.shape} and "
            f"{other.shape}."
        )
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    samples, nan = int(both.sum()), float("nan")
    if not samples:
        unknown = None if higher_is_better is None else 0
        return Paired(0, nan, nan, nan, unknown, unknown, unknown, nan)
    (mean,), (low,), (high,) = mean_intervals((one - other)[None], np.ones((1, samples), bool))
    interval = float(mean), float(low), float(high)
    p = wilcoxon_p(one, other)
    if higher_is_better is None:
        return Paired(samples, *interval, None, None, None, p)
    lead = np.sign(rounded(one) - rounded(other)) * (1 if higher_is_better else -1)
    return Paired(samples, *interval, int((lead > 0).sum()), int((lead == 0).sum()), int((lead < 0).sum()), p)
