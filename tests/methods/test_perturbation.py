"""The perturbation methods: networks whose answers are known by hand, exact enumeration, and degenerate inputs."""

from __future__ import annotations

import itertools
import math

import networks
import numpy as np
import pytest
from comparisons import peer
from networks import FRAMEWORKS, native, pictures
from scipy.stats import spearmanr

import heatmark as hm
from heatmark.errors import BadInput, NotApplicable
from heatmark.methods.perturbation.extremal_perturbation import Ascent, SmoothMask, area_slope
from heatmark.methods.perturbation.hsic import binary_hypercube, dependence
from heatmark.methods.perturbation.lime import fit
from heatmark.methods.perturbation.shapley import kernel_coalitions
from heatmark.methods.perturbation.sobol import replicated_designs, total_indices
from heatmark.methods.perturbation.superpixels import fill_of, regions_of
from heatmark.methods.request import Request
from heatmark.models.architecture.nodes import INPUT, Activation, Architecture, Dense, initial_weights
from heatmark.models.inputs.regions import grid_labels
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
pytest.importorskip("keras")

METHODS = (
    "feature_ablation", "lime[samples=20]", "kernel_shap[samples=20]", "shapley_sampling[permutations=2]",
    "sobol[designs=4]", "hsic[masks=10]", "extremal_perturbation[steps=2]", "sise",
)  # fmt: skip


