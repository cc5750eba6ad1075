"""Sparseness, entropy and effective complexity, by hand."""

from __future__ import annotations

import warnings

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.metrics.contracts import violations
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from

ALL = ("sparseness", "complexity", "effective_complexity")


def values(maps, metric, framework="torch"):
    rows = np.atleast_2d(np.asarray(maps, np.float32))
    size = rows.shape[1]
    subject = networks.linear(framework, np.eye(2, size, dtype=np.float32), np.array([1.5, -0.5], np.float32))
    return hm.score(subject, np.ones_like(rows), rows, metric, 0)


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestByHand:
    def test_one_position_has_everything(self, framework):
        one = [0, 0, 0, -7.0, 0]
        assert values(one, "sparseness", framework) == pytest.approx(4 / 5)
        assert values(one, "complexity", framework) == pytest.approx(0)
        assert values(one, "effective_complexity", framework) == 1

    def test_all_are_equal(self, framework):
        equal = [[2.0, -2.0, 2.0, 2.0, -2.0], [1e-30] * 5]
        assert values(equal, "sparseness", framework) == pytest.approx([0, 0], abs=1e-12)
        assert values(equal, "complexity", framework) == pytest.approx([np.log(5)] * 2)
        assert values(equal, "effective_complexity", framework) == pytest.approx([5, 5])

    def test_in_between(self, framework):
        maps = [0.0, 1.0, -3.0, 4.0]
        # The mean difference between all pairs over twice the mean.
        sizes = np.abs(maps)
        gini = np.abs(sizes[:, None] - sizes).mean() / (2 * sizes.mean())
        shares = np.array([1, 3, 4]) / 8
        assert values(maps, "sparseness", framework) == pytest.approx(gini)
        assert values(maps, "complexity", framework) == pytest.approx(-(shares * np.log(shares)).sum())
        assert values(maps, "effective_complexity", framework) == 3
        assert values(maps, "effective_complexity[threshold=0.25]", framework) == 2
        assert values(maps, "effective_complexity[threshold=0.2]", framework) == 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=30).filter(any), st.floats(1e-20, 1e20), st.randoms())
def test_neither_scale_nor_sign_nor_place_matters(numbers, scale, random):
    shuffled = [number * random.choice((-1, 1)) for number in numbers]
    random.shuffle(shuffled)
    for metric in ALL:
        first = values(numbers, metric)[0]
        assert first == pytest.approx(values(np.array(shuffled) * scale, metric)[0], abs=1e-6)
    assert 0 <= values(numbers, "sparseness")[0] <= 1 - 1 / len(numbers) + 1e-9
    assert 0 <= values(numbers, "complexity")[0] <= np.log(len(numbers)) + 1e-9


@pytest.mark.parametrize("metric", ALL)
def test_a_sparse_map_wins(metric):
    sparse, dense = values([[0.01, 0.0, 5.0, 0.0, 0.0, 0.02], [1.0, 2.0, -1.5, 1.0, 2.0, 3.0]], metric)
    assert sparse > dense if metric_from(metric).entry.higher_is_better else sparse < dense


@pytest.mark.parametrize("metric", ALL)
def test_degenerate_maps(metric):
    maps = [[0.0] * 4, [np.nan] * 4, [1.0, np.nan, 2.0, 0.0], [np.inf, 1.0, 0.0, 2.0], [1.0, -np.inf, np.inf, 0.0]]
    before = np.array(maps)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = values(maps, metric)
    assert np.isnan(found[0]) and np.isfinite(found[1:]).all()
    # What is not finite counts as the largest number of its sign.
    alone, pair = {"sparseness": (3 / 4, 1 / 2), "complexity": (0, np.log(2)), "effective_complexity": (1, 2)}[metric]
    assert found[3] == pytest.approx(alone, abs=1e-9) and found[4] == pytest.approx(pair, abs=1e-9)
    assert np.array_equal(before, maps, equal_nan=True)


@pytest.mark.parametrize("metric", ALL)
def test_no_pass_is_taken_and_the_contract_is_kept(model, metric):
    for shape in ((12, 12, 3), (20, 2)):
        subject = model("plain", "torch", shape)
        x = native(subject, pictures(3, shape))
        maps = hm.explain(subject, x, "random")
        assert violations(subject, x, maps, metric) == []
        before = subject.passes
        evaluate_batch(subject, subject.inputs(x), maps, np.zeros(3, np.int64), [metric_from(metric)])
        assert subject.passes == before and metric_from(metric).measure.cost(144).forward == 0
