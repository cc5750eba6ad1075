"""Networks that take their inputs in one way only, or change them, give what they give outside heatmark."""

from __future__ import annotations

import numpy as np
import pytest

import heatmark as hm
from heatmark.errors import BadInput, NetworkFailed
from heatmark.models.normalization import Normalization
from heatmark.models.queries import Query
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
nn = torch.nn

X = np.random.default_rng(0).random((3, 3, 12, 12), dtype=np.float32)


class Flattening(nn.Module):
    """Ends its features in one of several ways that depend on the memory format."""

    def __init__(self, how):
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.conv, self.dense = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * 6 * 6, 5)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv(x)), 2)
        flat = {
            "view": lambda: x.view(len(x), -1),
            "misread": lambda: x.as_strided((len(x), x[0].numel()), (x[0].numel(), 1)),
            "reshape": lambda: x.reshape(len(x), -1),
        }[self.how]()
        return self.dense(flat)


def gradient_of(forward, x, target):
    given = torch.tensor(x, requires_grad=True)
    (gradient,) = torch.autograd.grad(forward(given)[:, target].float().sum(), given)
    return gradient.sum(1).numpy()


@pytest.mark.parametrize(
    ("how", "layouts"),
    [
        ("view", ("contiguous",)),  # fails in channels-last
        ("misread", ("contiguous",)),  # answers otherwise in channels-last
        ("reshape", ("channels_last", "contiguous")),
    ],
)
def test_only_memory_formats_that_work_and_agree_are_used(how, layouts):
    net = Flattening(how).eval()
    subject = wrap(net, input_shape=(3, 12, 12))
    assert subject.layouts == layouts and bool(subject.left_out) == (len(layouts) == 1)
    np.testing.assert_allclose(subject.outputs(X), net(torch.tensor(X)).detach(), atol=1e-5)
    np.testing.assert_allclose(hm.explain(subject, X, "gradient", 1), gradient_of(net, X, 1), atol=1e-5)
    features = torch.relu(net.conv(torch.tensor(X))).detach().requires_grad_()
    pooled = torch.max_pool2d(features, 2).flatten(1)
    (at_features,) = torch.autograd.grad(net.dense(pooled)[:, 1].sum(), features)
    answer = subject.run(Query(layers=("conv",), layer_gradients=True), subject.inputs(X), torch.tensor([1, 1, 1]))
    np.testing.assert_allclose(answer.layer_gradients[0], at_features * (features > 0), atol=1e-6)
    # What was chosen is what the engine goes by, also on the graph that relevance is propagated on.
    if how == "view":
        total = hm.explain(subject, X, "deep_lift", 1, baseline=0.0).sum((1, 2))
        change = subject.outputs(X) - subject.outputs(np.zeros_like(X))
        np.testing.assert_allclose(total, change[:, 1], rtol=1e-4, atol=1e-5)


def test_a_network_that_fails_in_every_format_raises_its_own_words():
    net = nn.Sequential(nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(2, 2))
    with pytest.raises(BadInput, match=r"failed on inputs of shape \(3, 12, 12\).*RuntimeError.*to have 4 channels"):
        wrap(net, input_shape=(3, 12, 12))


def test_a_format_in_which_a_later_question_fails_is_given_up():
    class Late(nn.Module):
        def forward(self, x):
            if torch.is_grad_enabled() and x.is_contiguous(memory_format=torch.channels_last):
                raise RuntimeError("view size is not compatible with input tensor's size and stride")
            return x.mean((2, 3))

    subject = wrap(Late(), input_shape=(3, 12, 12))
    assert len(subject.layouts) == 2
    np.testing.assert_allclose(hm.explain(subject, X, "gradient", 1), np.full((3, 12, 12), 1 / 144), rtol=1e-5)
    assert subject.layouts == ("contiguous",) and "failed in channels_last" in subject.left_out


