"""Who wins against whom: shares by hand, p values by scipy, and many tests at once as one after another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from made_runs import known_entries, made_run, spaced, stored_curves  # noqa: F401  (autouse fixtures among them)
from scipy import stats

from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.statistics.ranks import rounded
from heatmark.leaderboards.statistics.significance import friedman_p, holm, pair_p, wilcoxon_p
from heatmark.leaderboards.statistics.wins import win_matrix

NAN = float("nan")


def one_after_another(first, second):
    """The signed-rank test of two methods, written out: exact by adding up all patterns of signs."""
    differences = rounded(rounded(first) - rounded(second))
    differences = differences[differences != 0]
    doubled = np.rint(2 * stats.rankdata(np.abs(differences))).astype(np.int64)
    rises, total = int(doubled[differences > 0].sum()), int(doubled.sum())
    least = min(rises, total - rises)
    if len(doubled) > 50:
        deviation = np.sqrt((doubled.astype(np.float64) ** 2).sum()) / 2
        return float(2 * stats.norm.cdf((least - total / 2) / deviation))
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    for rank in doubled.tolist():
        chances[rank:] = (chances[rank:] + chances[: total + 1 - rank]) / 2
        chances[:rank] /= 2
    return float(min(1.0, 2 * chances[: least + 1].sum()))


@pytest.mark.parametrize("samples", [1, 2, 7, 20, 50, 51, 120])
@pytest.mark.parametrize("digits", [0, 1, 9])
def test_many_tests_at_once_give_the_same_bits_as_one_after_another(samples, digits):
    """With no ties, some, and hardly anything else; with methods that are equal throughout."""
    generator = np.random.default_rng(samples)
    scores = (generator.normal(size=(7, samples)) + 0.3 * np.arange(7)[:, None]).round(digits)
    scores[5] = scores[4]
    pairs = list(combinations(range(7), 2))
    each = np.array([one_after_another(scores[a], scores[b]) for a, b in pairs])
    np.testing.assert_array_equal([wilcoxon_p(scores[a], scores[b]) for a, b in pairs], each)
    found = pair_p(scores)
    rows, columns = np.array(pairs).T
    np.testing.assert_array_equal(found[rows, columns], np.fmax(holm(each), friedman_p(scores)))
    np.testing.assert_array_equal(found, found.T)
    assert (np.diag(found) == 1).all() and found[4, 5] == 1


def test_shares_of_wins_by_hand():
    scores = np.array([[3.0, 3, 3, 0], [2, 3, 4, 1], [1, 1, 1, 1]])
    found = win_matrix(scores, True)
    # The first beats the second once, ties once, loses twice.
    np.testing.assert_array_equal(found.share, [[0.5, 0.375, 0.75], [0.625, 0.5, 0.875], [0.25, 0.125, 0.5]])
    np.testing.assert_array_equal(win_matrix(scores, False).share, 1 - found.share)
    np.testing.assert_array_equal(win_matrix(scores, False).p, found.p)
    # Rounding noise wins nothing.
    assert (win_matrix(np.array([[0.3, 0.3], [0.1 + 0.2, 0.3]]), True).share == 0.5).all()


def test_methods_meet_where_all_ranked_ones_have_a_score():
    scores = np.random.default_rng(0).normal(size=(4, 20))
    scores[1, 3] = NAN
    scores[2, 5:] = NAN
    found = win_matrix(scores, True, np.array([True, True, True, False]))
    assert np.isnan(found.share[2:]).all() and np.isnan(found.p[:, 2:]).all()
    rest = np.delete(scores[:2], 3, axis=1)
    assert found.share[0, 1] == (rest[0] > rest[1]).mean()
    assert found.p[0, 1] == wilcoxon_p(*rest)
    assert np.isnan(win_matrix(np.full((3, 4), NAN), True).share).all()


def test_no_pair_is_told_apart_where_friedmans_test_tells_none():
    scores = np.random.default_rng(11).normal(size=(12, 10))
    assert friedman_p(scores) > 0.05 and pair_p(scores).min() >= friedman_p(scores)


def test_two_methods_need_no_friedman_test():
    scores = np.array([np.arange(8.0) + 1, np.zeros(8)])
    assert pair_p(scores)[0, 1] == 2 / 2**8
    assert pair_p(scores[:1]).tolist() == [[1.0]] and pair_p(np.empty((0, 5))).shape == (0, 0)


def test_the_table_holds_the_wins_that_its_ties_are_told_by(tmp_path):
    noisy = {name: spaced(0.5, 0.5, noise=0.2, seed=number) for number, name in enumerate(("one", "two", "three"))}
    scores = {**noisy, "random": spaced(0.9, 0.1, noise=0.01), "late": spaced(0.1, 0.9)}
    table = leaderboard(made_run(tmp_path, scores, missing=["late"])).tables[0]
    assert [row.method.id for row in table.rows][3:] == ["random", "late"]
    assert np.isnan(table.wins.share[4]).all() and np.isnan(table.wins.p[:, 4]).all()
    np.testing.assert_array_equal(table.wins.share[:3, 3], 1)
    assert (table.wins.p[:3, 3] <= 0.05).all() and (table.wins.p[:3, :3] > 0.05).all()
    assert [str(row.tied) for row in table.rows[:4]] == ["1-3", "1-3", "1-3", "4"]
