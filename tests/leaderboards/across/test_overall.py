"""The standing across tasks, against answers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_runs import known_entries, provenance, rows, specification, stored_curves  # noqa: F401  (autouse fixtures)
from made_tasks import levels, made_tasks
from scipy import stats

from heatmark.benchmark.store.folder import RunStore
from heatmark.errors import NotApplicable
from heatmark.leaderboards.across.blocks import blocks_of, sources
from heatmark.leaderboards.across.folding import base_of
from heatmark.leaderboards.across.overall import overall
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.statistics.across import expanded_confidence, p_against, p_ahead_of, spreads
from heatmark.leaderboards.statistics.significance import least_pairs

NAN = math.nan
DATA = ("digits", "mnist", "shapes", "patches", "series", "mnist1d", "photos", "others", "more")


def standing(tmp_path, tasks, fold=True, **options):
    return overall(leaderboard(made_tasks(tmp_path, tasks, **options)), fold=fold)


def by_name(found):
    return {row.method.id: row for row in found.rows}


def orders(*texts, models=("net",)):
    """Tasks in which methods come out in the order of the letters, one dataset each."""
    return [
        (model, data, levels({method: 0.1 + 0.1 * place for place, method in enumerate(text)}))
        for data, text in zip(DATA, texts, strict=False)
        for model in models
    ]


def test_ranks_are_averaged_over_tasks_by_hand(tmp_path):
    found = standing(tmp_path, orders("abc", "bac", "abc", "acb"))
    rows = by_name(found)
    # a: 1, 2, 1, 1; b: 2, 1, 2, 3; c: 3, 3, 3, 2.
    assert {name: row.mean_rank for name, row in rows.items()} == {"a": 1.25, "b": 2.0, "c": 2.75}
    assert [(row.method.id, row.rank) for row in found.rows] == [("a", 1), ("b", 2), ("c", 3)]
    # Of two others a beats 1, 1/2, 1, 1.
    assert {name: row.borda for name, row in rows.items()} == {"a": 0.875, "b": 0.5, "c": 0.125}
    assert rows["b"].in_blocks == (2, 1, 2, 3)
    assert found.friedman == pytest.approx(stats.friedmanchisquare([1, 2, 1, 1], [2, 1, 2, 3], [3, 3, 3, 2]).pvalue)
    assert [block.datasets for block in found.blocks] == [(name,) for name in DATA[:4]]
    assert found.best.id == "a" and not found.controls


def test_one_task_is_ranked_as_its_table_is(tmp_path):
    generator = np.random.default_rng(4)
    scores = {name: generator.random((2, 12)) for name in "abcdef"}
    board = leaderboard(made_tasks(tmp_path, [("net", "digits", scores)]))
    table = board.tables[0]
    rows = by_name(overall(board))
    assert all(rows[row.method.id].mean_rank == row.mean_rank for row in table.rows)
    assert [row.method.id for row in overall(board).rows] == [row.method.id for row in table.rows]


def test_a_method_without_a_place_in_some_task_is_not_ranked_and_moves_no_rank(tmp_path):
    tasks = orders("xabc", "xbac", "abc")
    found = standing(tmp_path, tasks)
    rows = by_name(found)
    assert {name: (row.rank, row.mean_rank) for name, row in rows.items() if name != "x"} == {
        "a": (1, pytest.approx(4 / 3)),
        "b": (2, pytest.approx(5 / 3)),
        "c": (3, 3),
    }
    missing = rows["x"]
    assert (missing.rank, missing.coverage, missing.why_unranked) == (None, "2/3", "no place in net on shapes")
    # It beats everyone where it is; the others lose to it there, and Borda's count says so.
    assert missing.borda == 1 and math.isnan(missing.mean_rank) and math.isnan(missing.borda_low)
    assert rows["a"].borda == pytest.approx((2 / 3 + 1 / 3 + 1) / 3)
    assert found.rows[-1] is missing
    assert [row.method.id for row in found.complete.rows] == ["a", "b", "c"]
    assert [row.rank for row in found.complete.rows] == [1, 2, 3]


def test_frameworks_of_a_task_are_one_task_and_networks_on_a_dataset_one_block(tmp_path):
    tasks = orders("abc", "bac", models=("one", "two"))
    both = standing(tmp_path, tasks, frameworks=("torch", "tensorflow"), only={"c": ["torch"]})
    assert both.tasks == ("one on digits", "two on digits", "one on mnist", "two on mnist")
    assert [block.datasets for block in both.blocks] == [("digits",), ("mnist",)]
    # What runs in one framework alone is complete all the same.
    assert [row.coverage for row in both.rows] == ["4/4"] * 3
    assert {row.method.id: row.in_blocks for row in both.rows} == {"a": (1, 2), "b": (2, 1), "c": (3, 3)}


def test_frameworks_with_other_samples_are_tasks_that_are_told_apart(tmp_path):
    made_tasks(tmp_path / "torch", [("net", "digits", levels({"a": 0.1, "b": 0.2, "c": 0.3}))])
    few = [("net", "digits", levels({"a": 0.1, "b": 0.2}, samples=6))]
    made_tasks(tmp_path / "tensorflow", few, frameworks=("tensorflow",))
    found = overall(leaderboard([tmp_path / "torch", tmp_path / "tensorflow"]))
    assert found.tasks == ("net on digits · PyTorch", "net on digits · TensorFlow")
    assert by_name(found)["c"].why_unranked == "no place in net on digits · TensorFlow"
    assert len(found.blocks) == 1


def test_a_metric_that_not_every_ranked_method_was_measured_with_is_left_out_with_a_word(tmp_path):
    """c runs in TensorFlow alone, without insertion, on which a and b come out the other way round."""
    values = {"a": (0.1, 0.1), "b": (0.2, 0.9), "c": (0.3, None)}
    store = RunStore.prepared(tmp_path)
    torch = [specification(name) for name in "ab"]
    tensorflow = [specification(name, "tensorflow", metrics=("deletion",)) for name in "abc"]
    store.begin({"suite": {"name": "made"}, "version": "0.1.0"}, [*torch, *tensorflow])
    for spec in (*torch, *tensorflow):
        scores = np.full((len(spec.metrics), spec.last), np.array(values[spec.method][: len(spec.metrics)])[:, None])
        store.write(spec, rows(spec, scores), provenance(spec))
    found = overall(leaderboard(store))
    assert {row.method.id: row.mean_rank for row in found.rows} == {"a": 1, "b": 2, "c": 3}
    assert found.left_out == (("net on photos", ("Insertion",)),)
    (words,) = [note for note in found.notes if "Insertion" in note]
    assert words.startswith("Mean ranks leave out Insertion on net on photos: ")
    assert not standing(tmp_path / "usual", orders("abc")).left_out


def noisy_tasks(models=("net",), blocks=8, methods="abc"):
    """Tasks in which methods come out in some order, the same for all networks of a dataset."""
    tasks = []
    for number in range(blocks):
        order = np.random.default_rng(number).permutation(list(methods))
        scores = levels({str(method): 0.1 + 0.1 * place for place, method in enumerate(order)})
        tasks += [(model, DATA[number], scores) for model in models]
    return tasks


def test_duplicates_narrow_no_interval(tmp_path):
    """The same in two frameworks and two networks is no more evidence than once."""
    once = by_name(standing(tmp_path / "once", noisy_tasks()))
    often = by_name(standing(tmp_path / "often", noisy_tasks(("one", "two")), frameworks=("torch", "tensorflow")))
    assert once.keys() == often.keys()
    for name, row in once.items():
        other = often[name]
        assert (other.tasks, other.mean_rank, other.p_best) == (16, row.mean_rank, row.p_best)
        for end in ("mean_rank_low", "mean_rank_high", "rank_low", "rank_high", "borda_low", "borda_high"):
            assert getattr(other, end) == getattr(row, end)
        assert row.mean_rank_low < row.mean_rank < row.mean_rank_high
        assert row.rank_low <= row.rank <= row.rank_high


def test_intervals_of_equal_blocks_have_no_width_and_a_perfect_method_is_first_for_certain(tmp_path):
    rows = by_name(standing(tmp_path, orders(*["abc"] * 7)))
    assert (rows["a"].rank_low, rows["a"].rank, rows["a"].rank_high) == (1, 1, 1)
    assert (rows["b"].mean_rank_low, rows["b"].mean_rank_high) == (2, 2)
    # Seven blocks in one direction: p = 2 / 128, twice that for two others; Friedman's is smaller.
    assert rows["c"].p_best == rows["b"].p_best == pytest.approx(4 / 128)
    assert [rows[name].leads for name in "abc"] == [True, False, False]


def test_the_expanded_interval_is_students_for_means_of_many_blocks():
    values = np.random.default_rng(0).normal(size=(1, 12))
    (found, _), exact = spreads(values, 100_000, 0), stats.t.interval(0.95, 11, values.mean(), stats.sem(values[0]))
    assert found.high[0] - found.low[0] == pytest.approx(exact[1] - exact[0], rel=0.05)
    assert expanded_confidence(12) == pytest.approx(1 - 2 * stats.norm.sf(stats.t.ppf(0.975, 11) * math.sqrt(12 / 11)))


def test_fewer_than_six_blocks_have_no_interval_and_say_so(tmp_path):
    found = standing(tmp_path, noisy_tasks(blocks=5))
    assert all(math.isnan(row.rank_low) and math.isnan(row.borda_high) for row in found.rows)
    assert found.notes[0].startswith("No intervals: resampling fewer than 6 independent blocks")
    assert "there are 5" in found.notes[0]
    assert math.isnan(spreads(np.ones((2, 5)), 10, 0)[0].low[0]) and spreads(np.ones((2, 6)), 10, 0)[0].low[0] == 1


def test_how_many_blocks_are_enough():
    """The smallest exact two-sided p value is 2/2^n: 1,770 pairs of 60 methods need n >= 17."""
    assert [least_pairs(tests) for tests in (1770, 59, 9, 1)] == [17, 12, 9, 6]
    for tests in (1, 2, 3, 10, 59, 1770):
        least = least_pairs(tests)
        assert tests * 2 / 2**least <= 0.05 < tests * 2 / 2 ** (least - 1)


def test_tests_against_the_best_are_those_of_scipy():
    generator = np.random.default_rng(3)
    values = generator.normal(size=(4, 10)) + np.array([0, 0.2, 1.5, 3])[:, None]
    friedman = stats.friedmanchisquare(*values).pvalue
    expected = [1.0] + [
        max(friedman, min(1, 3 * stats.wilcoxon(values[0], other, method="exact").pvalue)) for other in values[1:]
    ]
    np.testing.assert_allclose(p_against(values, 0), expected, rtol=1e-6)
    # Four methods have three comparisons with the best: 6 / 2^n <= 0.05 takes seven blocks.
    assert np.isnan(p_against(values[:, :6], 0)).all() and np.isfinite(p_against(values[:, :7], 0)).all()


def test_a_method_is_ahead_of_the_controls_where_it_is_ahead_of_each():
    generator = np.random.default_rng(1)
    values = generator.normal(scale=0.5, size=(4, 9)) + np.array([0, 1.9, 3, 2])[:, None]
    controls = np.array([False, False, True, True])
    raw = [[stats.wilcoxon(values[m], values[c], method="exact").pvalue for c in (2, 3)] for m in (0, 1)]
    best, middle = (max(one) for one in raw)
    assert best < middle  # so Holm multiplies the first by two
    found = p_ahead_of(values, controls)
    np.testing.assert_allclose(found[:2], [2 * best, max(2 * best, middle)], rtol=1e-6)
    assert np.isnan(found[2:]).all()
    # Behind one of them, it is not ahead of all.
    assert p_ahead_of(values + np.array([0, 2, 0, 0])[:, None], controls)[1] == 1
    assert np.isnan(p_ahead_of(values, np.zeros(4, bool))).all()
    assert np.isnan(p_ahead_of(values[:, :6], controls)).all() and np.isfinite(p_ahead_of(values[:, :7], controls)[0])


def test_controls_are_ranked_as_in_the_tables_and_tested_against(tmp_path):
    tasks = [
        ("net", data, levels({"a": 0.1, "random": 0.3, "b": 0.5 if number % 2 else 0.2}, seed=number))
        for number, data in enumerate(DATA[:8])
    ]
    found = standing(tmp_path, tasks)
    rows = by_name(found)
    assert [control.id for control in found.controls] == ["random"]
    assert rows["random"].method.control and rows["random"].mean_rank == 2.5
    assert rows["a"].beats_controls and not rows["b"].beats_controls and rows["random"].beats_controls is None


def test_all_pairs_are_refused_where_they_cannot_separate(tmp_path):
    methods = {f"m{number:02d}": 0.01 * number for number in range(13)}
    found = standing(tmp_path, [("net", data, levels(methods, samples=3)) for data in DATA[:7]])
    # 78 pairs: 156 / 2^12 = 0.038. Twelve comparisons with the best: 24 / 2^9 = 0.047.
    with pytest.raises(NotApplicable, match="12 blocks would be enough") as refused:
        found.pairs()
    assert "78 pairs of 13 methods" in str(refused.value) and "7 independent blocks" in str(refused.value)
    # 2/2^7 times the pairs of three methods is 0.047, of four 0.094.
    assert "fewer methods, 3 with 7 blocks" in str(refused.value)
    assert any("for 12 tests together; 9 blocks would be enough" in note for note in found.notes)
    assert all(row.leads is None for row in found.rows)


def test_all_pairs_where_they_can(tmp_path):
    found = standing(tmp_path, orders(*["abc"] * 8, "acb"))
    wins, ties = found.pairs()
    np.testing.assert_allclose(wins.share, [[0.5, 1, 1], [0, 0.5, 8 / 9], [0, 1 / 9, 0.5]])
    # Eight of nine blocks speak for b, each by one place: ten of 2^9 patterns are as far from the middle, in each
    # direction. Holm leaves the largest as it is.
    assert wins.p[1, 2] == pytest.approx(2 * 10 / 2**9)
    assert wins.p[0, 1] == pytest.approx(max(2 * 3 / 2**9, found.friedman))
    assert [str(tie) for tie in ties] == ["1", "2", "3"]


def test_variants_count_once_by_a_rule_that_looks_at_no_score(tmp_path):
    tasks = [
        (
            "net",
            "digits",
            levels(
                {
                    "saliency": 0.2,
                    "integrated_gradients[steps=5]": 0.1,
                    "integrated_gradients": 0.3,
                    "smooth[gradient]": 0.6,
                    "smooth[saliency]": 0.7,
                    "rise[masks=10]": 0.35,
                    "rise[masks=20]": 0.55,
                    "lime[samples=9]": 0.5,
                },
                noise=0,
            ),
        )
    ]
    board = leaderboard(made_tasks(tmp_path, tasks))
    found = overall(board)
    assert [(row.method.id, row.rank, row.folded.rule) for row in found.rows] == [
        ("saliency", 1, ""),
        ("integrated_gradients", 2, "default; 1 more left out"),
        ("rise", 3, "mean of 2 variants"),
        ("lime[samples=9]", 4, ""),
        ("smooth[gradient]", 5, ""),
        ("smooth[saliency]", 6, ""),
    ]
    apart = overall(board, fold=False)
    assert len(apart.rows) == 8 and apart.rows[0].method.id == "integrated_gradients[steps=5]" and not apart.fold
    assert base_of("smooth[integrated_gradients[steps=5],samples=3]") == "smooth[integrated_gradients]"
    assert base_of("of_a_plugin[x=1]") == "of_a_plugin"
    # Two versions of a method, as a board of several runs names them, are no variants of one.
    assert base_of("rise[masks=10] (version 1)") == "rise[masks=10] (version 1)"


def test_what_shares_photographs_is_one_block(tmp_path):
    assert sources("mosaic") == {"mosaic", "imagenet-samples"} and sources("digits[split=train]") == {"digits"}
    assert sources("image-folder:a,b") != sources("image-folder:a,c")
    scores = levels({"a": 0.1, "b": 0.2}, samples=3)
    names = ("imagenet-samples", "mosaic", "digits", "image-folder:x", "digits[split=train]")
    board = leaderboard(made_tasks(tmp_path, [("net", name, scores) for name in names]))
    found = [block.datasets for block in blocks_of([table.results for table in board.tables])]
    assert found == [("imagenet-samples", "mosaic"), ("digits", "digits[split=train]"), ("image-folder:x",)]


def test_a_task_in_which_nothing_has_a_place_is_left_out_and_nothing_at_all_is_no_error(tmp_path):
    scores = levels({"a": 0.1, "b": 0.2})
    tasks = [("net", "digits", scores), ("net", "mnist", {name: np.full((2, 12), NAN) for name in scores})]
    found = standing(tmp_path / "one", tasks)
    assert found.tasks == ("net on digits",) and [row.rank for row in found.rows] == [1, 2]
    empty = standing(tmp_path / "none", tasks[1:])
    assert not empty.tasks and not empty.blocks and [row.rank for row in empty.rows] == [None, None]
    assert empty.notes[0] == "No method has a place in every task, so none is ranked across them."
    with pytest.raises(NotApplicable, match="no pair to compare"):
        empty.pairs()