def linear(framework, features=6, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((3, features)).astype(np.float32)
    x = rng.random((4, features), dtype=np.float32) + 0.1
    target = np.array([0, 1, 2, 1])
    return networks.linear(framework, weight, rng.standard_normal(3).astype(np.float32)), x, target, weight[target]


def interacting(framework, features=5):
    """A network with a hidden layer: what a feature is worth depends on the others."""
    nodes = (Dense("first", (INPUT,), 8), Activation("relu", ("first",), "relu"), Dense("last", ("relu",), 2))
    architecture = Architecture("interacting", (features,), nodes, "last")
    weights = {name: 3 * value for name, value in initial_weights(architecture, 3).items()}
    return wrap(networks.built(architecture, framework, weights), input_shape=(features,), name="interacting")


def exact_shapley(subject, x, target):
    """The Shapley values of one sample's features by their definition, over all coalitions, against zero."""
    count = len(x)
    members = list(itertools.product([0, 1], repeat=count))
    worth = dict(zip(members, subject.outputs(np.array(members, np.float32) * x)[:, target].tolist(), strict=True))
    values = np.zeros(count)
    for coalition, here in worth.items():
        for feature in (number for number in range(count) if not coalition[number]):
            size = sum(coalition)
            share = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            joined = (*coalition[:feature], 1, *coalition[feature + 1 :])
            values[feature] += share * (worth[joined] - here)
    return values


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_linear_networks_are_shared_out_exactly(framework):
    subject, x, target, w = linear(framework)
    for method in (
        "feature_ablation[score=logit]",
        "kernel_shap",
        "kernel_shap[samples=30]",
        "shapley_sampling[permutations=2]",
        "lime[baseline=black,score=logit,ridge=0,samples=60]",
    ):
        np.testing.assert_allclose(hm.explain(subject, x, method, target), w * x, rtol=1e-3, atol=1e-5)
        with_white = hm.explain(subject, x, method, target, baseline="white")
        np.testing.assert_allclose(with_white, w * (x - 1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_regions_get_the_sum_of_their_features(framework):
    subject, x, target, w = linear(framework, features=12)
    expected = (w * x).reshape(4, 4, 3).sum(axis=2)
    for name in (
        "feature_ablation[score=logit,segments=4]",
        "kernel_shap[segments=4]",
        "shapley_sampling[segments=4]",
    ):
        whole = hm.explain(subject, x, name, target, spread=False)
        np.testing.assert_allclose(whole, expected.repeat(3, axis=1), rtol=1e-3, atol=1e-5)
        divided = hm.explain(subject, x, name, target)
        np.testing.assert_allclose(divided, whole / 3, rtol=1e-5)
    means = x.reshape(4, 4, 3).mean(axis=2).repeat(3, axis=1)
    local = (w * (x - means)).reshape(4, 4, 3).sum(axis=2).repeat(3, axis=1)
    weights = hm.explain(subject, x, "lime[segments=4,score=logit,ridge=0,samples=60]", target)
    np.testing.assert_allclose(weights, local, rtol=1e-3, atol=1e-5)
    penalised = hm.explain(subject, x, "lime[segments=4,score=logit,baseline=black,samples=200]", target)
    assert [spearmanr(one, two).statistic for one, two in zip(penalised, expected.repeat(3, axis=1), strict=True)] == (
        pytest.approx([1.0] * 4)
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_shapley_values_against_exact_enumeration(framework):
    subject = interacting(framework)
    x = np.random.default_rng(1).standard_normal((2, 5)).astype(np.float32)
    exact = np.stack([exact_shapley(subject, sample, 1) for sample in x])
    separate = hm.explain(subject, x, "feature_ablation[score=logit]", 1)
    scale = np.abs(exact).max()
    assert np.abs(separate - exact).max() > 0.1 * scale  # the features do interact
    np.testing.assert_allclose(hm.explain(subject, x, "kernel_shap", 1), exact, atol=1e-5 * scale)
    drawn = hm.explain(subject, x, "shapley_sampling[permutations=400]", 1)
    np.testing.assert_allclose(drawn, exact, atol=0.1 * scale)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_drawn_shapley_values_are_near_the_exact_ones_as_shipped(framework):
    subject = interacting(framework, features=8)
    x = np.random.default_rng(2).standard_normal((8, 8)).astype(np.float32)
    exact = np.stack([exact_shapley(subject, sample, 1) for sample in x])
    largest = np.abs(exact).max(axis=1)

    def errors(method):
        return np.abs(hm.explain(subject, x, method, 1) - exact).max(axis=1) / largest

    # What the help says of the default, and why it is not Captum's.
    assert errors("shapley_sampling").max() < 0.07 < errors("shapley_sampling[permutations=25]").max()


@pytest.mark.parametrize("method", ["kernel_shap[samples=40,segments=12]", "shapley_sampling[permutations=2]"])
def test_shapley_values_sum_to_the_difference_whatever_the_effort(model, method):
    for framework in FRAMEWORKS:
        subject = model("residual", framework)
        x = native(subject, pictures(3))
        maps = hm.explain(subject, x, method, 2)
        # Nothing is stated, so absence is each picture's mean colour.
        blank = np.broadcast_to(x.mean(axis=subject.spatial_axes, keepdims=True), x.shape)
        difference = (subject.outputs(x) - subject.outputs(blank))[:, 2]
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), difference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("count", "samples"), [(3, 5), (6, 20), (7, 60), (10, 300), (6, 63), (2, 1), (40, 2000)])
def test_kernel_coalitions_are_distributed_as_the_kernel(count, samples):
    shown, weights = kernel_coalitions(count, samples, np.random.default_rng(0))
    sizes = shown.sum(axis=1)
    assert len(shown) == len(weights) <= samples and sizes.min() >= 1 and sizes.max() <= count - 1
    assert len(shown) == min(samples, 2**count - 2)
    if samples % 2 == 0:
        np.testing.assert_allclose((weights[:, None] * shown).sum(axis=0), weights.sum() / 2, rtol=1e-9)
    exact, kernel = kernel_coalitions(min(count, 10), 2 ** min(count, 10), np.random.default_rng(0))
    assert len(np.unique(exact, axis=0)) == len(exact) == 2 ** min(count, 10) - 2
    if count == 10:
        by_size = [weights[sizes == size].sum() / weights.sum() for size in range(1, count)]
        expected = [kernel[exact.sum(axis=1) == size].sum() / kernel.sum() for size in range(1, count)]
        np.testing.assert_allclose(by_size, expected, atol=0.03)


def test_lime_weighs_near_copies_more():
    # The first region's effect shows only when everything else is there: only near copies see it.
    shown = np.array(list(itertools.product([False, True], repeat=6)))
    scores = np.where(shown[:, 1:].all(axis=1), shown[:, 0], 0.0)
    near, far = fit(shown, scores, 0.05, 0.01)[0], fit(shown, scores, 10.0, 0.01)[0]
    assert near > 0.5 and far < 0.1


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_sobol_indices_of_an_additive_function(framework):
    subject, x, target, w = linear(framework)
    variances = (w * x) ** 2
    expected = variances / variances.sum(axis=1, keepdims=True)
    indices = hm.explain(subject, x, "sobol[designs=512,score=logit]", target)
    np.testing.assert_allclose(indices, expected, rtol=0.1, atol=1e-4)


def test_sobol_indices_of_a_product():
    # For u1 * u2, uniform on [0, 1]: the total index is 1 - V[E[f | the other]] / V[f] = 1 - (1/48) / (7/144) = 4/7.
    designs = replicated_designs(3, 4096, np.random.default_rng(0))
    assert designs.shape == (4096 * 5, 3) and designs.min() >= 0 and designs.max() <= 1
    indices = total_indices((designs[:, 0] * designs[:, 1])[:, None], 4096)
    np.testing.assert_allclose(indices, [[4 / 7, 4 / 7, 0]], atol=0.02)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_hsic_is_small_for_what_is_ignored(framework):
    weight = np.array([[2.0, 0, 1.0, 0, 0, 0.5], [0, 0, 0, 0, 0, 0]], np.float32)
    subject = networks.linear(framework, weight, np.zeros(2, np.float32))
    result = hm.explain(subject, np.ones((1, 6)), "hsic[masks=400,score=logit]", 0)[0]
    assert result[0] > 2 * result[2] > 4 * result[5] > 0
    assert max(result[[1, 3, 4]]) < 0.05 * result[0]


def test_hsic_is_the_trace_of_its_definition():
    rng = np.random.default_rng(0)
    shown, scores = binary_hypercube(4, 14, rng), rng.random(14)
    assert (shown.sum(axis=0) == 7).all()
    centring = np.eye(14) - 1 / 14
    distances = np.abs(scores[:, None] - scores)
    width = np.median([distances[i, j] for i in range(14) for j in range(i)])
    output = np.exp(-(distances**2) / (2 * width**2))
    expected = [
        np.trace((1.5 - (column[:, None] - column) ** 2) @ centring @ output @ centring) / 14**2 for column in shown.T
    ]
    np.testing.assert_allclose(dependence(shown, scores), expected, rtol=1e-9)
    assert not dependence(shown, np.full(14, 0.3)).any()


def test_smooth_masks_and_the_area_have_true_slopes():
    rng = np.random.default_rng(0)
    for grid in ((5, 4), (9,)):
        masks, values = SmoothMask(grid, tuple(3 * size for size in grid), 0.3), rng.random((2, *grid))
        smooth = masks.of(values)
        weights = rng.standard_normal(smooth.values.shape)
        assert smooth.values.min() >= 0 and (smooth.values <= smooth.highest).all() and smooth.highest.max() <= 1
        assert smooth.values[0].size == masks.cells and masks.inside(smooth.values).shape == values.shape
        gradient, areas = masks.adjoint(weights, smooth.slopes), np.array([0.1, 0.4])
        error = area_slope(values, values, areas)

        def misfit(values, areas=areas):
            flat = np.sort(values.reshape(2, -1), axis=1)
            wanted = np.arange(flat.shape[1]) >= np.floor(flat.shape[1] * (1 - areas))[:, None]
            return ((flat - wanted) ** 2).mean(axis=1).sum()

        for place in [(0, *(0,) * len(grid)), (1, *(size // 2 for size in grid))]:
            step = np.zeros_like(values)
            step[place] = 1e-6
            change = (weights * (masks.of(values + step).values - masks.of(values - step).values)).sum() / 2e-6
            assert gradient[place] == pytest.approx(change, rel=1e-5)
            change = (misfit(values + step) - misfit(values - step)) / 2e-6
            assert error[place] == pytest.approx(change, rel=1e-5, abs=1e-8)
        for matrix in masks.enlarging:
            np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-6)


def test_the_area_prefers_no_place_among_equals():
    level = np.full((1, 10), 0.5)
    np.testing.assert_allclose(area_slope(level, level, np.array([0.2])), np.full((1, 10), 2 / 10 * (0.5 - 0.2)))
    # At the start every cell shows, and its highest bump is as high as every other's, near the border too.
    masks = SmoothMask((8, 8), (8, 8), 0.3)
    np.testing.assert_array_equal(masks.inside(masks.of(np.ones((1, 8, 8))).highest), np.ones((1, 8, 8)))


def test_the_ascent_is_that_of_damped_momentum():
    ascent = Ascent(np.full((1, 2), 0.5), 0.01)
    ascent.climb(np.array([[1.0, 200.0]]))
    np.testing.assert_allclose(ascent.values, [[0.51, 1.0]])
    ascent.climb(np.array([[2.0, 0.0]]))
    np.testing.assert_allclose(ascent.values, [[0.51 + 0.01 * (0.9 + 0.2), 1.0]])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_extremal_perturbation_finds_the_only_region_that_counts(framework):
    weight = np.zeros((2, 40), np.float32)
    weight[0, 10:18] = 2.0
    subject = networks.linear(framework, weight, np.zeros(2, np.float32))
    method = "extremal_perturbation[areas=0.2,steps=500,cells=40,baseline=black]"
    mask = hm.explain(subject, np.ones((1, 40)), method, 0)[0]
    assert set(np.argsort(mask)[-8:]) == set(range(10, 18)) and mask[12:16].min() > 0.9
    assert mask[:7].max() < 0.1 and mask[21:].max() < 0.1 and mask.mean() == pytest.approx(0.2, abs=0.05)


def test_extremal_perturbation_in_pictures():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24 * 18, 2, bias=False))
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].weight[0].reshape(24, 18)[2:10, 6:14] = 0.25
    subject = wrap(net, input_shape=(1, 24, 18))
    method = "extremal_perturbation[areas=0.15+0.3,steps=400,cells=18,baseline=black]"
    mask = hm.explain(subject, np.ones((1, 1, 24, 18)), method, 0)[0]
    assert mask.shape == (24, 18)
    assert mask[4:8, 8:12].min() > 0.9 and mask[16:].max() < 0.1 and mask[:, :2].max() < 0.2


def request_of(subject, x):
    return Request(subject, subject.inputs(native(subject, x)), np.zeros(len(x), np.int64))


def halves(shape=(12, 16, 3)):
    """Two pictures: two plain halves, and noise."""
    x = pictures(2, shape)
    x[0, :, :9], x[0, :, 9:] = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
    return x


def test_superpixels_follow_edges_and_are_the_same_in_both_frameworks(model):
    x = halves()
    first, second = (regions_of(request_of(model("plain", f, (12, 16, 3)), x), "superpixels", 12) for f in FRAMEWORKS)
    np.testing.assert_array_equal(first.labels, second.labels)
    for labels, count in zip(first.labels, first.counts, strict=True):
        np.testing.assert_array_equal(np.unique(labels), np.arange(count))
    assert not set(first.labels[0, :, :9].ravel()) & set(first.labels[0, :, 9:].ravel())
    assert first.counts[0] != first.counts[1]  # which is what makes the pairs ragged


def test_grids_and_windows(model):
    subject = model("plain", "torch", (12, 16, 3))
    grid = regions_of(request_of(subject, pictures(2, (12, 16, 3))), "grid", 12)
    assert (grid.counts == 12).all() and (np.bincount(grid.labels[0].ravel()) == 16).all()
    assert (grid.labels[0, :4, :4] == 0).all() and (grid.labels[0, 8:, 12:] == 11).all()
    series = model("plain", "torch", (20, 2))
    windows = regions_of(request_of(series, pictures(2, (20, 2))), "superpixels", 6)
    assert (windows.counts == 6).all() and set(np.bincount(windows.labels[0])) == {3, 4}
    single = regions_of(request_of(series, pictures(2, (20, 2))), "superpixels", 99)
    np.testing.assert_array_equal(single.labels[1], np.arange(20))
    np.testing.assert_array_equal(grid_labels((2, 4), (2, 2)), [[0, 0, 1, 1], [2, 2, 3, 3]])


def test_regions_are_filled_with_their_own_mean_colour(model):
    x = halves()
    for framework in FRAMEWORKS:
        subject = model("plain", framework, (12, 16, 3))
        request = request_of(subject, x)
        regions = regions_of(request, "superpixels", 12)
        filled = subject.to_numpy(subject.channels_first(fill_of(request, regions, "segment_mean")))
        assert filled.shape == (2, 3, 12, 16)
        np.testing.assert_allclose(filled[0], np.moveaxis(x[0], -1, 0), rtol=1e-5)
        for label in range(regions.counts[1]):
            inside = regions.labels[1] == label
            np.testing.assert_allclose(filled[1][:, inside].T, [x[1][inside].mean(axis=0)] * inside.sum(), rtol=1e-5)


def test_every_region_takes_one_pass_however_many_a_sample_has(model):
    subject, x = model("plain", "torch", (12, 16, 3)), halves()
    counts = regions_of(request_of(subject, x), "superpixels", 12).counts
    before = subject.passes.forward
    hm.explain(subject, native(subject, x), "feature_ablation[segments=12]", 0)
    assert subject.passes.forward - before == (counts + 1).sum()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_feature_ablation_on_a_grid_is_occlusion_without_overlap(model, framework):
    subject = model("plain", framework)
    x = native(subject, pictures(2))
    ours = hm.explain(subject, x, "feature_ablation[regions=grid,segments=9,spread=false]", 1)
    np.testing.assert_allclose(ours, hm.explain(subject, x, "occlusion[window=4,stride=4]", 1), rtol=1e-4, atol=1e-6)


@pytest.mark.peers
def test_feature_ablation_agrees_with_captum(model):
    captum = peer("captum.attr")
    subject, x = model("plain", "torch", (12, 16, 3)), halves()
    regions = regions_of(request_of(subject, x), "superpixels", 12)
    ablation = captum.FeatureAblation(lambda batch: torch.from_numpy(subject.outputs(batch)))
    for row in range(2):
        sample = torch.from_numpy(native(subject, x[row : row + 1]))
        theirs = ablation.attribute(sample, target=1, feature_mask=torch.from_numpy(regions.labels[row])[None, None])
        ours = hm.explain(subject, sample, "feature_ablation[segments=12,score=logit,spread=false,baseline=black]", 1)
        np.testing.assert_allclose(ours[0], theirs[0, 0].numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_lime_says_something_of_small_inputs(model, framework):
    # Regions of single positions, each filled with its own mean, would change nothing, and the map would be zero.
    for shape in ((8, 8, 1), (40, 1), (6, 9, 3)):
        subject = model("residual", framework, shape)
        x = native(subject, pictures(2, shape))
        assert (np.ptp(hm.explain(subject, x, "lime[samples=30]").reshape(2, -1), axis=1) > 0).all()
        with pytest.raises(NotApplicable, match="Choose fewer segments"):
            hm.explain(subject, x, "lime[samples=30]", segments=100)
        assert np.isfinite(hm.explain(subject, x, "lime[samples=30,baseline=black]", segments=100)).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7)])
