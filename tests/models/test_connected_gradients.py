"""None is no zero: what no gradient reaches is refused by name, and gradients that are all zero are told."""

from __future__ import annotations

import warnings

import networks
import numpy as np
import pytest
from networks import native

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.models.queries import Query
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
nn = torch.nn

X = np.random.default_rng(0).random((3, 12, 12, 3), dtype=np.float32)
METHODS = ("gradient", "integrated_gradients[steps=2]", "smoothgrad[samples=2]", "guided_backprop")


class Stopping(nn.Module):
    """Stops gradients on the way in one of many ways."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.body, self.dense = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), nn.Linear(4, 3)

    def forward(self, x):
        if self.how == "data":
            x = x.data
        recording = {"no_grad": torch.no_grad, "inference": torch.inference_mode}.get(self.how, torch.enable_grad)
        with recording() if torch.is_grad_enabled() else torch.no_grad():
            features = self.body(x)
        if self.how == "detach":
            features = features.detach()
        if self.how == "argmax":
            features = nn.functional.one_hot(features.argmax(1), 4).movedim(-1, 1).float()
        return self.dense(features.mean((2, 3)))


def stopped_keras(how):
    inputs = keras.Input((12, 12, 3))
    features = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    stop = {
        "stop_gradient": tf.stop_gradient,
        "argmax": lambda x: tf.one_hot(tf.argmax(x, -1), 4),
        "round": tf.round,
        "cast": lambda x: tf.cast(tf.cast(8 * x, tf.int32), tf.float32),
    }[how]
    features = keras.layers.Lambda(stop, output_shape=(10, 10, 4))(features)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(features)))


def stopped(framework, how):
    return wrap(Stopping(how).eval(), input_shape=(3, 12, 12)) if framework == "torch" else wrap(stopped_keras(how))


@pytest.mark.parametrize(
    ("framework", "how"),
    [("torch", how) for how in ("no_grad", "detach", "data", "inference", "argmax")]
    + [("tensorflow", how) for how in ("stop_gradient", "argmax", "round", "cast")],
)
def test_an_input_that_no_gradient_reaches_is_refused(framework, how):
    subject = stopped(framework, how)
    x = native(subject, X)
    for method in METHODS:
        with pytest.raises(NotApplicable, match=r"does not depend differentiably on the input.*rise, occlusion"):
            hm.explain(subject, x, method, target=1)
    assert np.any(hm.explain(subject, x, "occlusion[window=4,stride=4]", target=1))


@pytest.mark.parametrize(("framework", "how"), [("torch", "no_grad"), ("torch", "detach"), ("torch", "inference"),
                                                ("tensorflow", "stop_gradient")])  # fmt: skip
def test_a_layer_that_no_gradient_reaches_is_named(framework, how):
    subject = stopped(framework, how)
    name = "body.1" if framework == "torch" else "conv2d"
    name = next(layer.name for layer in subject.layers() if layer.name.startswith(name))
    with pytest.raises(NotApplicable, match=rf"does not depend differentiably on the output of '{name}'"):
        hm.explain(subject, native(subject, X), "grad_cam", target=1, layer=name)


class Branches(nn.Module):
    """Classes 0 and 1 read one branch, class 2 the other; a third is computed for nothing."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other, self.idle = (nn.Conv2d(3, 2, 3, bias=True) for _ in range(3))

    def forward(self, x):
        self.idle(x)
        return torch.cat([self.one(x).mean((2, 3)), self.other(x).mean((2, 3))[:, :1]], 1)


def branches_in_keras():
    class Branching(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other, self.idle = (
                keras.layers.Conv2D(2, 3, name=name) for name in ("one", "other", "idle")
            )

        def call(self, x):
            self.idle(x)
            one, other = tf.reduce_mean(self.one(x), (1, 2)), tf.reduce_mean(self.other(x), (1, 2))
            return tf.concat([one, other[:, :1]], 1)

    return wrap(Branching(), input_shape=(12, 12, 3))


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_layers_of_some_classes_are_right_and_those_of_none_are_named(framework):
    subject = wrap(Branches().eval(), input_shape=(3, 12, 12)) if framework == "torch" else branches_in_keras()
    x, target = subject.inputs(native(subject, X)), subject.from_numpy(np.array([0, 1, 2]))
    answer = subject.run(Query(layers=("one", "other"), layer_gradients=True), x, target)
    for place, rows in enumerate(([[1, 0], [0, 1], [0, 0]], [[0, 0], [0, 0], [1, 0]])):
        gradient = subject.to_numpy(answer.layer_gradients[place])
        gradient = gradient if framework == "torch" else np.moveaxis(gradient, -1, 1)
        expected = np.array(rows, np.float32)[:, :, None, None] / 100 * np.ones((3, 2, 10, 10))
        np.testing.assert_allclose(gradient, expected, atol=1e-7)
    with pytest.raises(NotApplicable, match=r"the output of 'idle': it goes into no class"):
        subject.run(Query(layers=("one", "idle"), layer_gradients=True), x, target)
    # A bias that nothing reads has no share of the logit: FullGrad is complete without it.
    kept = subject.run(Query(layers=("one", "idle"), layer_gradients=True, dead_layers=True), x, target)
    assert not subject.to_numpy(kept.layer_gradients[1]).any() and subject.to_numpy(kept.layer_gradients[0]).any()
    assert np.any(hm.explain(subject, native(subject, X), "fullgrad", target=1))


class Rounding(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.dense = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.dense((torch.round(4 * self.conv(x)) / 4).mean((2, 3)))


def test_gradients_that_are_all_zero_are_told_once_and_with_the_cause():
    subject = wrap(Rounding().eval(), input_shape=(3, 12, 12))
    x = native(subject, X)
    with pytest.warns(
        UserWarning, match=r"(?s)exactly zero, for all of 3 inputs: it computes round\..*rise, occlusion"
    ):
        assert not np.any(hm.explain(subject, x, "gradient", target=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.explain(subject, x, "gradient", target=1)  # once for a network
    with pytest.warns(UserWarning, match="exactly zero"):
        hm.explain(subject, x, "grad_cam", target=1, layer="conv")  # and once for layers


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_saturated_networks_are_told(framework):
    if framework == "torch":
        subject = wrap(nn.Sequential(nn.Flatten(), nn.Linear(6, 2), nn.Threshold(1e9, 0.5)), input_shape=(6,))
    else:
        dense = keras.layers.Dense(2)
        step = keras.layers.Lambda(lambda x: tf.where(x > 1e9, x, 0.5 * tf.ones_like(x)), output_shape=(2,))
        subject = wrap(keras.Sequential([keras.Input((6,)), dense, step]))
    with pytest.warns(UserWarning, match="exactly zero, for all of 2 inputs"):
        hm.explain(subject, np.ones((2, 6), np.float32), "gradient", target=0)


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_usual_networks_are_not_warned_of(model, framework):
    subject = model("plain", framework)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in ("gradient", "grad_cam", "fullgrad", "guided_backprop"):
            hm.explain(subject, native(subject, X), method, target=1)
