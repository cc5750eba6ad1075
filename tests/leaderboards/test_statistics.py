"""Ranks, intervals and ties against answers that are known beforehand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heatmark.leaderboards.statistics.bootstrap import bootstrap_means, interval
from heatmark.leaderboards.statistics.means import mean_intervals
from heatmark.leaderboards.statistics.ranking import comparable, ranking
from heatmark.leaderboards.statistics.ranks import ranks, rounded, spearman
from heatmark.leaderboards.statistics.significance import Places, friedman_p, holm, tied_places, wilcoxon_p

NAN = float("nan")


def scores_of(*levels, samples=30, noise=0.05, seed=0):
    """Return (methods, samples): a level per method plus independent noise."""
    generator = np.random.default_rng(seed)
    return np.array(levels)[:, None] + noise * generator.normal(size=(len(levels), samples))


def test_rounding_keeps_significant_digits():
    values = rounded(np.array([1.23456789, -123456.789, 1.23456789e-9, 0.0, NAN, np.inf, 1e-310]))
    np.testing.assert_allclose(values[:3], [1.23457, -123457, 1.23457e-9], rtol=1e-12)
    assert values[3] == 0
    assert np.isnan(values[4])
    assert np.isinf(values[5])
    assert np.isfinite(values[6])


def test_ranks_have_a_direction_and_share_ties():
    values = np.array([0.1, 0.3, 0.3, 0.2])
    assert ranks(values, higher_is_better=True).tolist() == [4, 1.5, 1.5, 3]
    assert ranks(values, higher_is_better=False).tolist() == [1, 3.5, 3.5, 2]


def test_rounding_noise_is_a_tie_and_a_real_difference_is_none():
    assert ranks(np.array([0.3, 0.1 + 0.2, 0.30001]), higher_is_better=True).tolist() == [2.5, 2.5, 1]


def test_undefined_values_have_no_rank_and_disturb_none():
    found = ranks(np.array([[2.0, NAN, 1.0, np.inf], [1.0, 2.0, 3.0, 4.0]]), higher_is_better=False)
    np.testing.assert_array_equal(found, [[2, NAN, 1, NAN], [1, 2, 3, 4]])


@pytest.mark.parametrize("constant", [0.1, -7.3, 1e-12, 12345.678901])
def test_the_interval_of_a_constant_is_that_constant(constant):
    values = np.full((1, 17), constant)
    everywhere = np.ones_like(values, dtype=bool)
    mean, low, high = mean_intervals(values, everywhere)
    assert (mean[0], low[0], high[0]) == (constant, constant, constant)
    assert (bootstrap_means(values, everywhere, resamples=50) == constant).all()


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(size=(3, 9))
    mean, low, high = mean_intervals(values, np.ones_like(values, dtype=bool))
    expected = stats.t.interval(0.95, 8, loc=values.mean(axis=1), scale=stats.sem(values, axis=1))
    np.testing.assert_allclose(mean, values.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose([low, high], expected, rtol=1e-12)


@pytest.mark.parametrize("hits", [0, 2, 16])
def test_the_interval_of_hits_and_misses_is_wilsons(hits):
    row = 100.0 * (np.arange(16) < hits)
    values = np.stack([row, 100.0 - row])
    _, low, high = mean_intervals(values, np.ones_like(values, dtype=bool), (0.0, 100.0))
    expected = stats.binomtest(hits, 16).proportion_ci(method="wilson")
    np.testing.assert_allclose([low[0], high[0]], [100 * expected.low, 100 * expected.high], atol=1e-10)
    np.testing.assert_allclose([low[1], high[1]], [100 - 100 * expected.high, 100 - 100 * expected.low], atol=1e-10)
    assert (low[0] == 0) == (hits == 0) and (high[0] == 100) == (hits == 16)
    # One value between the ends, in any row, and samples are no hits and misses.
    values[1, 3] = 50.0
    _, *ends = mean_intervals(values, np.ones_like(values, dtype=bool), (0.0, 100.0))
    assert (ends[0][0], ends[1][0]) != (low[0], high[0])


def test_a_row_without_values_has_no_interval_whatever_the_others_are():
    values = np.array([[1.0, 0.0], [np.nan, np.nan]])
    for bounds in ((0.0, 1.0), (0.0, 2.0), (None, None)):
        mean, low, high = mean_intervals(values, np.isfinite(values), bounds)
        assert np.isfinite([mean[0], low[0], high[0]]).all() and np.isnan([mean[1], low[1], high[1]]).all()


def test_no_interval_goes_beyond_the_range():
    values = np.array([[0.0, 0.0, 0.0, 0.9]])
    everywhere = np.ones_like(values, dtype=bool)
    assert mean_intervals(values, everywhere)[1][0] < 0
    assert mean_intervals(values, everywhere, (0.0, 1.0))[1][0] == 0
    assert mean_intervals(values, everywhere, (None, 0.3))[2][0] == 0.3


def test_a_single_value_has_no_interval():
    mean, low, high = mean_intervals(np.array([[0.5, 9.0]]), np.array([[True, False]]), (0.0, 1.0))
    assert mean[0] == 0.5 and np.isnan([low[0], high[0]]).all()


def test_the_bootstrap_matches_a_plain_one():
    """The same resamples, drawn and averaged one after another."""
    values = scores_of(0.0, 1.0, samples=8, seed=3)
    draws = bootstrap_means(values, np.ones_like(values, dtype=bool), resamples=20, seed=5)
    drawn = np.random.default_rng(5).integers(0, 8, size=(20, 8))
    np.testing.assert_allclose(draws, values[:, drawn].mean(axis=2).T, atol=1e-12)


def test_the_bootstrap_has_the_width_that_theory_says():
    values = np.random.default_rng(1).normal(size=(1, 400))
    draws = bootstrap_means(values, np.ones_like(values, dtype=bool), resamples=4000)
    low, high = interval(draws)
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)


def test_one_resample_serves_all_rows():
    """Rows that differ by a constant differ by it in every draw: the comparison is paired."""
    values = scores_of(0.0, samples=20)
    values = np.concatenate([values, values + 2.0])
    draws = bootstrap_means(values, np.ones_like(values, dtype=bool), resamples=100)
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 2.0, atol=1e-12)


def test_masked_values_count_nowhere():
    values = np.array([[1.0, 3.0, 1e9], [NAN, NAN, NAN]])
    used = np.isfinite(values) & (values < 1e6)
    draws = bootstrap_means(values, used, resamples=200)
    assert 1 <= np.nanmin(draws[:, 0]) <= np.nanmax(draws[:, 0]) <= 3 and np.isnan(draws[:, 1]).all()
    mean, low, high = mean_intervals(values, used)
    assert mean[0] == 2 and (low[0], high[0]) == pytest.approx(stats.t.interval(0.95, 1, 2.0, 1.0))
    assert np.isnan([mean[1], low[1], high[1]]).all()


def test_holm_by_hand():
    # Sorted: .005 x 4 = .02, .01 x 3 = .03, .03 x 2 = .06, .04 x 1 = .04 -> .06 (never below the one before).
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_values_and_bonferroni(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= np.array(p_values)).all()
    assert (adjusted <= np.minimum(1, len(p_values) * np.array(p_values)) + 1e-12).all()


def test_signed_rank_test_by_hand():
    # Six pairs, all in one direction: 2 of the 2^6 sign patterns are as extreme.
    first = np.array([1.0, 2.0, 4.0, 7.0, 11.0, 16.0])
    assert wilcoxon_p(first, np.zeros(6)) == pytest.approx(2 / 64)
    assert wilcoxon_p(first, first + 1e-12) == 1.0
    assert wilcoxon_p(np.empty(0), np.empty(0)) == 1.0


def test_signed_rank_tests_with_ties_are_exact():
    """Five rises by one and no fall: two of 2^5 patterns are as extreme. Those that stay are left out."""
    assert wilcoxon_p(np.ones(5), np.zeros(5)) == pytest.approx(2 / 2**5)
    assert wilcoxon_p(np.array([1.0, 1, 1, 1, 0, 0, 0, 0]), np.zeros(8)) == pytest.approx(2 / 2**4)
    assert wilcoxon_p(np.array([1.0, -1.0]), np.zeros(2)) == 1.0


@given(st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=9))
def test_signed_rank_tests_count_all_patterns_of_signs(differences):
    values = np.array(differences, float)
    ranked = stats.rankdata(np.abs(values))
    signs = np.array(np.meshgrid(*[[0, 1]] * len(values))).reshape(len(values), -1)
    sums, seen, middle = ranked @ signs, ranked[values > 0].sum(), ranked.sum() / 2
    extreme = (np.abs(sums - middle) >= abs(seen - middle) - 1e-9).mean()
    assert wilcoxon_p(values, np.zeros(len(values))) == pytest.approx(extreme)


@pytest.mark.parametrize(("count", "method"), [(3, "exact"), (20, "exact"), (50, "exact"), (51, "approx")])
def test_signed_rank_tests_agree_with_scipy(count, method):
    differences = np.random.default_rng(count).normal(0.2, 1.0, count)
    expected = stats.wilcoxon(rounded(differences), method=method).pvalue
    assert wilcoxon_p(differences, np.zeros(count)) == pytest.approx(expected, rel=1e-6)


def test_many_signed_ranks_with_ties_agree_with_scipy():
    differences = np.random.default_rng(0).normal(0.2, 1.0, 80).round(1)
    assert wilcoxon_p(differences, np.zeros(80)) == pytest.approx(stats.wilcoxon(differences, method="approx").pvalue)


def test_friedman_agrees_with_its_formula():
    scores = scores_of(0.0, 0.05, 0.1, samples=15)
    places = stats.rankdata(scores, axis=0).sum(axis=1)
    statistic = 12 / (15 * 3 * 4) * (places**2).sum() - 3 * 15 * 4
    assert friedman_p(scores) == pytest.approx(stats.chi2.sf(statistic, 2))
    assert friedman_p(np.ones((3, 10))) == 1.0
    assert np.isnan(friedman_p(scores[:2]))


def test_identical_methods_tie():
    one = scores_of(0.5)[0]
    assert tied_places(np.stack([one, one, one]), np.array([1, 1, 1])) == (Places(1, 3),) * 3
    found = ranking(np.stack([[one, one, one]]), [True], np.ones(3, bool))
    assert found.rank[0].tolist() == [2, 2, 2]
    assert found.place.tolist() == [1, 1, 1]
    assert found.tied == (Places(1, 3),) * 3
    np.testing.assert_array_equal(found.mean_rank_low, [2, 2, 2])


def test_ties_are_neighbouring_places():
    scores = scores_of(0.0, 0.001, 1.0, 1.001, 2.0)
    found = tied_places(scores, np.arange(1, 6))
    assert [str(places) for places in found] == ["1-2", "1-2", "3-4", "3-4", "5"]
    assert [places.lead for places in found] == [True, True, False, False, False]
    assert [places.alone for places in found] == [False, False, False, False, True]
    # The order in which methods are given does not matter.
    assert tied_places(scores[::-1], np.arange(5, 0, -1)) == found[::-1]


def test_ties_overlap_where_a_method_stands_between():
    """The middle one is told apart from neither neighbour, but these are from each other."""
    scores = scores_of(0.0, 0.45, 0.9, samples=25, noise=1.0, seed=1)
    assert (
        wilcoxon_p(scores[0], scores[2]) * 3
        < 0.05
        < min(wilcoxon_p(scores[0], scores[1]), wilcoxon_p(scores[1], scores[2]))
    )
    assert tied_places(scores, np.arange(1, 4)) == (Places(1, 2), Places(1, 3), Places(2, 3))


def test_ties_rise_with_the_place_whatever_the_tests_say():
    """The noisy first is not told apart from the third, which is from the second between them."""
    generator = np.random.default_rng(0)
    steady = generator.normal(size=30)
    scores = np.stack([20 * generator.normal(size=30), steady, steady + 0.1, steady + 5])
    found = tied_places(scores, np.arange(1, 5))
    assert all(one.first <= two.first and one.last <= two.last for one, two in pairwise(found))
    assert found[1].last == 2 and found[2].first == 3


def test_two_methods_are_tested_without_friedman():
    assert tied_places(scores_of(0.0, 1.0), np.array([1, 2])) == (Places(1, 1), Places(2, 2))


def test_pairs_wait_for_the_friedman_test():
    """One pair may look different by chance; where the methods as a whole do not differ, no pair is tested."""
    scores = scores_of(*[0.0] * 12, samples=10, seed=11)
    assert friedman_p(scores) > 0.05
    assert set(tied_places(scores, np.arange(1, 13))) == {Places(1, 12)}


def test_equal_means_share_a_place_also_where_they_are_told_apart():
    scores = np.stack([np.r_[np.ones(20), 0], np.r_[np.zeros(20), 20]])
    assert tied_places(scores, np.array([1.5, 1.5])) == (Places(1, 1), Places(1, 2))


def test_a_method_better_on_every_sample_wins():
    base = scores_of(0.5, 0.52, 0.54, noise=0.1)
    best = base.max(axis=0) + 0.01
    scores = np.stack([[*base, best], [*(-base), -best]])
    found = ranking(scores, [True, False], np.ones(4, bool))
    assert found.rank[:, 3].tolist() == [1, 1]
    assert (found.mean_rank[3], found.mean_rank_low[3], found.mean_rank_high[3]) == (1, 1, 1)
    assert found.place[3] == 1
    assert found.tied[3] == Places(1, 1)
    assert not any(places.lead for places in found.tied[:3])
    assert found.friedman < 1e-6


def test_mean_ranks_average_ranks_and_no_values():
    """The second metric's huge numbers weigh no more than the first's."""
    scores = np.stack([scores_of(3.0, 2.0, 1.0), 1e6 * scores_of(1.0, 3.0, 2.0)])
    found = ranking(scores, [True, True], np.ones(3, bool))
    assert found.rank.tolist() == [[1, 2, 3], [3, 1, 2]]
    assert found.mean_rank.tolist() == [2, 1.5, 2.5]
    assert found.place.tolist() == [2, 1, 3]


def test_incomplete_methods_get_means_but_no_ranks():
    scores = scores_of(3.0, 2.0, 1.0)[None]
    scores[0, 0, 10:] = NAN
    found = ranking(scores, [True], np.array([False, True, True]))
    np.testing.assert_array_equal(found.rank, [[NAN, 1, 2]])
    np.testing.assert_array_equal(found.place, [NAN, 1, 2])
    assert found.tied == (None, Places(1, 1), Places(2, 2))
    assert found.mean[0, 0] == pytest.approx(scores[0, 0, :10].mean())
    assert found.samples.tolist() == [[10, 30, 30]]


def test_ranked_methods_meet_on_common_samples():
    """Method 0 lacks its best sample, so method 1 is judged without that sample too."""
    scores = np.ones((1, 2, 20))
    scores[0, 1] = 0.9
    scores[0, 1, 7] = 100.0
    scores[0, 0, 7] = NAN
    found = ranking(scores, [True], np.ones(2, bool))
    assert found.samples.tolist() == [[19, 19]]
    assert found.rank.tolist() == [[1, 2]]
    assert found.mean[0, 1] == pytest.approx(0.9)


def test_a_method_that_is_mostly_undefined_takes_no_samples_from_others():
    scores = scores_of(3.0, 2.0, 1.0)
    scores[2, 4:] = NAN
    scores[:, 0] = NAN
    methods, samples = comparable(scores, np.ones(3, bool))
    assert methods.tolist() == [True, True, False]
    assert samples.sum() == 29


def test_a_metric_that_few_methods_have_does_not_count():
    scores = np.stack([scores_of(3.0, 2.0, 1.0), scores_of(1.0, 2.0, 3.0)])
    scores[1, :2] = NAN
    found = ranking(scores, [True, True], np.ones(3, bool))
    assert found.counted.tolist() == [True, False]
    assert found.place.tolist() == [1, 2, 3]


def test_nothing_to_rank():
    for shape in ((0, 0, 0), (1, 2, 0), (0, 2, 5), (2, 0, 0)):
        found = ranking(np.full(shape, NAN), [True] * shape[0], np.ones(shape[1], bool))
        assert np.isnan(found.place).all()
        assert found.mean.shape == shape[:2]
    found = ranking(np.full((1, 2, 5), NAN), [True], np.ones(2, bool))
    assert np.isnan(found.rank).all()


def test_results_repeat_for_a_seed():
    scores = np.stack([scores_of(0.0, 0.01, 0.02, seed=seed) for seed in range(7)])
    one, two, other = (ranking(scores, [True] * 7, np.ones(3, bool), 9, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.mean_rank_low, two.mean_rank_low)
    assert (one.mean_rank_low != other.mean_rank_low).any()


def test_spearman():
    assert spearman(np.array([1.0, 2, 3, 9]), np.array([2.0, 5, 6, 7])) == pytest.approx(1)
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))
    assert np.isnan(spearman(np.arange(2.0), np.arange(2.0)))
