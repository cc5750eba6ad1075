"""Rules, hooks and biases in networks that are compiled, in whole or in part: the right value, or a refusal."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import native, pictures

import heatmark as hm
from heatmark.errors import NotApplicable, UnknownName
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
nn = torch.nn

X = np.random.default_rng(0).random((3, 3, 12, 12), dtype=np.float32)
METHODS = ("gradient", "grad_cam", "guided_backprop", "deconvnet", "ablation_cam", "fullgrad", "lrp[epsilon]")


def plain():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(24, 3),
    ).eval()  # fmt: skip


class Half(nn.Module):
    """The first two layers compiled, the rest as it was written."""

    def __init__(self, compiled):
        super().__init__()
        net = plain()
        self.first, self.rest = compiled(net[:2]), net[2:]

    def forward(self, x):
        return self.rest(self.first(x))


def script(net):
    return torch.jit.script(net)


def trace(net):
    return torch.jit.trace(net, torch.tensor(X))


@pytest.fixture(scope="module")
def right():
    subject = wrap(plain(), input_shape=(3, 12, 12))
    return {method: hm.explain(subject, X, method, 1) for method in METHODS}


@pytest.mark.parametrize("compiled", [script, trace])
@pytest.mark.parametrize("half", [False, True])
def test_what_torchscript_compiled_is_right_or_refused(right, compiled, half):
    net = Half(compiled) if half else compiled(plain())
    subject = wrap(net, input_shape=(3, 12, 12))
    np.testing.assert_allclose(hm.explain(subject, X, "gradient", 1), right["gradient"], atol=1e-6)
    missed = 1 if half else 2
    for method in ("guided_backprop", "deconvnet"):
        with pytest.raises(
            NotApplicable, match=rf"of the 2 ReLUs of .*, {missed} are out of the rule's reach.*TorchScr"
        ):
            hm.explain(subject, X, method, 1)
    with pytest.raises(NotApplicable, match=r"incompletely.*sum to .* where the logit is .*compiled by TorchScript"):
        hm.explain(subject, X, "fullgrad", 1)
    with pytest.raises(NotApplicable):
        hm.explain(subject, X, "lrp[epsilon]", 1)
    if half:
        assert "part 'first' of it is compiled" in subject.unreached
        for method in ("grad_cam", "ablation_cam"):
            np.testing.assert_allclose(hm.explain(subject, X, method, 1), right[method], atol=1e-6)
    else:
        with pytest.raises(NotApplicable, match=r"no layer with spatial positions.*compiled by TorchScript"):
            hm.explain(subject, X, "grad_cam", 1)
    with pytest.raises(UnknownName, match="compiled by TorchScript"):
        subject.layer("nowhere")


def test_a_network_without_relu_is_said_to_have_none_compiled_or_not():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(400, 3)).eval()
    for one in (net, script(net)):
        with pytest.raises(NotApplicable, match="has no ReLU"):
            hm.explain(wrap(one, input_shape=(3, 12, 12)), X, "guided_backprop", 1)


def test_relus_inside_operations_of_pytorchs_own_are_counted():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.dense = nn.RNN(3, 4, nonlinearity="relu", batch_first=True), nn.Linear(4, 2)

        def forward(self, x):
            return self.dense(torch.relu(self.cell(x)[0][:, -1]))

    subject = wrap(Recurrent().eval(), input_shape=(5, 3))
    assert (subject.rectifiers().caught, subject.rectifiers().missed) == (1, 5)
    with pytest.raises(NotApplicable, match=r"of the 6 ReLUs .* 5 are out of the rule's reach: .*of PyTorch's own"):
        hm.explain(subject, np.ones((1, 5, 3), np.float32), "guided_backprop", 1)


@pytest.mark.parametrize("how", ["compile", "compile in place", "compiled before", "part compiled", "DataParallel"])
def test_wrappers_that_only_say_how_a_network_runs_change_nothing(right, how):
    net = plain()
    if how == "compile":
        net = torch.compile(net, backend="aot_eager")
    elif how == "compile in place":
        net.compile(backend="aot_eager")
    elif how == "compiled before":
        net = torch.compile(net, backend="aot_eager")
        net(torch.tensor(X))
    elif how == "part compiled":
        net = Half(lambda part: torch.compile(part, backend="aot_eager"))
        net(torch.tensor(X))
    else:
        net = nn.DataParallel(net)
    subject = wrap(net, input_shape=(3, 12, 12))
    for method in METHODS:
        if (how, method) == ("part compiled", "lrp[epsilon]"):
            continue  # refused: what was compiled cannot be traced
        np.testing.assert_allclose(hm.explain(subject, X, method, 1), right[method], atol=1e-6, err_msg=method)
    if how != "part compiled":
        assert subject.weights_id() == wrap(plain(), input_shape=(3, 12, 12)).weights_id()


def test_a_constant_that_is_no_bias_is_noticed_and_bounded_units_are_told(model):
    class Shifting(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.shift = plain(), nn.Parameter(torch.tensor([0.3, 0.4, 0.5]))

        def forward(self, x):
            return self.net(x) + self.shift

    with pytest.raises(
        NotApplicable, match=r"where the logit is .*; something adds a constant that is no layer's bias"
    ):
        hm.explain(wrap(Shifting().eval(), input_shape=(3, 12, 12)), X, "fullgrad", 1)
    bounded = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardtanh(0, 0.1), nn.Flatten(), nn.Linear(400, 3)).eval()
    with pytest.warns(UserWarning, match=r"incompletely: .* for activations such as hardtanh add constants"):
        assert np.isfinite(hm.explain(wrap(bounded, input_shape=(3, 12, 12)), X, "fullgrad", 1)).all()


# Keras


class Compiling(keras.Model):
    """Two convolutions whose body is called directly, in a tf.function, recomputed, or in a loop."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.parts = [
            keras.layers.Conv2D(6, 3, activation="relu", name="first"),
            keras.layers.Conv2D(6, 3, activation="relu", name="second"),
            keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4),
        ]  # fmt: skip

    def body(self, x):
        for part in self.parts:
            x = part(x)
        return x

    @tf.function
    def in_function(self, x):
        return self.body(x)

    @tf.function
    def branching(self, x):
        if tf.reduce_sum(x) > -1e9:  # AutoGraph alone makes a graph of this
            x = x + 0.0
        return self.body(x)

    def call(self, x, training=None):
        if self.kind == "tf.function":
            return self.in_function(x)
        if self.kind == "jit":
            return tf.function(self.body, jit_compile=True)(x)
        if self.kind == "branching":
            return self.branching(x)
        if self.kind == "recompute":
            return tf.recompute_grad(self.body)(x)
        if self.kind == "loop":
            return tf.while_loop(lambda i, v: i < 1, lambda i, v: (i + 1, tf.nn.relu(v)), [0, self.body(x)])[1]
        return self.body(x)


