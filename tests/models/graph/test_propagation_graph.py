"""The graph that relevance is propagated on: folding, and reading networks of both frameworks."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.methods.registry import METHODS, method_from
from heatmark.models.architecture.nodes import INPUT, Activation, Architecture, BatchNorm, Convolution, Dense
from heatmark.models.architecture.nodes import GlobalAveragePool as Average
from heatmark.models.graph.graph import Diagonal, Linear
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

VARIANTS = tuple(METHODS.get("lrp").presets)
EVERY = ("deep_lift", "excitation_backprop", *(f"lrp[{variant}]" for variant in VARIANTS))


def chosen(logits, target):
    return logits[np.arange(len(logits)), target]


# Folding


def normalised(folded: bool, seed: int = 3):
    """Return a network with batch normalisation, or the same one with it multiplied into the weights by hand."""
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    weight, depth, dense = normal(6, 2, 3, 3), normal(6, 1, 3, 3), normal(3, 6)
    mean, variance, scale, shift = normal(6), rng.random(6, dtype=np.float32) + 0.5, normal(6), normal(6)
    factor = scale / np.sqrt(variance + 1e-3)
    convolution = Convolution("first", (INPUT,), 6, (3, 3), bias=folded)
    depthwise = Convolution("depth", ("relu",), 6, (3, 3), depthwise=True, bias=True)
    before = {"first.weight": weight, "depth.weight": depth, "depth.bias": shift, "dense.weight": dense,
              "dense.bias": normal(3)}  # fmt: skip
    nodes = [convolution, Activation("relu", ("first" if folded else "norm",), "relu"), depthwise]
    if folded:
        each = factor.reshape(-1, 1, 1, 1)
        changed = {"first.weight": weight * each, "first.bias": shift - mean * factor,
                   "depth.weight": depth * each, "depth.bias": (shift - mean) * factor + shift}  # fmt: skip
    else:
        nodes[1:1] = [BatchNorm("norm", ("first",), epsilon=1e-3)]
        nodes.append(BatchNorm("again", ("depth",), epsilon=1e-3))
        changed = {}
        for name in ("norm", "again"):
            changed |= {f"{name}.weight": scale, f"{name}.bias": shift, f"{name}.running_mean": mean,
                        f"{name}.running_var": variance}  # fmt: skip
    nodes += [Average("average", (nodes[-1].name,)), Dense("dense", ("average",), 3)]
    return Architecture("normalised", (8, 9, 2), tuple(nodes), "dense"), before | changed


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_folding_batch_normalisation_equals_the_folded_network(framework):
    plain, folded = (
        wrap(networks.built(architecture, framework, weights), input_shape=(2, 8, 9) if framework == "torch" else None)
        for architecture, weights in (normalised(False), normalised(True))
    )
    x = native(plain, pictures(3, (8, 9, 2)))
    np.testing.assert_allclose(plain.outputs(x), folded.outputs(x), rtol=1e-3, atol=1e-3)
    graph = plain.extraction.network.graph
    assert not any(isinstance(node, Diagonal) for node in graph.nodes)
    assert [node.name for node in graph.nodes if isinstance(node, Linear)] == ["norm", "again", "dense"]
    for method in EVERY:
        one, other = (hm.explain(subject, x, method, [0, 1, 2]) for subject in (plain, folded))
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(other).max(), err_msg=method)
    lrp = hm.explain(plain, x, "deep_lift[baseline=black]", 0).sum(axis=(1, 2))
    np.testing.assert_allclose(lrp, (plain.outputs(x) - plain.outputs(0 * x))[:, 0], rtol=1e-3, atol=1e-4)


class Shared(torch.nn.Module):
    """A convolution that is read twice, so that the normalisation after it cannot be folded."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 4, 3, bias=False)
        self.norm = torch.nn.BatchNorm2d(4)
        torch.nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        self.last = torch.nn.Linear(8, 2, bias=False)

    def forward(self, x):
        x = self.first(x)
        x = torch.cat([x, self.norm(x)], dim=1)
        return self.last(torch.relu(x).mean((2, 3)))


def test_a_normalisation_that_cannot_be_folded_passes_relevance_on():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        subject = wrap(Shared(), input_shape=(1, 6, 6))
    graph = subject.extraction.network.graph
    assert [node.name for node in graph.nodes if isinstance(node, Diagonal)] == ["norm"]
    x = pictures(2, (1, 6, 6))
    for method in ("lrp", "lrp[epsilon_plus]"):
        result = hm.explain(subject, x, method, 0).sum(axis=(1, 2))
        np.testing.assert_allclose(result, subject.outputs(x)[:, 0], rtol=1e-3)
    lifted = hm.explain(subject, x, "deep_lift[baseline=black]", 0).sum(axis=(1, 2))
    np.testing.assert_allclose(lifted, (subject.outputs(x) - subject.outputs(0 * x))[:, 0], rtol=1e-4, atol=1e-5)


# Reading the network


