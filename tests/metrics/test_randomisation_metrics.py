"""Randomisation metrics: which copies are looked at, answers by hand, similarities, parity, directions, costs."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures
from scipy.stats import entropy, spearmanr
from skimage.feature import hog
from skimage.metrics import structural_similarity

import heatmark as hm
from heatmark.benchmark.work.batches import TargetedBatch
from heatmark.errors import NotApplicable
from heatmark.methods.registry import method_from
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.properties.randomisation import histogram_entropy
from heatmark.metrics.properties.similarities import similarities
from heatmark.metrics.registry import metric_from
from heatmark.models.random_bank import RandomBank
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

CASCADES = ["mprt", "smooth_mprt[samples=2]"]
NAMES = [*CASCADES, "mprt[quantus]", "mprt[mode=independent]", "efficient_mprt", "random_logit[similarity=spearman]"]
GENERATOR = np.random.default_rng(0)


def scored(model, x, metric, method="gradient", target=0, seed=0):
    maps = hm.explain(model, x, method, target)
    explainer = TargetedBatch(model, x, target).explainer(method_from(method), 0)
    return hm.score(model, x, maps, metric, target, seed=seed, explainer=explainer)


def kernels(model):
    """A copy of every layer's kernel, by the layer's name."""
    if model.framework == "torch":
        return {
            name.removesuffix(".weight"): value.detach().numpy().copy()
            for name, value in model.net.named_parameters()
            if value.ndim > 1
        }
    return {
        value.path.removesuffix("/kernel"): np.array(np.asarray(value))
        for value in model.net.weights
        if value.path.endswith("kernel")
    }


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("layers=2", [{"dense", "outer"}, {"dense", "outer", "inner", "stem"}]),
        ("layers=2,order=bottom_up", [{"stem", "inner"}, {"dense", "outer", "inner", "stem"}]),
        ("layers=3", [{"dense", "outer"}, {"dense", "outer", "inner"}, {"dense", "outer", "inner", "stem"}]),
        ("layers=9,mode=independent", [{"dense"}, {"outer"}, {"inner"}, {"stem"}]),
        ("layers=2,mode=independent", [{"dense"}, {"stem"}]),
        ("layers=1,mode=independent,order=bottom_up", [{"stem"}]),
        ("layers=1", [{"dense", "outer", "inner", "stem"}]),
    ],
)
def test_which_layers_are_randomised(framework, options, expected):
    subject = networks.model_of(networks.residual(), framework)
    x, before, seen = native(subject, pictures(2)), kernels(subject), []

    def explain(model, x, target, rows):
        seen.append({name for name, values in kernels(model).items() if not np.array_equal(values, before[name])})
        return GENERATOR.random((len(x), 12, 12), dtype=np.float32)

    hm.score(subject, x, explain(subject, x, None, None), f"mprt[{options}]", 0, explainer=explain)
    assert seen == [set(), *expected]
    assert all(np.array_equal(values, before[name]) for name, values in kernels(subject).items())


def test_the_network_comes_back_where_explaining_fails():
    subject = networks.model_of(networks.residual(), "torch")
    x, before = native(subject, pictures(2)), kernels(subject)
    calls = []

    def explain(model, x, target, rows):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("no more")
        return GENERATOR.random((len(x), 12, 12), dtype=np.float32)

    with pytest.raises(RuntimeError, match="no more"):
        hm.score(subject, x, explain(subject, x, None, None), "mprt", 0, explainer=explain)
    assert all(np.array_equal(values, before[name]) for name, values in kernels(subject).items())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_gradient_of_a_linear_network_becomes_the_random_weights(framework):
    weight = GENERATOR.standard_normal((3, 12)).astype(np.float32)
    subject = networks.linear(framework, weight, np.ones(3, np.float32))
    x, target = pictures(2, (12,)), np.array([0, 2])
    drawn = RandomBank(5).generator("parameters dense.weight").standard_normal((3, 12), dtype=np.float32)
    random = drawn * np.sqrt(2 / 12)
    expected = [spearmanr(weight[row], random[row]).statistic for row in target]
    np.testing.assert_allclose(scored(subject, x, "mprt", target=target, seed=5), expected, rtol=1e-5)
    absolute = [spearmanr(abs(weight[row]), abs(random[row])).statistic for row in target]
    np.testing.assert_allclose(scored(subject, x, "mprt[quantus]", target=target, seed=5), absolute, rtol=1e-5)
    # The gradient is the same wherever it is taken, so smoothing changes nothing.
    np.testing.assert_allclose(scored(subject, x, "smooth_mprt", target=target, seed=5), expected, rtol=1e-5)
    rise = [
        entropy(np.histogram(random[row], 100)[0]) / entropy(np.histogram(weight[row], 100)[0]) - 1 for row in target
    ]
    np.testing.assert_allclose(scored(subject, x, "efficient_mprt", target=target, seed=5), rise, rtol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_random_logit_compares_with_other_classes(framework):
    weight = GENERATOR.standard_normal((4, 12)).astype(np.float32)
    subject = networks.linear(framework, weight, np.zeros(4, np.float32))
    x, target = pictures(3, (12,)), np.array([0, 1, 3])
    table = spearmanr(weight, axis=1).statistic
    distances = 1 + RandomBank(2).generator("random logit").permutation(3)
    for count in (1, 2):
        expected = np.mean([table[target, (target + distance) % 4] for distance in distances[:count]], axis=0)
        found = scored(subject, x, f"random_logit[similarity=spearman,classes={count}]", target=target, seed=2)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    # All other classes, however many more are asked for.
    found = scored(subject, x, "random_logit[similarity=spearman,classes=9]", target=target)
    np.testing.assert_allclose(found, [(table[row].sum() - 1) / 3 for row in target], rtol=1e-5)
    ssim = [
        structural_similarity(*(stretched(weight[row]) for row in (row, (row + distances[0]) % 4)),
                              data_range=1.0, gaussian_weights=True)
        for row in target
    ]  # fmt: skip
    np.testing.assert_allclose(scored(subject, x, "random_logit", target=target, seed=2), ssim, rtol=1e-4)


def stretched(values):
    values = np.abs(values.astype(np.float64))
    return (values - values.min()) / (values.max() - values.min())


def test_smoothing_averages_the_maps_of_noisy_copies():
    subject = networks.linear("torch", np.ones((2, 6), np.float32), np.zeros(2, np.float32))
    x, seen = pictures(2, (6,)), []

    def explain(model, x, target, rows):
        seen.append(subject.to_numpy(x))
        return seen[-1] ** 2

    found = hm.score(subject, x, x**2, "smooth_mprt[samples=3,noise=0.2]", 0, explainer=explain)
    spans = 0.2 * (x.max(axis=1) - x.min(axis=1))
    for number, inputs in enumerate(seen):
        draw = RandomBank(0).generator("smooth mprt", number % 3).standard_normal((1, 6), dtype=np.float32)
        np.testing.assert_allclose(inputs, x + spans[:, None] * draw, rtol=1e-5, atol=1e-6)
    assert len(seen) == 6  # the network itself, and one copy of its one layer
    np.testing.assert_allclose(found, 1)
    # Without noise, the mean of one map is the map.
    still, plain = (
        hm.score(subject, x, x**2, metric, 0, explainer=lambda model, x, target, rows: subject.to_numpy(x)[:, ::-1])
        for metric in ("smooth_mprt[samples=1,noise=0]", "mprt")
    )
    expected = [spearmanr(row, row[::-1]).statistic for row in x]
    np.testing.assert_allclose(plain, expected, rtol=1e-6)
    np.testing.assert_allclose(still, 1)  # here the network's own maps are made anew too


def test_copies_are_averaged_and_those_without_a_map_left_out():
    subject = networks.model_of(networks.residual(), "torch")
    x = native(subject, pictures(3))
    base = GENERATOR.random((3, 12, 12), dtype=np.float32)
    maps = [base, np.ones_like(base), -base, np.full_like(base, np.nan)]
    maps[2] = maps[2].copy()
    maps[2][1] = np.inf
    calls = iter(maps)
    original = base.copy()
    original[2] = 0.5
    found = hm.score(subject, x, original, "mprt", 0, explainer=lambda *given: next(calls))
    np.testing.assert_allclose(found, [0, 1, np.nan], atol=1e-6)  # the mean of 1 and -1; 1 alone; nothing
    calls = iter(maps[::-1])
    found = hm.score(subject, x, original, "mprt[aggregate=last]", 0, explainer=lambda *given: next(calls))
    np.testing.assert_allclose(found, [1, 1, np.nan])


def test_entropy_of_histograms():
    for values in (GENERATOR.standard_normal((12, 12)), np.eye(12), 1e30 * GENERATOR.random(7)):
        assert histogram_entropy(values, 100) == pytest.approx(entropy(np.histogram(values, 100)[0]))
    assert histogram_entropy(np.arange(100), 100) == pytest.approx(np.log(100))
    assert histogram_entropy(np.full(9, 3.0), 100) == 0
    assert np.isnan(histogram_entropy(np.array([1.0, np.inf]), 100))


def test_rise_in_complexity_of_degenerate_maps():
    subject = networks.linear("torch", np.ones((2, 4), np.float32), np.zeros(2, np.float32))
    maps = np.array([[0, 0, 1, 1], [2, 2, 2, 2], [0, np.nan, 1, 2], [0, 1, 2, 3]], np.float32)
    random = np.array([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [5, 5, 5, 5]], np.float32)
    found = hm.score(subject, np.ones((4, 4), np.float32), maps, "efficient_mprt", 0, explainer=lambda *given: random)
    np.testing.assert_allclose(found, [1, np.nan, np.nan, -1], rtol=1e-6)


class TestSimilarities:
    one, other = GENERATOR.standard_normal((2, 3, 24, 18))

    def test_against_the_libraries(self):
        rank = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(self.one, self.other, strict=True)]
        np.testing.assert_allclose(similarities(self.one, self.other, "spearman"), rank)
        sides = [
            [hog(stretched(a), orientations=9, pixels_per_cell=(6, 6), cells_per_block=(3, 3)) for a in maps]
            for maps in (self.one, self.other)
        ]
        oriented = [np.corrcoef(a, b)[0, 1] for a, b in zip(*sides, strict=True)]
        np.testing.assert_allclose(similarities(self.one, self.other, "hog"), oriented)

    @pytest.mark.parametrize("kind", ["spearman", "absolute", "ssim", "hog"])
    def test_properties(self, kind):
        np.testing.assert_allclose(similarities(self.one, self.one, kind), 1)
        found = similarities(self.one, self.other, kind)
        assert (np.abs(found) < 0.6).all()
        np.testing.assert_allclose(found, similarities(self.other, self.one, kind))
        np.testing.assert_allclose(found, similarities(3 * self.one, self.other, kind), rtol=1e-6)
        if kind != "spearman":
            np.testing.assert_allclose(similarities(self.one, -self.one, kind), 1)
        flat = np.array([np.ones((24, 18)), np.full((24, 18), np.nan), np.full((24, 18), np.inf)])
        assert np.isnan(similarities(self.one, flat, kind)).all()
        # All values of one size: constant once the sign is gone.
        signs = np.sign(self.one)
        assert np.isfinite(similarities(signs, self.one, kind)).all() == (kind in ("spearman", "ssim"))


@pytest.mark.parametrize("metric", ["mprt[similarity=ssim]", "random_logit", "mprt[similarity=hog]"])
def test_maps_that_are_too_small_are_told(metric):
    subject = networks.linear("torch", np.ones((2, 6), np.float32), np.zeros(2, np.float32))
    with pytest.raises(NotApplicable, match="choose similarity=spearman"):
        scored(subject, pictures(2, (6,)), metric)


def test_what_cannot_be_randomised_is_told():
    x = pictures(2, (1,))
    single = networks.linear("torch", np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    with pytest.raises(NotApplicable, match="one class only"):
        scored(single, x, "random_logit[similarity=spearman]")
    bare = wrap(torch.nn.Sequential(torch.nn.Flatten()), input_shape=(4,))
    for metric in ("mprt", "efficient_mprt"):
        with pytest.raises(NotApplicable, match="no parameters"):
            scored(bare, pictures(2, (4,)), metric)


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize("shape", [(12, 12, 3), (20, 2)])
def test_frameworks_agree(metric, shape):
    x, found = pictures(2, shape), []
    for framework in FRAMEWORKS:
        subject = networks.model_of(networks.residual(shape), framework)
        found.append(scored(subject, native(subject, x), metric, "smoothgrad[samples=2]", [0, 1]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("metric", [*CASCADES, "mprt[similarity=ssim]", "mprt[similarity=hog]", "random_logit"])
def test_a_map_that_ignores_the_network_fails(model, metric):
    subject = model("residual", "torch")
    x = native(subject, pictures(3))
    ignorant, gradient = (scored(subject, x, metric, method, 1) for method in ("input_intensity", "gradient"))
    np.testing.assert_allclose(ignorant, 1)
    assert gradient.mean() < 0.7 < ignorant.mean() and not metric_from(metric).entry.higher_is_better


def test_a_map_that_ignores_the_network_gains_no_complexity(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(3))
    assert (scored(subject, x, "efficient_mprt", "input_intensity", 1) == 0).all()
    assert metric_from("efficient_mprt").entry.higher_is_better


@pytest.mark.parametrize("metric", ["mprt[layers=3]", "mprt[mode=independent,layers=2]", "smooth_mprt[layers=2]",
                                    "efficient_mprt", "random_logit[classes=2]"])  # fmt: skip
def test_costs_are_exact(model, metric):
    subject = model("residual", "torch")
    x, explained = native(subject, pictures(2)), []

    def explain(model, x, target, rows):
        explained.append(len(x))
        return GENERATOR.random((len(x), 12, 12), dtype=np.float32)

    chosen, logits = metric_from(metric), subject.outputs(x)
    before = subject.passes
    evaluate_batch(
        subject, subject.inputs(x), explain(subject, x, None, None), np.zeros(2), [chosen], logits=logits,
        explainer=explain,
    )  # fmt: skip
    assert subject.passes == before
    assert explained == [2] * (1 + chosen.measure.cost(144).explanations)
