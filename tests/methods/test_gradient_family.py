"""Gradient methods: oracles beyond those that all methods share."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import ARCHITECTURES, FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import BadInput
from heatmark.methods.gradient.fullgrad import _answers, _centred, _shaped
from heatmark.methods.gradient.guided_integrated_gradients import _Path
from heatmark.methods.gradient.xrai import _region_map, _segments, _widened
from heatmark.methods.registry import method_from
from heatmark.methods.request import Request
from heatmark.models.inputs.blur import gaussian_blur, gaussian_matrix
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

WEIGHT = np.array([[4.0, -3.0, 2.0, 1.0], [0.0, 1.0, -1.0, 0.5]], np.float32)


def completeness(model, x, target):
    """Input x gradient plus bias x gradient, summed over everything: the target's logit, for a ReLU network."""
    total = np.zeros(len(target))
    for rows, answer in _answers(Request(model, x, target)):
        parts = [model.channels_first(answer.input_gradient) * _centred(model, x[rows.start : rows.stop])]
        for bias, item in zip(model.biases(), answer.layer_gradients, strict=True):
            first = model.channels_first(item) if len(item.shape) > 2 else item
            parts.append(first * _shaped(model, bias.values, item))
        total[rows] = sum(model.to_numpy(part).astype(np.float64).reshape(len(part), -1).sum(axis=1) for part in parts)
    return total


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_linear_oracle(framework):
    subject = networks.linear(framework, WEIGHT, np.array([0.5, -1.0], np.float32))
    x = np.random.default_rng(0).random((3, 4), dtype=np.float32)
    target = np.array([0, 1, 0])
    w = WEIGHT[target]
    baselines = np.array([[0.2, 0.4, 0.6, 0.8]], np.float32)
    for method, expected in {
        "integrated_gradients[baseline=black+white]": w * (x - 0.5),
        "smoothgrad[absolute]": np.abs(w),
        "smoothgrad[squared]": w**2,
        "vargrad": np.zeros_like(w),
        "smooth[input_x_gradient,noise=0]": w * x,
        "guided_ig[steps=5]": w * x,
        "guided_ig[steps=5,baseline=white]": w * (x - 1),
        "capped_saliency[percentile=100]": np.abs(w),
        "expected_gradients[baseline=black]": w * x,
    }.items():
        np.testing.assert_allclose(hm.explain(subject, x, method, target), expected, rtol=2e-4, atol=2e-5)
    result = hm.explain(subject, x, "expected_gradients", target, baseline=baselines)
    np.testing.assert_allclose(result, w * (x - baselines), rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_fullgrad_is_complete(model, name, framework):
    subject = model(name, framework)
    # Near the normalisation's zero, where no ReLU6 is at its upper end: the constant that it adds there is no bias.
    x = native(subject, 0.4 + (0.05 if name == "depthwise" else 1.0) * pictures(3))
    target = np.array([0, 2, 3])
    given = subject.as_tensor(x)  # up to 1.4
    expected = subject.outputs_of(given)[np.arange(3), target]
    np.testing.assert_allclose(completeness(subject, given, target), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fused", [True, False])
def test_fullgrad_sees_biases_before_a_fused_activation(fused):
    inputs = keras.Input((6, 6, 1))
    hidden = keras.layers.Conv2D(3, 3, activation="relu" if fused else None, bias_initializer="ones")(inputs)
    hidden = hidden if fused else keras.layers.ReLU()(hidden)
    outputs = keras.layers.Dense(2, bias_initializer="ones")(keras.layers.Flatten()(hidden))
    subject = wrap(keras.Model(inputs, outputs))
    x = pictures(2, (6, 6, 1))
    total = completeness(subject, subject.inputs(x), np.array([0, 1]))
    np.testing.assert_allclose(total, subject.outputs(x)[[0, 1], [0, 1]], rtol=1e-5, atol=1e-5)


def test_fullgrad_of_a_dense_softmax_is_that_of_its_logits():
    """The activation of the last layer is left out, so the layer's bias counts at its output."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).random((2, 6, 6, 2), dtype=np.float32)
    models = []
    for activation in (None, "softmax"):
        inputs = keras.Input((6, 6, 2))
        hidden = keras.layers.Flatten()(keras.layers.Conv2D(3, 3, activation="relu", bias_initializer="normal")(inputs))
        head = keras.layers.Dense(3, activation=activation, bias_initializer="normal")(hidden)
        models.append(wrap(keras.Model(inputs, head)))
    models[1].net.set_weights(models[0].net.get_weights())
    for method in ("fullgrad", "fullgrad_cam"):
        expected, found = (hm.explain(model, x, method, 1) for model in models)
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    total = completeness(models[1], models[1].inputs(x), np.array([1, 1]))
    np.testing.assert_allclose(total, models[0].outputs(x)[:, 1], atol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_fullgrad_is_refused_where_rows_are_no_samples(framework):
    """A network that averages over a picture and its mirror image, in one batch."""
    x = np.random.default_rng(0).random((2, 6, 6, 2), dtype=np.float32)
    if framework == "torch":

        class Both(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.dense = torch.nn.Conv2d(2, 3, 3), torch.nn.Linear(3, 2)

            def forward(self, x):
                both = self.dense(self.conv(torch.cat([x, x.flip(3)])).relu().mean((2, 3)))
                return both[: len(x)] + both[len(x) :]

        subject, x = wrap(Both(), input_shape=(2, 6, 6)), np.moveaxis(x, -1, 1)
    else:

        class Both(keras.Model):
            def __init__(self):
                super().__init__()
                self.conv, self.dense = keras.layers.Conv2D(3, 3, activation="relu"), keras.layers.Dense(2)

            def call(self, x):
                mirrored = keras.ops.flip(x, 2)
                both = self.dense(keras.ops.mean(self.conv(keras.ops.concatenate([x, mirrored])), (1, 2)))
                one, other = keras.ops.split(both, 2)
                return one + other

        subject = wrap(Both(), input_shape=(6, 6, 2))
    with pytest.raises(hm.NotApplicable, match="gives other rows than samples"):
        hm.explain(subject, x, "fullgrad", 1)


def test_fullgrad_of_a_recurrent_network_is_warned_of_with_the_numbers():
    inputs = keras.Input((8, 2))
    subject = wrap(keras.Model(inputs, keras.layers.Dense(3)(keras.layers.LSTM(4)(inputs))))
    with pytest.warns(UserWarning, match=r"sum to .* where the logit is"):
        hm.explain(subject, np.random.default_rng(0).random((2, 8, 2), dtype=np.float32), "fullgrad", 1)


def test_fullgrad_cam_tells_classes_apart():
    # Maps x + 1 and x - 2, averaged over 4 positions, then logits (a + b, a - b, -a).
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(2, 3, bias=False),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.copy_(torch.tensor([1.0, -2.0]))
        net[4].weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 0.0]]))
    subject = wrap(net, input_shape=(1, 2, 2), domain=(0, 3))
    x = np.array([[[[0.0, 1.0], [3.0, 0.5]]]], np.float32)  # the second map is on in one position only
    # Class 0 has the biases 1 and 1 - 2, class 1 has 1 and 1 + 2, and class 2 has none that speak for it.
    for target, expected in {0: [[1, 1], [0, 1]], 1: [[0, 0], [1, 0]], 2: [[0, 0], [0, 0]]}.items():
        np.testing.assert_allclose(hm.explain(subject, x, "fullgrad_cam", target)[0], expected, atol=1e-6)


def test_the_quadrature_error_is_measured(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    target = np.array([1, 2])
    errors = {
        steps: hm.score(
            subject, x, hm.explain(subject, x, "integrated_gradients", target, steps=steps), "completeness", target
        )
        for steps in (2, 256)
    }
    assert errors[256].max() < 0.02 and errors[256].mean() < errors[2].mean()
    zeros = np.zeros((2, 12, 12), np.float32)
    assert hm.score(subject, x, zeros, "completeness", target) == pytest.approx(1.0)


class Squares(torch.nn.Module):
    """f = sum of squares, and its negative."""

    def forward(self, x):
        total = (x**2).flatten(1).sum(1)
        return torch.stack([total, -total], 1)


def test_blur_ig_telescopes():
    # Summed over everything: the logit of the sharp picture less that of the most blurred one.
    subject = wrap(Squares(), input_shape=(1, 12, 12))
    x = pictures(2, (1, 12, 12))
    maps = hm.explain(subject, x, "blur_ig[steps=200,width=0.3]", [0, 1])
    matrix = gaussian_matrix(12, 0.3 * 12)
    blurred = np.einsum("hi,wj,ncij->nchw", matrix, matrix, x)
    change = (subject.outputs(x) - subject.outputs(blurred))[[0, 1], [0, 1]]
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), change, rtol=1e-3)


def test_the_two_blurs_agree(model):
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        x = pictures(2)
        got = subject.to_numpy(subject.channels_first(gaussian_blur(subject, subject.inputs(native(subject, x)), 1.5)))
        matrix = gaussian_matrix(12, 1.5)
        expected = np.einsum("hi,wj,nijc->nchw", matrix, matrix, x)
        np.testing.assert_allclose(got, expected, atol=0.01)  # one is cut off at three standard deviations
        assert np.allclose(gaussian_matrix(9, 2.0).sum(axis=1), 1)


@pytest.mark.parametrize("distance", [0.0, 0.02, 1.0])
def test_a_guided_path_arrives_and_covers_its_length(distance):
    rng = np.random.default_rng(0)
    begin, end = rng.random(50), rng.random(50)
    path = _Path(begin, end, 0.25, distance)
    for step in range(10):
        path.advance(rng.standard_normal(50), (step + 1) / 10)
        covered = np.abs(end - begin).sum() - np.abs(end - path.x).sum()
        assert covered == pytest.approx((step + 1) / 10 * np.abs(end - begin).sum(), rel=1e-6)
    np.testing.assert_allclose(path.x, end, atol=1e-9)


def test_rounding_does_not_turn_a_guided_path():
    # Two thirds of the gradients are equal but for rounding, more than move at a time.
    rng = np.random.default_rng(0)
    end, strengths = rng.random(60), np.where(np.arange(60) % 3, 0.1, rng.standard_normal((6, 60)))
    found = []
    for noise in (np.random.default_rng(seed) for seed in range(3)):
        path = _Path(np.zeros(60), end, 0.25, 0.5)
        for step, strength in enumerate(strengths):
            path.advance(strength * (1 + 1e-7 * noise.standard_normal(60)), (step + 1) / 6)
        found.append(path.attribution)
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(found[1:], [found[0]] * 2, atol=1e-6)


def test_a_guided_path_without_freedom_is_the_straight_one(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    guided = hm.explain(subject, x, "guided_ig[distance=0,steps=20]", [0, 1])
    straight = hm.explain(subject, x, "integrated_gradients[steps=20,rule=left]", [0, 1])
    np.testing.assert_allclose(guided, straight, rtol=1e-3, atol=1e-4)


def test_xrai_grows_from_the_best_segment():
    values = np.array([[9.0, 9.0, 1.0], [1.0, 1.0, 1.0], [-2.0, -2.0, -2.0]])
    segments = np.zeros((3, 3, 3), bool)
    segments[0, 0, :2] = segments[1, 0] = segments[1, 1] = segments[2, 2] = True
    result = _region_map(values, segments, 1)
    np.testing.assert_allclose(result, [[9, 9, 1], [1, 1, 1], [-2, -2, -2]])
    # A segment that brings too few new pixels is left out, and its pixels get the mean of what is left.
    np.testing.assert_allclose(_region_map(values, segments, 4)[2], [-2, -2, -2])


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_segments_are_widened_by_a_disk(radius):
    from skimage.morphology import dilation, disk

    labels = np.kron(np.random.default_rng(radius).integers(0, 6, (5, 4)), np.ones((4, 7), int))
    labels[labels == 3] = 4  # a number that no segment has
    found = np.stack(list(_widened(labels, radius)))
    expected = np.stack([dilation(labels == number, disk(radius)) for number in np.unique(labels)])
    np.testing.assert_array_equal(found, expected)


def test_each_segment_counts_once_and_their_order_is_fixed():
    picture = np.zeros((30, 30, 3), np.float32)
    picture[:12, :17] = (1.0, 0.2, 0.0)
    segments = _segments(picture, 30 * 30 / 224**2)
    flat = segments.reshape(len(segments), -1)
    np.testing.assert_array_equal(flat, np.unique(flat, axis=0))
    assert segments.shape[1:] == (30, 30) and segments.any(axis=0).all()


def test_smoothing_wraps_any_method(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    by_hand = hm.explain(subject, x, "smoothgrad[samples=3]", [0, 1])
    np.testing.assert_allclose(
        hm.explain(subject, x, "smooth[gradient,samples=3]", [0, 1]), by_hand, rtol=1e-4, atol=1e-5
    )
    wrapped = method_from("smooth[integrated_gradients[steps=2],samples=3]")
    assert wrapped.identity()["inner"]["parameters"]["steps"] == 2 and wrapped.id.startswith("smooth[integrated")
    with pytest.raises(BadInput, match="wraps another method"):
        method_from("smooth")


def test_percentile_capping():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2, bias=False))
    subject = wrap(net, input_shape=(1, 4, 4))
    x = pictures(1, (1, 4, 4))
    full, capped = (hm.explain(subject, x, name, 0) for name in ("saliency", "capped_saliency[percentile=75]"))
    np.testing.assert_allclose(capped, np.minimum(full, np.percentile(full, 75)), rtol=1e-6)
