"""Robustness metrics: answers by hand with the bank's own noise, parity, sharing, costs, and Captum's sensitivity."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.benchmark.work.batches import TargetedBatch
from heatmark.errors import NotApplicable
from heatmark.methods.registry import method_from
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from
from heatmark.models.random_bank import RandomBank

torch = pytest.importorskip("torch")

NAMES = [
    "max_sensitivity",
    "avg_sensitivity",
    "local_lipschitz",
    "relative_input_stability",
    "relative_output_stability",
]
WEIGHT = np.array([[4.0, -3.0, 2.0, 1.0], [0.5, 0.0, -1.0, 2.0]], np.float32)
X = np.array([[1.0, 0.5, 0.25, 0.75], [0.2, 0.9, 0.6, 0.1]], np.float32)


def linear(framework):
    return networks.linear(framework, WEIGHT, np.array([5.0, 0.0], np.float32))


def scored(model, x, metric, method="input_x_gradient", target=0, seed=0):
    maps = hm.explain(model, x, method, target)
    explainer = TargetedBatch(model, x, target).explainer(method_from(method), 0)
    return hm.score(model, x, maps, metric, target, seed=seed, explainer=explainer)


def noise(samples, low=-0.02, high=0.02, shape=(1, 4), seed=0):
    draws = [RandomBank(seed).generator("neighbourhood", k).random(shape, dtype=np.float32) for k in range(samples)]
    return low + (high - low) * np.stack(draws).astype(np.float64).reshape(samples, -1)


def by_hand(function, noises, x=X):
    """The function's largest value over the neighbours of each sample; maps are w x."""
    weight = WEIGHT[0].astype(np.float64)
    rows = []
    for row in x.astype(np.float64):
        rows.append([function(weight * row, weight * (row + moved), row, row + moved) for moved in noises])
    return np.array(rows)


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestByHand:
    def test_sensitivity(self, framework):
        changes = by_hand(lambda e, other, x, y: np.linalg.norm(e - other) / np.linalg.norm(e), noise(10))
        np.testing.assert_allclose(scored(linear(framework), X, "max_sensitivity"), changes.max(1), rtol=1e-4)
        np.testing.assert_allclose(scored(linear(framework), X, "avg_sensitivity"), changes.mean(1), rtol=1e-4)

    def test_the_change_itself(self, framework):
        changes = by_hand(lambda e, other, x, y: np.linalg.norm(e - other), noise(5, -0.3, 0.3))
        found = scored(linear(framework), X, "max_sensitivity[radius=0.3,samples=5,relative=none]")
        np.testing.assert_allclose(found, changes.max(1), rtol=1e-5)

    def test_local_lipschitz(self, framework):
        changes = by_hand(lambda e, other, x, y: np.linalg.norm(e - other) / np.linalg.norm(x - y), noise(10))
        np.testing.assert_allclose(scored(linear(framework), X, "local_lipschitz"), changes.max(1), rtol=1e-4)

    def test_local_lipschitz_of_scaled_maps_under_normal_noise(self, framework):
        draws = [
            0.1 * RandomBank(0).generator("neighbourhood", k).standard_normal((1, 4), dtype=np.float32)
            for k in range(4)
        ]

        def change(e, other, x, y):
            return np.linalg.norm(e / abs(e).max() - other / abs(other).max()) / np.linalg.norm(x - y)

        changes = by_hand(change, np.stack(draws).reshape(4, -1))
        found = scored(linear(framework), X, "local_lipschitz[quantus,samples=4]")
        np.testing.assert_allclose(found, changes.max(1), rtol=1e-4)

    def test_what_is_proportional_to_the_input_changes_as_much_as_it(self, framework):
        # Entry by entry, w x and x change by the same share.
        np.testing.assert_allclose(scored(linear(framework), X, "relative_input_stability"), 1.0, rtol=1e-3)

    def test_relative_output_stability(self, framework):
        def change(e, other, x, y):
            return np.linalg.norm((e - other) / e) / np.linalg.norm(WEIGHT.astype(np.float64) @ (x - y))

        found = scored(linear(framework), X, "relative_output_stability[samples=6]")
        np.testing.assert_allclose(found, by_hand(change, noise(6)).max(1), rtol=1e-3)

    def test_zeros_are_divided_by_a_millionth(self, framework):
        x = np.array([[0.0, 0.5, 0.25, 0.75]], np.float32)

        def change(e, other, x, y):
            shares = np.where(e == 0, 1e-6, e), np.where(x == 0, 1e-6, x)
            return np.linalg.norm((e - other) / shares[0]) / np.linalg.norm((x - y) / shares[1])

        found = scored(linear(framework), x, "relative_input_stability[samples=3]")
        np.testing.assert_allclose(found, by_hand(change, noise(3), x).max(1), rtol=1e-4)

    def test_positive_noise(self, framework):
        changes = by_hand(lambda e, other, x, y: np.linalg.norm(e - other), noise(3, 0.02, 0.2))
        found = scored(linear(framework), X, "max_sensitivity[noise=positive,radius=0.2,samples=3,relative=none]")
        np.testing.assert_allclose(found, changes.max(1), rtol=1e-4)

    @pytest.mark.parametrize("metric", NAMES)
    def test_a_map_that_stays_is_perfectly_robust(self, framework, metric):
        assert (scored(linear(framework), X, metric, "gradient") == 0).all()