def compiling(kind):
    net = Compiling(kind)
    net(np.zeros((1, 12, 12, 3), np.float32))
    for place, variable in enumerate(net.weights):
        variable.assign(np.random.default_rng(place).normal(0, 0.3, variable.shape))
    return wrap(net, input_shape=(12, 12, 3)), net


KERAS_METHODS = ("gradient", "guided_backprop", "deconvnet", "grad_cam", "ablation_cam")


@pytest.fixture(scope="module")
def right_in_keras():
    subject, _ = compiling("plain")
    return {method: hm.explain(subject, pictures(3), method, 1) for method in KERAS_METHODS}


@pytest.mark.parametrize("kind", ["tf.function", "jit"])
def test_functions_inside_become_part_of_the_graph(right_in_keras, kind):
    subject, net = compiling(kind)
    before = net(pictures(3)).numpy()
    for method in KERAS_METHODS:
        found = hm.explain(subject, pictures(3), method, 1)
        largest = np.abs(right_in_keras[method]).max()
        np.testing.assert_allclose(found, right_in_keras[method], atol=1e-6 * largest, err_msg=method)
    assert not np.allclose(right_in_keras["guided_backprop"], right_in_keras["gradient"])
    assert not tf.config.functions_run_eagerly()
    np.testing.assert_array_equal(net(pictures(3)).numpy(), before)


@pytest.mark.parametrize(("kind", "caught", "missed"), [("recompute", 0, 2), ("loop", 2, 1), ("branching", 0, 2)])
def test_relus_out_of_the_overrides_reach_are_counted_and_refused(right_in_keras, kind, caught, missed):
    subject, _ = compiling(kind)
    assert (subject.rectifiers().caught, subject.rectifiers().missed) == (caught, missed)
    for method in ("guided_backprop", "deconvnet"):
        with pytest.raises(
            NotApplicable, match=rf"of the {caught + missed} ReLUs .* {missed} are out of the rule's reach"
        ):
            hm.explain(subject, pictures(3), method, 1)
    if kind != "loop":  # which has one ReLU more
        np.testing.assert_allclose(
            hm.explain(subject, pictures(3), "gradient", 1), right_in_keras["gradient"], atol=1e-6
        )


def test_layers_inside_what_cannot_be_opened_are_said_to_be():
    subject, _ = compiling("branching")
    with pytest.raises(UnknownName, match=r"no layer 'second'.* tf\.function .* cannot be made a part of its graph"):
        hm.explain(subject, pictures(3), "grad_cam", 1, layer="second")

    class Looping(keras.Model):
        def __init__(self):
            super().__init__()
            self.inside = keras.layers.Conv2D(3, 3, padding="same", name="inside")
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            self.inside(x)  # so that its weights are made outside of the loop
            x = tf.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, self.inside(v)), [0, x])[1]
            return self.dense(tf.reduce_mean(x, (1, 2)))

    subject = wrap(Looping(), input_shape=(12, 12, 3))
    with pytest.raises(NotApplicable, match=r"'inside' .* is computed inside a tf\.function or a loop"):
        hm.explain(subject, pictures(3), "grad_cam", 1, layer="inside")


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
@pytest.mark.parametrize("name", networks.ARCHITECTURES)
def test_every_relu_of_usual_networks_is_caught(model, name, framework):
    subject = model(name, framework)
    expected = sum(getattr(node, "function", "") in ("relu", "relu6") for node in networks.ARCHITECTURES[name]().nodes)
    assert (subject.rectifiers().caught, subject.rectifiers().missed) == (expected, 0)
    assert subject.extraction.reason is None
    x = subject.inputs(native(subject, pictures(2)))
    found = subject.to_numpy(subject.extraction.network.output(x))
    np.testing.assert_allclose(found, subject.outputs_of(x), rtol=1e-4, atol=1e-4)
