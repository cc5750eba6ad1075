"""Class scores taken out of what a network returns, or the way to say which they are."""

from __future__ import annotations

import warnings
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

import heatmark as hm
from heatmark.errors import BadInput

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

FEATURES = np.random.default_rng(1).random((5, 6), dtype=np.float32)
WEIGHT = np.random.default_rng(2).normal(0, 2, (6, 4)).astype(np.float32)
LOGITS = FEATURES @ WEIGHT


def torch_net(function) -> torch.nn.Module:
    """Return a linear network whose forward ends in a function."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(6, 4, bias=False)
            self.head.weight.data = torch.tensor(WEIGHT.T.copy())

        def forward(self, x):
            return function(self.head(x))

    return Net()


def keras_net(function) -> keras.Model:
    """Return the same in Keras."""

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.head = keras.layers.Dense(4, use_bias=False)
            self.head.build((None, 6))
            self.head.set_weights([WEIGHT])

        def call(self, x):
            return function(self.head(x))

    return Net()


def in_silence(net, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return hm.wrap(net, input_shape=(6,), **options)


@dataclass
class ModelOutput:
    """Like those of transformers."""

    logits: object
    loss: object = None


Pair = namedtuple("Pair", ["logits", "features"])
STRUCTURES = {
    "object": lambda z: ModelOutput(z),
    "namedtuple": lambda z: Pair(z, 2 * z),
    "logits": lambda z: {"features": 2 * z, "logits": z},
    "single": lambda z: {"anything": z},
    "list": lambda z: [z],
    "none": lambda z: (z, None),
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_network_may_return_what_holds_one_tensor(structure: str) -> None:
    made = STRUCTURES[structure]
    model = in_silence(torch_net(made))
    np.testing.assert_allclose(model.outputs(FEATURES), LOGITS, rtol=1e-5)
    np.testing.assert_allclose(hm.explain(model, FEATURES, "gradient", 1), np.tile(WEIGHT[:, 1], (5, 1)), rtol=1e-5)

    if structure != "object":  # Keras itself takes no other objects
        np.testing.assert_allclose(in_silence(keras_net(made)).outputs(FEATURES), LOGITS, rtol=1e-5)


def test_several_tensors_are_refused_with_the_way_to_say_which() -> None:
    with pytest.raises(BadInput, match=r"0: \(.*, 4\).*outputs=lambda o: o\[0\]"):
        hm.wrap(torch_net(lambda z: (z, z)), input_shape=(6,))
    with pytest.raises(BadInput, match=r"outputs=lambda o: o\['class'\]"):
        hm.wrap(torch_net(lambda z: {"class": z, "box": z}), input_shape=(6,))
    pair = torch_net(lambda z: {"class": z, "box": 2 * z})
    model = in_silence(pair, outputs=lambda o: o["box"])
    np.testing.assert_allclose(model.outputs(FEATURES), 2 * LOGITS, rtol=1e-5)
    with pytest.raises(BadInput, match="returned float, no tensor"):
        hm.wrap(pair, input_shape=(6,), outputs=lambda o: 1.0)
    inputs = keras.Input((6,))
    two = keras.Model(inputs, [keras.layers.Dense(3)(inputs), keras.layers.Dense(2)(inputs)])
    with pytest.raises(BadInput, match=r"outputs=lambda o: o\[0\]"):
        hm.wrap(two)
    assert hm.wrap(two, outputs=lambda o: o[1]).num_classes == 2
    named = keras.Model(inputs, {"class": keras.layers.Dense(3)(inputs), "box": keras.layers.Dense(2)(inputs)})
    assert hm.wrap(named, outputs=lambda o: o["class"]).num_classes == 3
    other = keras.Input((4,))
    joined = keras.layers.Dense(3)(keras.layers.Concatenate()([inputs, other]))
    with pytest.raises(BadInput, match=r"takes 2 inputs.*networks of one"):
        hm.wrap(keras.Model([inputs, other], joined))


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda z: z[:, 0], r"shape \(2,\).*o\.reshape\(-1, 1\)"),
        (lambda z: z[:, None], r"shape \(2, 1, 4\).*o\[:, 0\]"),
        (lambda z: z[:, :, None, None], r"shape \(2, 4, 1, 1\).*make them"),
        (lambda z: z.argmax(1, keepdim=True), "int64 numbers.*before argmax"),
        (lambda z: torch.complex(z, z), "complex numbers.*abs"),
    ],
)
def test_other_outputs_are_refused_with_the_remedy(function, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        hm.wrap(torch_net(function), input_shape=(6,))


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_squeeze_may_take_the_axis_of_a_single_sample(framework: str) -> None:
    """Without it, a single sample's four logits would pass for four samples."""
    if framework == "torch":
        net = torch_net(lambda logits: logits[:, None].squeeze())
    else:
        tf = pytest.importorskip("tensorflow")

        class Net(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.head = keras.layers.Dense(4, use_bias=False)

            def call(self, x):
                return tf.squeeze(self.head(x)[:, None])

        net = Net()
        net(FEATURES)
        net.head.set_weights([WEIGHT])
    model = hm.wrap(net, input_shape=(6,))
    assert len(model.net(torch.tensor(FEATURES[:1]) if framework == "torch" else FEATURES[:1]).shape) == 1
    np.testing.assert_allclose(model.outputs(FEATURES[:1]), LOGITS[:1], atol=1e-5)
    np.testing.assert_allclose(model.outputs(FEATURES), LOGITS, atol=1e-5)
    gradient = hm.explain(model, FEATURES[:1], "gradient", 2)
    np.testing.assert_allclose(gradient, WEIGHT[None, :, 2], atol=1e-6)
    kept = FEATURES[:1].copy()
    kept[0, 3] = 0  # one sample and one variant of it: what occlusion of one position asks for
    np.testing.assert_allclose(model.outputs(kept), kept @ WEIGHT, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 5])
def test_the_remedy_for_one_score_per_input_works_for_any_number_of_inputs(rows: int) -> None:
    """`squeeze()` leaves a single score no axis at all, so the remedy that is told must not count on one."""
    with pytest.raises(BadInput, match=r"outputs=lambda o: o\.reshape\(-1, 1\)"):
        hm.wrap(torch_net(lambda logits: logits[:, :1].squeeze()), input_shape=(6,))
    model = hm.wrap(
        torch_net(lambda logits: logits[:, :1].squeeze()), input_shape=(6,), outputs=lambda o: o.reshape(-1, 1)
    )
    np.testing.assert_allclose(model.outputs(FEATURES[:rows]), LOGITS[:rows, :1], atol=1e-5)
