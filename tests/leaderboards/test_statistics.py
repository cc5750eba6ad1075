"""Ranks, intervals and tie groups against answers that are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heatmark.leaderboards.statistics.bootstrap import bootstrap_means, interval
from heatmark.leaderboards.statistics.ranking import comparable, ranking
from heatmark.leaderboards.statistics.ranks import ranks, rounded, spearman
from heatmark.leaderboards.statistics.significance import friedman_p, holm, tie_groups, wilcoxon_p

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
    means, draws = bootstrap_means(values, np.ones_like(values, dtype=bool), resamples=50)
    low, high = interval(draws)
    assert (means[0], low[0], high[0]) == (constant, constant, constant)


def test_the_bootstrap_matches_a_plain_one():
    """The same resamples, drawn and averaged one after another."""
    values = scores_of(0.0, 1.0, samples=8, seed=3)
    _, draws = bootstrap_means(values, np.ones_like(values, dtype=bool), resamples=20, seed=5)
    drawn = np.random.default_rng(5).integers(0, 8, size=(20, 8))
    np.testing.assert_allclose(draws, values[:, drawn].mean(axis=2).T, atol=1e-12)


def test_the_interval_has_the_width_that_theory_says():
    values = np.random.default_rng(1).normal(size=(1, 400))
    _, draws = bootstrap_means(values, np.ones_like(values, dtype=bool), resamples=4000)
    low, high = interval(draws)
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)


def test_one_resample_serves_all_rows():
    """Rows that differ by a constant differ by it in every draw: the comparison is paired."""
    values = scores_of(0.0, samples=20)
    values = np.concatenate([values, values + 2.0])
    _, draws = bootstrap_means(values, np.ones_like(values, dtype=bool), resamples=100)
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 2.0, atol=1e-12)


def test_masked_values_count_nowhere():
    values = np.array([[1.0, 3.0, 1e9], [NAN, NAN, NAN]])
    means, draws = bootstrap_means(values, np.isfinite(values) & (values < 1e6), resamples=200)
    low, high = interval(draws)
    assert means[0] == 2
    assert 1 <= low[0] <= high[0] <= 3
    assert np.isnan([means[1], low[1], high[1]]).all()


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


def test_friedman_agrees_with_its_formula():
    scores = scores_of(0.0, 0.05, 0.1, samples=15)
    places = stats.rankdata(scores, axis=0).sum(axis=1)
    statistic = 12 / (15 * 3 * 4) * (places**2).sum() - 3 * 15 * 4
    assert friedman_p(scores) == pytest.approx(stats.chi2.sf(statistic, 2))
    assert friedman_p(np.ones((3, 10))) == 1.0
    assert np.isnan(friedman_p(scores[:2]))


def test_identical_methods_tie():
    one = scores_of(0.5)[0]
    assert tie_groups(np.stack([one, one, one]), [0, 1, 2]) == ("a", "a", "a")
    found = ranking(np.stack([[one, one, one]]), [True], np.ones(3, bool))
    assert found.rank[0].tolist() == [2, 2, 2]
    assert found.place.tolist() == [1, 1, 1]
    assert found.group == ("a", "a", "a")
    np.testing.assert_array_equal(found.mean_rank_low, [2, 2, 2])


def test_separable_methods_form_groups_in_order():
    scores = scores_of(0.0, 0.001, 1.0, 1.001, 2.0)
    assert tie_groups(scores, [0, 1, 2, 3, 4]) == ("a", "a", "b", "b", "c")


def test_two_methods_are_tested_without_friedman():
    assert tie_groups(scores_of(0.0, 1.0), [0, 1]) == ("a", "b")


def test_groups_wait_for_the_friedman_test():
    """One pair may look different by chance; where the methods as a whole do not differ, no pair is tested."""
    scores = scores_of(*[0.0] * 12, samples=10, seed=11)
    assert friedman_p(scores) > 0.05
    assert set(tie_groups(scores, range(12))) == {"a"}


def test_a_method_better_on_every_sample_wins():
    base = scores_of(0.5, 0.52, 0.54, noise=0.1)
    best = base.max(axis=0) + 0.01
    scores = np.stack([[*base, best], [*(-base), -best]])
    found = ranking(scores, [True, False], np.ones(4, bool))
    assert found.rank[:, 3].tolist() == [1, 1]
    assert (found.mean_rank[3], found.mean_rank_low[3], found.mean_rank_high[3]) == (1, 1, 1)
    assert found.place[3] == 1
    assert found.group[3] == "a"
    assert "a" not in found.group[:3]
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
    assert found.group == ("", "a", "b")
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
    scores = scores_of(0.0, 0.01, 0.02)[None]
    one, two, other = (ranking(scores, [True], np.ones(3, bool), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.low, two.low)
    assert (one.low != other.low).any()


def test_spearman():
    assert spearman(np.array([1.0, 2, 3, 9]), np.array([2.0, 5, 6, 7])) == pytest.approx(1)
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))
    assert np.isnan(spearman(np.arange(2.0), np.arange(2.0)))