class Written(torch.nn.Module):
    """The operations that people write without modules, and shapes that decide what is computed."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.weight = torch.nn.Parameter(torch.rand(4, 2, 3, 3) - 0.4)
        self.relu = torch.nn.ReLU(inplace=True)
        self.last = torch.nn.Linear(4 * 4 * 5, 3)

    def forward(self, x, unused=None):
        if x.ndim != 4 or x.shape[1] != 2:
            raise ValueError("four axes")
        rows = len(x)
        x = torch.nn.functional.pad(x * 2 - 1, (1, 1, 0, 0))[..., 1:-1]
        y = self.relu(self.first(x))
        y += torch.nn.functional.conv2d(x, self.weight, padding=1).relu_()
        y = torch.nn.functional.max_pool2d(y, 2)
        one, two = y.chunk(2, dim=1)
        y = torch.cat((two, one), 1).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        y = torch.nn.functional.dropout(y, 0.5, self.training)
        return self.last(y.reshape(rows, -1))


def test_operations_without_modules_are_understood():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Written()
    subject = wrap(net, input_shape=(2, 8, 10))
    x = pictures(3, (2, 8, 10))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    lifted = hm.explain(subject, x, "deep_lift[baseline=black]", 1)
    np.testing.assert_allclose(
        lifted.sum(axis=(1, 2)), (subject.outputs(x) - subject.outputs(0 * x))[:, 1], rtol=1e-4, atol=1e-4
    )
    for method in EVERY:
        assert np.isfinite(hm.explain(subject, x, method, 1)).all()
    assert net.training and all(parameter.requires_grad for parameter in net.parameters())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(parameter.grad is not None for parameter in net.parameters())


def written_keras():
    layers = keras.layers
    inner = keras.Sequential([keras.Input((4, 5, 6)), layers.SeparableConv2D(5, 3, activation="relu")], name="inner")
    inputs = keras.Input((8, 10, 2))
    x = layers.Rescaling(2.0, -1.0)(inputs)
    x = layers.ZeroPadding2D(1)(x) * 1.5 + 0.5
    x = layers.Conv2D(6, 3, activation="relu", bias_initializer="ones")(x)
    x = layers.MaxPooling2D(2)(x)
    x = inner(keras.ops.relu(x + layers.DepthwiseConv2D(3, padding="same")(x)))
    x = layers.Concatenate()([x, layers.Activation("tanh")(x)])
    x = layers.Dropout(0.5)(keras.ops.mean(x, axis=(1, 2)))
    x = layers.BatchNormalization(beta_initializer="ones")(layers.Dense(4)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def test_keras_layers_and_operations_are_understood():
    keras.utils.set_random_seed(0)
    net = written_keras()
    subject = wrap(net)
    x = pictures(3, (8, 10, 2))
    before = [value.copy() for value in net.get_weights()]
    lifted = hm.explain(subject, x, "deep_lift[baseline=black]", 1)
    difference = subject.outputs(x) - subject.outputs(0 * x)  # logits: the final softmax is left out
    np.testing.assert_allclose(lifted.sum(axis=(1, 2)), difference[:, 1], rtol=1e-3, atol=1e-5)
    for method in EVERY:
        assert np.isfinite(hm.explain(subject, x, method, 1)).all()
    names = [node.name for node in subject.extraction.network.graph.nodes]
    assert "inner/separable_conv2d" in " ".join(names)
    assert all(np.array_equal(one, other) for one, other in zip(before, net.get_weights(), strict=True))
    assert net.layers[-1].activation is keras.activations.softmax


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_weights_are_read_live(framework):
    subject = networks.linear(framework, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    x = np.full((1, 3), 0.5, np.float32)
    for method in ("lrp", "deep_lift"):
        np.testing.assert_allclose(hm.explain(subject, x, method, 1), [[0, 0.5, 0]], atol=1e-6)
    if framework == "torch":
        with torch.no_grad():
            subject.net.dense.weight.mul_(3)
    else:
        subject.net.layers[-1].kernel.assign(3 * np.eye(3))
    for method in ("lrp", "deep_lift"):
        np.testing.assert_allclose(hm.explain(subject, x, method, 1), [[0, 1.5, 0]], atol=1e-6)


def torch_gate():
    class Gate(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.nn.Linear(4, 2)

        def forward(self, x):
            return self.last(x * torch.sigmoid(x))

    return Gate()


def keras_gate():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Multiply()([inputs, inputs])))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="mine")
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


class Deciding(torch.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("build", "preprocess", "message"),
    [
        (lambda: torch.nn.Sequential(torch.nn.LayerNorm(4), torch.nn.Linear(4, 2)), None, "layer '0' .LayerNorm."),
        (torch_gate, None, "layer 'mul' .mul: arithmetic between tensors"),
        (Deciding, None, "cannot be traced"),
        (lambda: torch.nn.Linear(4, 2), lambda x: x, "its preprocessing is a function"),
        (keras_gate, None, "Multiply: arithmetic between tensors"),
        (Subclassed, None, "'mine', a subclass of keras.Model"),
        (lambda: keras.Sequential([keras.Input((4,)), keras.layers.LayerNormalization(), keras.layers.Dense(2)]), None,
         "LayerNormalization"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named(build, preprocess, message):
    subject = wrap(build(), preprocess, (4,))
    for method in ("lrp", "deep_lift", "excitation_backprop"):
        assert method_from(method).why_not(subject) is not None
        with pytest.raises(NotApplicable, match=f"{method} is not applicable to .*{message}"):
            hm.explain(subject, np.ones((1, 4), np.float32), method, 0)


def test_a_new_input_shape_is_followed():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
                              torch.nn.Linear(2, 2))  # fmt: skip
    subject = wrap(net)
    for size in (6, 9):
        x = pictures(2, (1, size, size))
        maps = hm.explain(subject, x, "deep_lift[baseline=black]", 0)
        difference = subject.outputs(x) - subject.outputs(0 * x)
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), difference[:, 0], rtol=1e-3, atol=1e-6)
