"""The methods: oracles, parity between frameworks, contracts and pass counts."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from comparisons import frameworks_agree
from networks import FRAMEWORKS, native, pictures
from small_methods import NAMES, SHAPES, SMALL

import heatmark as hm
from heatmark.errors import BadInput, NotApplicable, UnknownName
from heatmark.methods.contracts import violations
from heatmark.methods.gradient.fullgrad import require_complete
from heatmark.methods.gradient.integrated_gradients import RULES, quadrature
from heatmark.methods.perturbation.occlusion import window_starts
from heatmark.methods.registry import METHODS, method_from
from heatmark.models.queries import PassCount
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")


def explained(subject, x, method, *arguments, **options):
    """Explain, or skip where the method has no meaning for the network."""
    try:
        return hm.explain(subject, native(subject, x), method, *arguments, **options)
    except NotApplicable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("network", networks.ARCHITECTURES)
def test_frameworks_agree(model, network, shape, name):
    method, x = SMALL.get(name, name), pictures(3, SHAPES[shape])
    first, second = (
        explained(subject, x, method, target=[0, 1, 2])
        for subject in (model(network, framework, SHAPES[shape]) for framework in FRAMEWORKS)
    )
    for one, other in zip(first, second, strict=True):
        frameworks_agree(one, other)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_contract(model, framework, name):
    subject = model("residual", framework)
    method, x = SMALL.get(name, name), pictures(3)
    explained(subject, x, method)
    assert violations(subject, native(subject, x), method) == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_inputs_give_finite_maps(model, framework, name, value):
    subject = model("residual", framework)
    x = np.full((1, 12, 12, 3), value, np.float32)
    assert np.isfinite(explained(subject, x, SMALL.get(name, name))).all()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_linear_oracle(framework):
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((3, 6)).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    subject = networks.linear(framework, weight, bias)
    x, baseline = rng.random((4, 6), dtype=np.float32), rng.random(6, dtype=np.float32)
    target = np.array([0, 1, 2, 1])
    w = weight[target]
    for method, expected in {
        "gradient": w,
        "saliency": np.abs(w),
        "input_x_gradient": w * x,
        "integrated_gradients": w * x,
        "smoothgrad": w,
        "occlusion[window=1,score=logit]": w * x,
        "occlusion[window=1,score=logit,baseline=white]": w * (x - 1),
    }.items():
        np.testing.assert_allclose(hm.explain(subject, x, method, target), expected, rtol=2e-4, atol=2e-6)
    result = hm.explain(subject, x, "integrated_gradients", target, baseline=baseline, steps=3)
    np.testing.assert_allclose(result, w * (x - baseline), rtol=2e-4, atol=2e-6)


class Squares(torch.nn.Module):
    """f = sum of squares, and its negative."""

    def forward(self, x):
        total = (x**2).flatten(1).sum(1)
        return torch.stack([total, -total], 1)


def keras_squares():
    inputs = keras.Input((4,))
    total = keras.ops.sum(inputs**2, axis=1)
    return keras.Model(inputs, keras.ops.stack([total, -total], axis=1))


@pytest.mark.parametrize("build", [Squares, keras_squares])
def test_integrated_gradients_are_complete_for_squares(build):
    # A gradient taken with respect to the wrong end of the path gives 2/3 of this.
    subject = wrap(build(), input_shape=(4,))
    x = np.array([[1.0, -1.0, 0.5, 2.0]], np.float32)
    for rule, error in {"midpoint": 1e-4, "trapezoid": 1e-4, "left": 0.03, "right": 0.03}.items():
        result = hm.explain(subject, x, "integrated_gradients", 0, steps=50, rule=rule)
        assert result.sum() == pytest.approx((x**2).sum(), rel=error)
    np.testing.assert_allclose(hm.explain(subject, x, "integrated_gradients", 1), -(x**2), rtol=1e-4)


@pytest.mark.parametrize("baseline", ["black", "white", "mean", "blur", "noise", 0.3])
def test_integrated_gradients_are_complete_for_every_baseline(model, baseline):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    maps = hm.explain(subject, x, "integrated_gradients", [1, 2], steps=400, baseline=baseline)
    from heatmark.models.inputs.baselines import baseline_of
    from heatmark.models.random_bank import RandomBank

    start = subject.to_numpy(baseline_of(subject, subject.inputs(x), baseline, RandomBank(0)))
    difference = subject.outputs(x) - subject.outputs(np.broadcast_to(start, x.shape))
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), difference[[0, 1], [1, 2]], rtol=0.02, atol=0.005)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_quadrature_weights_sum_to_one_inside_the_path(rule, steps):
    points, weights = quadrature(rule, steps)
    assert len(points) == len(weights) == steps
    assert weights.sum() == pytest.approx(1) and points.min() >= 0 and points.max() <= 1


def test_the_explained_class_is_fixed_along_the_path():
    # The class that wins changes along the path; the explanation must stay with the one that wins at x.
    weight = np.array([[3.0, 0.0], [0.0, 1.0]], np.float32)
    subject = networks.linear("torch", weight, np.array([-2.0, 0.0], np.float32))
    x = np.array([[2.0, 1.0]], np.float32)
    np.testing.assert_allclose(hm.explain(subject, x, "integrated_gradients"), [[6.0, 0.0]], atol=1e-5)


def test_grad_cam_by_hand():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(2, 2, bias=False),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1))
        net[4].weight.copy_(torch.tensor([[1.0, -0.25], [-1.0, 0.0]]))
    subject = wrap(net, input_shape=(1, 3, 3))
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) / 9
    # The gradient at each position is the dense weight over 9; the maps are x and 2x.
    np.testing.assert_allclose(hm.explain(subject, x, "grad_cam", 0), x[:, 0] * (1 - 0.5) / 9, rtol=1e-5)
    np.testing.assert_array_equal(hm.explain(subject, x, "grad_cam", 1), np.zeros((1, 3, 3)))
    # Grad-CAM++: alpha = 1 / (2 + sum(A) g) for each map, times the positive part of the gradient.
    total, gradient = x.sum(), 1 / 9
    weight = 9 * gradient / (2 + total * gradient)
    np.testing.assert_allclose(hm.explain(subject, x, "grad_cam_plus_plus", 0), weight * x[:, 0], rtol=1e-5)


def test_grad_cam_of_any_layer(model):
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        x = native(subject, pictures(2))
        first = hm.explain(subject, x, "grad_cam[layer=first_relu]")
        assert first.shape == (2, 12, 12) and not np.allclose(first, hm.explain(subject, x, "grad_cam"))
        with pytest.raises(NotApplicable, match="no spatial positions"):
            hm.explain(subject, x, "grad_cam", layer="dense")
        with pytest.raises(UnknownName, match="no layer"):
            hm.explain(subject, x, "grad_cam", layer="nonsense")


def test_methods_that_need_what_a_model_lacks_say_so():
    subject = networks.linear("torch", np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    for name in ("guided_backprop", "grad_cam", "grad_cam_plus_plus"):
        with pytest.raises(NotApplicable, match="not applicable to linear"):
            hm.explain(subject, np.ones((1, 3)), name)


def test_occlusion_covers_every_position():
    for size, window, stride in [(10, 3, 3), (10, 10, 1), (7, 3, 2), (224, 16, 8)]:
        starts = window_starts(size, window, stride)
        covered = np.zeros(size)
        for start in starts:
            covered[start : start + window] += 1
        assert covered.min() >= 1 and starts[-1] + window == size


def test_occlusion_finds_the_only_pixel_that_counts():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 2, bias=False))
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].weight[0, 14] = 1.0  # row 2, column 2
    subject = wrap(net, input_shape=(1, 6, 6))
    result = hm.explain(subject, np.ones((1, 1, 6, 6)), "occlusion[window=1,score=logit,baseline=0]", 0)[0]
    expected = np.zeros((6, 6))
    expected[2, 2] = 1
    np.testing.assert_array_equal(result, expected)


def test_rise_masks_are_smooth_shifted_grids(model):
    from heatmark.methods.perturbation.rise import SmoothMasks
    from heatmark.methods.request import Request

    for framework in FRAMEWORKS:
        subject = model("plain", framework, (21, 14, 3))
        request = Request(subject, subject.inputs(native(subject, pictures(1, (21, 14, 3)))), np.array([0]))
        masks = subject.to_numpy(SmoothMasks(request, 7, 0.5)[np.arange(400)])
        assert masks.shape == (400, 21, 14) and masks.min() >= 0 and masks.max() <= 1
        assert masks.mean() == pytest.approx(0.5, abs=0.02)
        # No grid shows through: every position is kept equally often, and neighbours differ by less than a cell's step.
        assert np.abs(masks.mean(axis=0) - 0.5).max() < 0.1
        assert np.abs(np.diff(masks, axis=1)).max() <= 7 / (8 * 3) + 1e-5


def test_rise_is_the_expectation_over_its_masks():
    # For a network that ignores its input, the map is the mean mask over its expectation: about one everywhere.
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 2))
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].bias.copy_(torch.tensor([50.0, 0.0]))
    subject = wrap(net, input_shape=(1, 12, 12))
    result = hm.explain(subject, pictures(1, (1, 12, 12)), "rise", 0, masks=1500)
    assert np.abs(result - 1).max() < 0.12


#: Forward and backward passes of a sample; the last feature map has 6 channels.
COUNTS = {
    "gradient": (1, 1), "saliency": (1, 1), "capped_saliency": (1, 1), "input_x_gradient": (1, 1),
    "guided_backprop": (1, 1), "deconvnet": (1, 1), "fullgrad": (1, 1), "fullgrad_cam": (1, 1),
    "integrated_gradients[steps=7]": (7, 7), "integrated_gradients[steps=7,baseline=black+white]": (14, 14),
    "expected_gradients[samples=6]": (6, 6), "blur_ig[steps=5]": (5, 5), "guided_ig[steps=5]": (5, 5),
    "xrai[steps=4]": (8, 8), "smoothgrad[samples=5]": (5, 5), "vargrad[samples=5]": (5, 5),
    "smooth[integrated_gradients[steps=2],samples=3]": (6, 6),
    "cam": (1, 1), "grad_cam": (1, 1), "grad_cam_plus_plus": (1, 1), "xgrad_cam": (1, 1), "hires_cam": (1, 1),
    "layer_cam": (1, 1), "eigen_cam": (1, 0), "eigen_grad_cam": (1, 1), "guided_grad_cam": (2, 2),
    "finer_cam": (1, 1), "score_cam": (7, 0), "ablation_cam": (8, 0), "opti_cam[steps=3]": (4, 3),
    "internal_influence[steps=4]": (5, 4), "conductance[steps=4]": (9, 4), "influence_directed": (2, 2),
    "influence_directed[distribution=path,steps=4]": (5, 5),
    "occlusion[window=4,stride=4]": (10, 0), "rise[masks=11]": (11, 0),
    "feature_ablation[segments=9,regions=grid]": (10, 0), "lime[samples=12]": (12, 0),
    "kernel_shap[samples=600,segments=9,regions=grid]": (512, 0),
    "kernel_shap[samples=20,segments=9,regions=grid]": (22, 0),
    "shapley_sampling[permutations=3,segments=9,regions=grid]": (26, 0), "sobol[designs=4,cells=3]": (44, 0),
    "hsic[masks=13]": (13, 0), "extremal_perturbation[steps=3,areas=0.1+0.2]": (6, 6),
    "deep_lift": (2, 1), "lrp": (1, 1), "excitation_backprop": (1, 1),
    "random": (0, 0), "sobel": (0, 0), "center_gaussian": (0, 0), "input_intensity": (0, 0), "constant": (0, 0),
}  # fmt: skip


class Counted(torch.nn.Module):
    """Counts the rows that it sees."""

    def __init__(self, net):
        super().__init__()
        self.net, self.rows = net, 0

    def forward(self, x):
        self.rows += len(x)
        return self.net(x)


@pytest.mark.parametrize("method", COUNTS)
def test_pass_counts(model, method):
    subject = model("residual", "torch")
    counted = Counted(subject.net)
    watched = wrap(counted, input_shape=(3, 12, 12))
    watched.layer(), watched.has_rectifiers(), watched.has_attention(), watched.extraction, require_complete(watched)
    x = native(subject, pictures(3))
    hm.explain(watched, x[:1], method, target=0)  # what is asked once for a network is not counted
    before, counted.rows = watched.passes, 0
    hm.explain(watched, x, method, target=[0, 1, 2])
    forward, backward = COUNTS[method]
    assert watched.passes - before == PassCount(3 * forward, 3 * backward)
    # Relevance is propagated on the network's graph, which is evaluated instead of the network.
    on_graph = "graph" in method_from(method).entry.needs
    assert counted.rows == (0 if on_graph else 3 * forward)


def test_every_method_is_counted():
    # SISE's passes depend on the sample: test_perturbation.py counts them. What reads attention needs a transformer:
    # test_transformers.py counts its passes.
    elsewhere = {"sise", *(name for name in NAMES if "attention" in METHODS.get(name).needs)}
    assert {key.split("[")[0] for key in COUNTS} == set(NAMES) - elsewhere


def test_random_numbers_depend_on_the_seed_and_on_nothing_else(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(4))
    np.random.seed(7)  # noqa: NPY002 -- the global generator is what must not be touched
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    for method in ("random", "smoothgrad[samples=3]", "rise[masks=10]"):
        first, again, other = (hm.explain(subject, x, method, 0, seed=seed) for seed in (0, 0, 1))
        assert np.array_equal(first, again) and not np.allclose(first, other)
    assert np.random.random() == expected  # noqa: NPY002
    maps = hm.explain(subject, x, "random")
    assert abs(np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]) < 0.5


def test_channels_are_kept_on_request(model):
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        x = native(subject, pictures(2))
        full = hm.explain(subject, x, "saliency", channels=True)
        assert full.shape == x.shape and (full < 0).any()
        pooled = np.abs(full).max(axis=subject.channel_axis)
        np.testing.assert_allclose(hm.explain(subject, x, "saliency"), pooled, rtol=1e-5)
        with pytest.raises(BadInput, match="no channel-resolved form"):
            hm.explain(subject, x, "grad_cam", channels=True)


def test_a_method_of_ones_own(model):
    @hm.register_method("twice_the_gradient", family="gradient", signed=True, needs=["gradients"])
    def twice(request, *, factor: float = 2.0):
        """Some multiple of the gradient."""
        return factor * request.gradient()

    @hm.register_method("half_shaped", family="gradient", signed=True)
    def half_shaped(request):
        """Too few values."""
        return request.gradient()[:, :1, :1]

    try:
        for framework in FRAMEWORKS:
            subject = model("plain", framework)
            x = native(subject, pictures(2))
            result = hm.explain(subject, x, "twice_the_gradient[factor=3]")
            np.testing.assert_allclose(result, 3 * hm.explain(subject, x, "gradient"), rtol=1e-5, atol=1e-5)
            assert violations(subject, x, "twice_the_gradient") == []
            with pytest.raises(BadInput, match="half_shaped returned the shape"):
                hm.explain(subject, x, "half_shaped")
        entry = METHODS.get("twice_the_gradient")
        assert entry.summary == "Some multiple of the gradient." and entry.origin == __name__
        assert "source" in method_from("twice_the_gradient").identity()
        with pytest.raises(BadInput, match="already registered by heatmark"):
            hm.register_method("saliency", family="gradient", signed=True)(twice)
    finally:
        for name in ("twice_the_gradient", "half_shaped"):
            del METHODS._entries[name]


def test_contract_violations_are_found(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(3))
    calls = []

    def restless(request):
        calls.append(1)
        return request.gradient() + len(calls)

    def gregarious(request):
        return request.gradient() + request.operations.mean(request.x)

    def negative(request):
        return request.gradient()

    def broken(request):
        return request.gradient() / 0.0

    for function, signed, message in [
        (restless, True, "second call"),
        (gregarious, True, "one sample at a time"),
        (negative, False, "negative values"),
        (broken, True, "NaN or infinite"),
    ]:
        hm.register_method(function.__name__, family="test", signed=signed)(function)
        try:
            assert any(message in violation for violation in violations(subject, x, function.__name__))
        finally:
            del METHODS._entries[function.__name__]


@pytest.mark.parametrize(
    ("method", "error", "message"),
    [
        ("salency", UnknownName, "Did you mean 'saliency'"),
        ("integrated_gradients[stepz=3]", UnknownName, "Did you mean 'steps'"),
        ("integrated_gradients[steps=0]", BadInput, "at least 1"),
        ("integrated_gradients[steps=2.5]", BadInput, "expects int"),
        ("integrated_gradients[baseline=blak]", BadInput, "Did you mean 'black'"),
        ("integrated_gradients[fancy]", BadInput, "no preset"),
        ("smoothgrad[noise=-1]", BadInput, "at least 0"),
        ("occlusion[window=99]", BadInput, "larger than the input"),
        ("occlusion[window=2,stride=3]", BadInput, "leave gaps"),
        ("gradient,saliency", BadInput, "names 2"),
    ],
)
def test_wrong_selections(model, method, error, message):
    subject = model("plain", "torch")
    with pytest.raises(error, match=message):
        hm.explain(subject, native(subject, pictures(1)), method)


def test_a_baseline_array_must_fit(model):
    subject = model("plain", "torch")
    with pytest.raises(BadInput, match="baseline has shape"):
        hm.explain(subject, native(subject, pictures(1)), "integrated_gradients", baseline=np.zeros(3))