class Overwriting(nn.Module):
    """Changes its input in place, and then is x -> 4 (x - 0.5) or relu of it, averaged."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.relu = kind, nn.ReLU(inplace=True)
        self.dense = nn.Linear(3, 4)

    def forward(self, x):
        if self.kind == "operators":
            x -= 0.5
            x /= 0.25
        elif self.kind == "statement":
            x.sub_(0.5).mul_(4.0)
        else:
            x = self.relu(x)
        return self.dense(x.mean((2, 3)))


@pytest.mark.parametrize("preprocess", [None, "function", "normalization"])
@pytest.mark.parametrize("kind", ["operators", "statement", "relu"])
def test_a_network_may_change_what_it_is_given(kind, preprocess):
    net = Overwriting(kind).eval()
    before = {None: None, "function": lambda x: x.sub_(0.1), "normalization": Normalization((0.1,) * 3, (1.0,) * 3)}
    subject = wrap(net, input_shape=(3, 12, 12), preprocess=before[preprocess])
    given = torch.tensor(X)
    moved = X if preprocess is None else X - 0.1
    inside = {"relu": np.maximum(moved, 0)}.get(kind, 4 * (moved - 0.5))
    weight, bias = net.dense.weight.detach().numpy(), net.dense.bias.detach().numpy()
    for _ in range(2):
        np.testing.assert_allclose(subject.outputs(given), inside.mean((2, 3)) @ weight.T + bias, atol=1e-5)
        slope = (moved > 0) if kind == "relu" else 4.0
        expected = (slope * weight[2].reshape(1, 3, 1, 1) / 144 * np.ones_like(X)).sum(1)
        np.testing.assert_allclose(hm.explain(subject, given, "gradient", 2), expected, atol=1e-6)
    assert np.array_equal(given.numpy(), X)


def test_relevance_is_not_propagated_past_what_is_changed_in_place():
    """A statement whose result is not used is no node of the traced graph, which would give other logits."""
    subject = wrap(Overwriting("statement").eval(), input_shape=(3, 12, 12))
    with pytest.raises(hm.NotApplicable, match="give other logits than it does"):
        hm.explain(subject, X, "lrp[epsilon]", 2)
    assert np.isfinite(hm.explain(wrap(Overwriting("operators").eval()), X, "lrp[epsilon]", 2)).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_inputs_are_brought_to_the_type_of_the_weights(dtype):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    ).eval()  # fmt: skip
    full = wrap(net, input_shape=(3, 12, 12))
    maps = {}
    methods = ("gradient", "grad_cam", "guided_backprop", "ablation_cam", "fullgrad", "integrated_gradients[steps=4]",
               "lrp[epsilon]", "deep_lift", "occlusion[window=6,stride=6]", "guided_grad_cam")  # fmt: skip
    for method in methods:
        maps[method] = hm.explain(full, X, method, 1)
    subject = wrap(net.to(dtype), input_shape=(3, 12, 12))
    assert subject.computes_in_half == (dtype != torch.float64)
    assert subject.outputs(X).dtype == np.float32
    expected = gradient_of(lambda x: net(x.to(dtype)), X, 1)
    gradient = hm.explain(subject, X, "gradient", 1)
    np.testing.assert_allclose(
        gradient, expected, atol=1e-6 if dtype == torch.float64 else 1e-3 * np.abs(expected).max()
    )
    for method in methods:
        found = hm.explain(subject, X, method, 1)
        apart = np.abs(found - maps[method]).mean() / np.abs(maps[method]).mean()
        assert found.dtype == np.float32 and np.isfinite(found).all(), method
        # Differences of logits and probabilities keep few of the digits that 16 bits have.
        if dtype == torch.float64 or method.partition("[")[0] not in ("ablation_cam", "occlusion"):
            assert apart < (1e-4 if dtype == torch.float64 else 0.1), method
    assert len(subject.weights_id()) == 64


def test_a_network_that_takes_float32_keeps_getting_it():
    class Casting(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(4, 2).half()
            self.seen = []

        def forward(self, x):
            self.seen.append(x.dtype)
            return self.dense((x - 1 / 3).half())

    net = Casting()
    wrap(net, input_shape=(4,)).outputs(np.ones((1, 4), np.float32))
    assert set(net.seen) == {torch.float32}


def test_rules_and_probes_go_through_a_preprocess_function():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()

    class Greying(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x.mean(1, keepdim=True))

    subject = wrap(net, input_shape=(3, 12, 12), preprocess=lambda x: x.mean(1, keepdim=True))
    inside = wrap(Greying().eval(), input_shape=(3, 12, 12))
    for method in ("gradient", "guided_backprop", "deconvnet", "guided_grad_cam", "fullgrad", "ablation_cam", "sise"):
        one, other = (hm.explain(model, X, method, 1) for model in (subject, inside))
        np.testing.assert_allclose(one, other, atol=1e-6 * np.abs(other).max(), err_msg=method)


def test_what_a_framework_raises_is_told_with_the_network_and_the_question():
    class Moody(nn.Module):
        def forward(self, x):
            if torch.is_grad_enabled():
                raise RuntimeError("no kernel for that")
            return x.mean((2, 3))

    subject = wrap(Moody(), input_shape=(3, 12, 12), name="moody")
    with pytest.raises(
        NetworkFailed, match=r"moody \(torch\).*asked for the gradient at the input: RuntimeError: no k"
    ):
        hm.explain(subject, X, "gradient", 1)


def test_what_tensorflow_raises_is_told_too():
    tf, keras = pytest.importorskip("tensorflow"), pytest.importorskip("keras")

    class Moody(keras.layers.Layer):
        def call(self, x):
            @tf.custom_gradient
            def raising(y):
                def backward(gradient):
                    raise ValueError("no gradient of mine")

                return tf.identity(y), backward

            return raising(x)

    inputs = keras.Input((12, 12, 3))
    net = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(Moody()(inputs))))
    subject = wrap(net, name="moody")
    with pytest.raises(NetworkFailed, match=r"moody \(tensorflow\).*the gradient at the input: .*no gradient of mine"):
        hm.explain(subject, np.moveaxis(X, 1, -1), "gradient", 1)


@pytest.mark.parametrize("method", ["guided_backprop", "attention_rollout", "fullgrad"])
def test_what_a_network_raises_when_it_is_looked_into_is_told_too(method):
    """Looking for ReLUs and attention asks for one sample, which this network does not take."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(400, track_running_stats=False), nn.Linear(400, 3)
    )
    subject = wrap(net, name="moody")
    with pytest.warns(UserWarning, match="Expected more than 1 value per channel"):
        gradient = hm.explain(subject, X[:4], "gradient", 1, channels=True)
    x = torch.tensor(X[:4], requires_grad=True)
    (expected,) = torch.autograd.grad(net.eval()(x)[:, 1].sum(), x)
    np.testing.assert_allclose(gradient, expected, atol=1e-5 * float(expected.abs().max()))
    with pytest.raises(NetworkFailed, match=r"failed .* asked for its (operations|ReLUs|attention): ValueError"):
        hm.explain(subject, X[:4], method, 1)


def test_the_warning_of_zero_gradients_does_not_need_to_look_into_the_network():
    """This one rounds, and fails for the one sample that looking into it asks for."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(432, 3), nn.BatchNorm1d(3, affine=False, track_running_stats=False))
    subject = wrap(nn.Sequential(net, Rounded()), name="moody")
    with pytest.warns(UserWarning, match=r"All gradients of moody .* are exactly zero"):
        assert not hm.explain(subject, X[:4], "gradient", 1).any()


class Rounded(nn.Module):
    def forward(self, x):
        return x.round() + 0 * x
