"""Paired comparisons against scipy's own tests and against counts made by hand."""

from __future__ import annotations

from itertools import product
from math import isnan

import numpy as np
import pytest
from scipy import stats

from heatmark.errors import BadInput
from heatmark.leaderboards.comparing.paired import paired

NAN = float("nan")


def scores(samples, shift, seed=0):
    generator = np.random.default_rng(seed)
    first = generator.normal(size=samples)
    return first, first - shift + 0.3 * generator.normal(size=samples)


@pytest.mark.parametrize("samples", [2, 7, 20, 49])
@pytest.mark.parametrize("shift", [0.0, 0.2, -1.0])
def test_mean_interval_and_p_are_those_of_scipy(samples, shift):
    first, second = scores(samples, shift, seed=samples)
    found = paired(first, second, higher_is_better=True)
    wanted = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert found.samples == samples
    np.testing.assert_allclose(found[1:4], [(first - second).mean(), wanted.low, wanted.high], rtol=1e-12, atol=1e-15)
    assert found.p == pytest.approx(stats.wilcoxon(first, second, method="exact").pvalue, rel=1e-12)


def test_p_with_ties_is_the_share_of_all_sign_patterns():
    first = np.array([3.0, 1.0, 2.0, 5.0, 1.0, 0.0])
    second = np.array([1.0, 2.0, 0.0, 5.0, 0.0, 1.0])
    differences = (first - second)[first != second]
    ranks = stats.rankdata(abs(differences))
    middle = ranks.sum() / 2
    seen = abs(ranks[differences > 0].sum() - middle)
    patterns = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) for signs in product((0, 1), repeat=5)
    ]
    wanted = np.mean([abs(total - middle) >= seen - 1e-9 for total in patterns])
    assert paired(first, second, True).p == pytest.approx(wanted, rel=1e-12)


def test_wins_have_a_direction_and_rounding_is_a_tie():
    first = np.array([0.1, 0.3, 0.5, 0.1 + 0.2, 0.123456789])
    second = np.array([0.2, 0.1, 0.4, 0.3, 0.123456788])
    higher, lower = (paired(first, second, direction) for direction in (True, False))
    assert (higher.wins, higher.ties, higher.losses) == (2, 2, 1)
    assert (lower.wins, lower.ties, lower.losses) == (1, 2, 2)
    assert higher[:4] == lower[:4] and higher.p == lower.p
    unknown = paired(first, second, None)
    assert unknown[:4] == higher[:4]
    assert (unknown.wins, unknown.ties, unknown.losses) == (None, None, None)


def test_the_other_way_round_is_the_mirror_image():
    first, second = scores(15, 0.1)
    one, other = paired(first, second, False), paired(second, first, False)
    np.testing.assert_allclose([one.mean, one.low, one.high], [-other.mean, -other.high, -other.low], rtol=1e-12)
    assert (one.wins, one.ties, one.losses, one.p) == (other.losses, other.ties, other.wins, other.p)


def test_only_samples_that_both_have_count():
    first = np.array([1.0, NAN, 3.0, 4.0, np.inf])
    second = np.array([0.5, 2.0, NAN, 1.0, 1.0])
    found = paired(first, second, True)
    assert found == paired(first[[0, 3]], second[[0, 3]], True)
    assert (found.samples, found.wins) == (2, 2)
    assert found.mean == pytest.approx(1.75)


def test_no_sample_and_one_sample():
    nothing = paired(np.array([NAN, 1.0]), np.array([1.0, NAN]), True)
    assert nothing.samples == 0 and all(map(isnan, (*nothing[1:4], nothing.p)))
    assert nothing[4:7] == (0, 0, 0)
    one = paired(np.array([2.0]), np.array([1.0]), True)
    assert (one.mean, one.wins, one.p) == (1.0, 1, 1.0)
    assert isnan(one.low) and isnan(one.high)


def test_a_constant_difference_is_its_own_interval():
    found = paired(np.full(9, 0.75), np.full(9, 0.25), True)
    assert found[1:4] == (0.5, 0.5, 0.5)
    assert found.wins == 9
    assert found.p == pytest.approx(2 / 2**9)


def test_lengths_that_differ_are_refused():
    with pytest.raises(BadInput, match=r"\(2,\) and \(3,\)"):
        paired(np.zeros(2), np.zeros(3), True)
