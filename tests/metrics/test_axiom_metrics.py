"""Axiom metrics: analytic identities and answers by hand, degenerate maps, parity, costs."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.benchmark.work.batches import TargetedBatch
from heatmark.errors import BadInput
from heatmark.methods.registry import method_from
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from
from heatmark.models.random_bank import RandomBank
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

WEIGHT = np.array([[4.0, 0.0, -2.0, 0.0], [0.5, 0.0, -1.0, 2.0]], np.float32)
X = np.array([[1.0, 0.5, 0.25, 0.75], [0.2, 0.9, 0.6, 0.1]], np.float32)


def linear(framework="torch"):
    return networks.linear(framework, WEIGHT, np.array([5.0, 0.0], np.float32))


def scored(model, x, metric, method="gradient", target=0):
    maps = hm.explain(model, x, method, target)
    explainer = TargetedBatch(model, x, target).explainer(method_from(method), 0)
    return hm.score(model, x, maps, metric, target, explainer=explainer)


def sigmoid(value):
    return 1 / (1 + np.exp(-np.asarray(value, float)))


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestCompleteness:
    def test_by_hand(self, framework):
        subject, maps = linear(framework), np.array([[1, 1, 1, 1], [1, -2, 0, 0.5]], np.float32)
        change = X.astype(np.float64) @ WEIGHT[0]  # against black, where the logit is the bias
        gap = np.abs(maps.sum(axis=1) - change)
        np.testing.assert_allclose(hm.score(subject, X, maps, "completeness", 0), gap / np.abs(change), rtol=1e-4)
        np.testing.assert_allclose(hm.score(subject, X, maps, "completeness[relative=false]", 0), gap, rtol=1e-4)
        change = (X - 1.0) @ WEIGHT[0]
        found = hm.score(subject, X, maps, "completeness[fill=white]", 0)
        np.testing.assert_allclose(found, np.abs(maps.sum(axis=1) / change - 1), rtol=1e-4)
        difference = WEIGHT[0] - WEIGHT[1]
        change = sigmoid(5 + X @ difference) - sigmoid(5)
        found = hm.score(subject, X, maps, "completeness[score=probability]", 0)
        np.testing.assert_allclose(found, np.abs(maps.sum(axis=1) / change - 1), rtol=1e-2)

    def test_complete_methods_have_no_gap(self, framework, model):
        assert scored(linear(framework), X, "completeness", "integrated_gradients").max() < 1e-5
        assert scored(linear(framework), X, "completeness", "input_x_gradient").max() < 1e-5
        subject = model("plain", framework)
        x = native(subject, pictures(2))
        complete, gradient = (
            scored(subject, x, "completeness", method, 1) for method in ("integrated_gradients[steps=200]", "gradient")
        )
        assert (complete < 0.01).all() and (gradient > 0.1).all()

    def test_maps_without_a_value(self, framework):
        subject = networks.linear(framework, WEIGHT, np.zeros(2, np.float32))
        maps = np.array([[0, np.nan, 0, 0], [np.inf, -np.inf, 1, 0], [0, 0, 0, 0], [1, 2, 3, 4]], np.float32)
        x = np.repeat(X[:1], 4, axis=0)
        found = hm.score(subject, x, maps, "completeness", 0)
        assert np.isnan(found[:2]).all() and found[2] == pytest.approx(1)  # 0 is as far off as the whole change
        # At the baseline itself nothing changes: the gap has no relative size, but an absolute one.
        black = np.zeros((1, 4), np.float32)
        assert np.isnan(hm.score(subject, black, maps[3:], "completeness", 0)).all()
        assert hm.score(subject, black, maps[3:], "completeness[relative=false]", 0) == pytest.approx(10)


class Squares(torch.nn.Module):
    """Logits (sum of x squared, 0)."""

    def forward(self, x):
        return torch.stack([(x**2).sum(1), 0 * x[:, 0]], 1)


def test_the_gap_of_a_known_public_bug():
    # Gradients that carry the path's own factor give integrated gradients two thirds of what they should.
    subject = wrap(Squares(), input_shape=(4,))
    assert scored(subject, X, "completeness", "integrated_gradients[steps=100]").max() < 1e-3
    maps = hm.explain(subject, X, "integrated_gradients[steps=100]", 0) * 2 / 3
    np.testing.assert_allclose(hm.score(subject, X, maps, "completeness", 0), 1 / 3, rtol=1e-3)


def test_completeness_needs_two_pictures_that_others_share(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(2))
    maps, logits = hm.explain(subject, x, "random"), subject.outputs(x)
    metrics = [metric_from(name) for name in ("completeness", "n_ord", "completeness[score=probability]")]
    before = subject.passes
    evaluate_batch(subject, subject.inputs(x), maps, np.zeros(2), metrics[1:2], logits=logits)
    alone = subject.passes - before
    evaluate_batch(subject, subject.inputs(x), maps, np.zeros(2), metrics, logits=logits)
    assert subject.passes - before == alone + alone


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestNonSensitivity:
    def test_by_hand(self, framework):
        # The target's weights are 4, 0, -2, 0: the second and the last position have no influence.
        maps = np.array([[4, 0, -2, 0], [1, 0, 0, 1], [0, 3, 0, -3], [0, 0, 0, 0]], np.float32)
        x = np.repeat(X[:1], 4, axis=0)
        found = hm.score(linear(framework), x, maps, "non_sensitivity", 0)
        np.testing.assert_array_equal(found, [0, 0.5, 1, 0.5])
        # The probability depends on the other logit too, and so on the last position.
        found = hm.score(linear(framework), x, maps, "non_sensitivity[score=probability]", 0)
        np.testing.assert_array_equal(found, [0.25, 0.25, 0.75, 0.75])

    def test_what_is_filled_with_its_own_value_has_no_influence(self, framework):
        x, maps = np.array([[0.0, 0.5, 0.25, 0.75]], np.float32), WEIGHT[:1]
        assert hm.score(linear(framework), x, maps, "non_sensitivity[fill=black]", 0) == 0.25
        assert hm.score(linear(framework), x, maps, "non_sensitivity", 0) == 0

    def test_tolerance(self, framework):
        maps = np.array([[4, 1e-6, -2, 1e-3]], np.float32)
        x = X[:1]
        assert hm.score(linear(framework), x, maps, "non_sensitivity", 0) == 0.25
        assert hm.score(linear(framework), x, maps, "non_sensitivity[tolerance=1e-3]", 0) == 0
        assert hm.score(linear(framework), x, maps, "non_sensitivity[tolerance=0]", 0) == 0.5

    def test_some_positions(self, framework, model):
        subject = model("plain", framework)
        x = native(subject, pictures(2))
        chosen = np.sort(RandomBank(0).generator("non-sensitivity").permutation(144)[:20])
        maps = np.ones((2, 144), np.float32)
        maps[0, chosen[:5]] = 0  # zeros that count; every position has influence
        maps[1, np.setdiff1d(np.arange(144), chosen)] = 0  # zeros that are not looked at
        found = hm.score(subject, x, maps.reshape(2, 12, 12), "non_sensitivity[positions=20]", 0)
        np.testing.assert_array_equal(found, [0.25, 0])

    def test_maps_without_a_value(self, framework):
        maps = np.array([[0, np.nan, 0, 0], [np.inf, 1, 1, 0]], np.float32)
        assert np.isnan(hm.score(linear(framework), X, maps, "non_sensitivity", 0)).all()


def test_a_gradient_is_zero_where_a_linear_network_does_not_look():
    gradient, blind = (scored(linear(), X, "non_sensitivity", method) for method in ("gradient", "input_intensity"))
    assert (gradient == 0).all() and (blind == 0.5).all()
    assert not metric_from("non_sensitivity").entry.higher_is_better


def test_fills_that_need_neighbours_are_refused():
    for metric in ("completeness", "non_sensitivity"):
        with pytest.raises(BadInput, match="fill"):
            metric_from(f"{metric}[fill=linear]")


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestInputInvariance:
    def test_by_hand(self, framework):
        weight, x = WEIGHT[0].astype(np.float64), X.astype(np.float64)
        lengths = np.linalg.norm(weight * x, axis=1)
        assert (scored(linear(framework), X, "input_invariance") == 0).all()
        # What multiplies by the raw input, or by its distance from raw black, moves with the shift.
        for method in ("input_x_gradient", "integrated_gradients"):
            for shift in (-1, 0.25):
                found = scored(linear(framework), X, f"input_invariance[shift={shift}]", method)
                np.testing.assert_allclose(found, np.linalg.norm(weight * shift) / lengths, rtol=1e-3)

    @pytest.mark.parametrize("name", ["plain", "residual"])
    @pytest.mark.parametrize("method", ["gradient", "guided_backprop", "grad_cam", "fullgrad", "lrp"])
    def test_networks(self, framework, model, name, method):
        # FullGrad counts inputs from what the normalisation maps to zero, which moves with them.
        subject = model(name, framework)
        assert (scored(subject, native(subject, pictures(2)), "input_invariance", method, 1) < 1e-3).all()

    def test_preprocessing_functions(self, framework, model):
        net = model("plain", framework).net
        subject = wrap(net, lambda x: 2 * x - 1, model("plain", framework).input_shape)
        x = native(subject, pictures(2))
        assert (scored(subject, x, "input_invariance") < 1e-3).all()
        assert (scored(subject, x, "input_invariance", "input_x_gradient") > 0.1).all()

    def test_maps_without_a_value(self, framework):
        maps = np.array([np.zeros(4), [np.nan, 0, 0, 0], [np.inf, 0, 0, 0], np.ones(4)], np.float32)
        found = hm.score(
            linear(framework), np.repeat(X[:1], 4, axis=0), maps, "input_invariance", 0,
            explainer=lambda model, x, target, rows: maps[rows],
        )  # fmt: skip
        np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 0])


@pytest.mark.parametrize("metric", ["completeness", "non_sensitivity[positions=9]", "non_sensitivity",
                                    "input_invariance"])  # fmt: skip
def test_costs_are_exact(model, metric):
    subject = model("plain", "torch")
    x, explained = native(subject, pictures(2)), []
    maps, logits = hm.explain(subject, x, "random"), subject.outputs(x)

    def explain(model, x, target, rows):
        explained.append(len(x))
        model.outputs_of(x)  # passes of the shifted model count as the model's own
        return maps

    chosen, before = metric_from(metric), subject.passes
    evaluate_batch(subject, subject.inputs(x), maps, np.zeros(2), [chosen], logits=logits, explainer=explain)
    cost = chosen.measure.cost(144)
    pictures_needed = 1 if metric == "completeness" else 0
    assert (subject.passes - before).forward == 2 * (cost.forward + pictures_needed + cost.explanations)
    assert explained == [2] * cost.explanations


@pytest.mark.parametrize("metric", ["completeness", "non_sensitivity", "input_invariance"])
@pytest.mark.parametrize("shape", [(12, 12, 3), (20, 2)])
def test_frameworks_agree(model, metric, shape):
    found = []
    for framework in FRAMEWORKS:
        subject = model("residual", framework, shape)
        found.append(scored(subject, native(subject, pictures(2, shape)), metric, "input_x_gradient", [0, 1]))
    assert metric == "non_sensitivity" or (found[0] > 0).all()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-6)