def test_tiny_inputs_and_a_single_class_give_finite_maps(method, shape):
    flat = (torch.nn.Flatten(), torch.nn.Linear(2 * math.prod(shape[1:]), 1))
    net = torch.nn.Sequential(torch.nn.Conv2d(shape[0], 2, 1), torch.nn.ReLU(), *flat)
    subject = wrap(net, input_shape=shape)
    if shape[1:] == (1, 1) and method.startswith(("sise", "lime")):
        with pytest.raises(NotApplicable, match=r"no layer with spatial positions|its own mean colour does not hide"):
            hm.explain(subject, np.ones((2, *shape)), method, 0)
        return
    maps = hm.explain(subject, np.random.default_rng(0).random((2, *shape)), method, 0)
    assert maps.shape == (2, *shape[1:]) and np.isfinite(maps).all()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("sobol[designs=12]", "power of two"),
        ("extremal_perturbation[areas=1.5]", "above 0 and below 1"),
        ("extremal_perturbation[areas=0.1+half]", "above 0 and below 1"),
        ("feature_ablation[baseline=segment_men]", "segment_mean"),
        ("sobol[baseline=segment_mean]", "is one of"),
        ("kernel_shap[regions=squares]", "is one of"),
    ],
)
def test_wrong_parameters(model, method, message):
    subject = model("plain", "torch")
    with pytest.raises(BadInput, match=message):
        hm.explain(subject, native(subject, pictures(1)), method, 0)