def test_neighbours_with_another_prediction():
    # The prediction is the sign of x0 + x1 - 1, and x lies close to that line.
    weight = np.array([[1.0, 1.0], [0.0, 0.0]], np.float32)
    subject = networks.linear("torch", weight, np.array([-1.0, 0.0], np.float32))
    x = np.array([[0.5, 0.55], [0.9, 0.9]], np.float32)
    moved = noise(12, -0.2, 0.2, (1, 2))
    flipped = (x[0] + moved).sum(1) < 1
    assert 0 < flipped.sum() < 12 and not ((x[1] + moved).sum(1) < 1).any()
    changes = np.linalg.norm(moved, axis=1) / np.linalg.norm(x, axis=1)[:, None]
    chosen = "avg_sensitivity[radius=0.2,samples=12,flipped={}]"
    keep, skip, nan = (scored(subject, x, chosen.format(how)) for how in ("keep", "skip", "nan"))
    np.testing.assert_allclose(keep, changes.mean(1), rtol=1e-5)
    np.testing.assert_allclose(skip, [changes[0, ~flipped].mean(), changes[1].mean()], rtol=1e-5)
    assert np.isnan(nan[0]) and nan[1] == pytest.approx(keep[1])
    # Where no neighbour keeps the prediction, nothing is known.
    alone = np.array([[0.5, 0.5 + 1e-6]], np.float32)
    seed = next(seed for seed in range(50) if noise(1, -0.2, 0.2, (1, 2), seed).sum() < -0.01)
    assert np.isnan(scored(subject, alone, "max_sensitivity[radius=0.2,samples=1,flipped=skip]", seed=seed)).all()


def test_maps_without_a_value():
    subject = linear("torch")
    maps = np.array([np.zeros(4), [np.nan, 1, 2, 3], [np.inf, 1, 2, 3], np.ones(4)], np.float32)
    x = np.repeat(X[:1], 4, axis=0)

    def explain(model, x, target, rows):
        return maps[rows]

    def values(metric):
        return hm.score(subject, x, maps, metric, 0, explainer=explain)

    for metric in ("max_sensitivity", "avg_sensitivity"):
        np.testing.assert_array_equal(values(metric), [np.nan, np.nan, np.nan, 0.0])
    np.testing.assert_array_equal(values("max_sensitivity[captum]"), [0.0, np.nan, np.nan, 0.0])
    for metric in NAMES[2:]:
        np.testing.assert_array_equal(values(metric), [0.0, np.nan, np.nan, 0.0])


def test_without_the_method_nothing_can_be_said():
    with pytest.raises(NotApplicable, match="only maps were given"):
        hm.score(linear("torch"), X, X, "max_sensitivity", 0)


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize("shape", [(12, 12, 3), (20, 2)])
def test_frameworks_agree(model, metric, shape):
    x = pictures(2, shape)
    subjects = [model("residual", framework, shape) for framework in FRAMEWORKS]
    first, second = (
        scored(subject, native(subject, x), f"{metric}[samples=3]", "smoothgrad[samples=2]", [0, 1])
        for subject in subjects
    )
    assert (first > 0).all()
    np.testing.assert_allclose(first, second, rtol=1e-3)


def test_a_smoother_map_is_more_robust(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(4))
    for metric in NAMES:
        rough, smooth = (
            np.nanmedian(scored(subject, x, f"{metric}[radius=0.05]", method, 1))
            for method in ("gradient", "smoothgrad[samples=25,noise=0.3]")
        )
        assert smooth < rough and not metric_from(metric).entry.higher_is_better


@pytest.mark.parametrize("metric", [*NAMES, "max_sensitivity[flipped=skip]", "relative_input_stability[flipped=keep]"])
def test_costs_are_exact(metric):
    subject = linear("torch")
    explained = []

    def explain(model, x, target, rows):
        explained.append(len(x))
        return np.ones((len(x), 4), np.float32)

    chosen = metric_from(metric)
    logits = subject.outputs(X)
    before = subject.passes
    evaluate_batch(subject, subject.inputs(X), X, np.zeros(2), [chosen], logits=logits, explainer=explain)
    cost = chosen.measure.cost(4)
    assert (subject.passes - before).forward == 2 * cost.forward
    assert sum(explained) == 2 * cost.explanations == 20 and set(explained) == {2}


def test_metrics_of_the_same_neighbourhood_share_its_explanations():
    subject = linear("torch")
    calls = []

    def explain(model, x, target, rows):
        calls.append(len(x))
        return np.ones((len(x), 4), np.float32)

    metrics = [metric_from(name) for name in NAMES]
    logits, before = subject.outputs(X), subject.passes
    evaluate_batch(subject, subject.inputs(X), X, np.zeros(2), metrics, logits=logits, explainer=explain)
    assert len(calls) == 10 and (subject.passes - before).forward == 2 * 10
    evaluate_batch(subject, subject.inputs(X), X, np.zeros(2), [*metrics, metric_from("max_sensitivity[radius=0.1]")],
                   logits=logits, explainer=explain)  # fmt: skip
    assert len(calls) == 10 + 20


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_neighbours_beyond_the_domain_are_explained_by_ones_own_explainer(model, framework):
    subject = model("plain", framework)
    x = native(subject, np.clip(pictures(3), 0, 1).round())  # every neighbour of black or white leaves [0, 1]
    maps = hm.explain(subject, x, "input_x_gradient", 0)
    given = hm.score(
        subject, x, maps, "max_sensitivity", 0,
        explainer=lambda model, near, target, rows: hm.explain(model, near, "input_x_gradient", target),
    )  # fmt: skip
    np.testing.assert_allclose(given, scored(subject, x, "max_sensitivity"), rtol=1e-5)
    with pytest.raises(hm.HeatmarkError, match="pictures are floats"):
        hm.explain(subject, x + 0.5, "input_x_gradient", 0)
