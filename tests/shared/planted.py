"""Small networks in both frameworks that are right, or wrong in one known way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from heatmark.models.base import Model
from heatmark.models.wrap import wrap

SIDE, CLASSES = 8, 3
#: Where something may be planted: before the default layer (the second ReLU), or behind it, where all is flat.
PLACES = ("before", "behind")


def planted(framework: str, place: str = "", how: str = "", **options: Any) -> Model:
    """Return convolution, ReLU, convolution, ReLU, flatten, dense, with a fault of some kind at a place.

    Parameters
    ----------
    framework
        ``torch`` or ``tensorflow``.
    place
        One of `PLACES`, or nothing.
    how
        ``halved``: the identity whose gradient is halved; ``detached``: the identity that lets no gradient through for
        half of the last axis; ``constant``: 0.7 is added, outside of all layers.
    options
        Of `wrap`.
    """
    random = np.random.default_rng(3)
    kernels = [random.normal(0, 0.4, (3, 3, 2, 4)), random.normal(0, 0.3, (3, 3, 4, 4))]
    biases = [random.normal(0, 0.1, 4), random.normal(0, 0.1, 4)]
    dense, bias = random.normal(0, 0.2, (SIDE * SIDE * 4, CLASSES)), random.normal(0, 0.1, CLASSES)
    made = _torch if framework == "torch" else _keras
    net = made(kernels, biases, dense, bias, {place: how} if place else {})
    shape = (2, SIDE, SIDE) if framework == "torch" else (SIDE, SIDE, 2)
    return wrap(net, input_shape=shape, device="cpu", name="planted", **options)


def inputs(model: Model) -> Any:
    """Return two random inputs on the model's device."""
    x = np.random.default_rng(0).random((2, *model.input_shape), dtype=np.float32)
    return model.inputs(x)


def _torch(kernels: Any, biases: Any, dense: Any, bias: Any, faults: dict[str, str]) -> Any:
    import torch

    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            return x.clone()

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            return 0.5 * gradient

    def detached(x: Any) -> Any:
        half = x.shape[-1] // 2
        return torch.cat([x[..., :half], x[..., half:].detach()], -1)

    how: dict[str, Callable[[Any], Any]] = {
        "halved": Halved.apply,
        "detached": detached,
        "constant": lambda x: x + 0.7,
        "": lambda x: x,
    }

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.Conv2d(4, 4, 3, padding=1)
            self.one, self.two = torch.nn.ReLU(), torch.nn.ReLU()
            self.dense = torch.nn.Linear(SIDE * SIDE * 4, CLASSES)

        def forward(self, x: Any) -> Any:
            inner = how[faults.get("before", "")](self.one(self.first(x)))
            last = self.two(self.second(inner)).permute(0, 2, 3, 1).reshape(len(x), -1)
            return self.dense(how[faults.get("behind", "")](last))

    net = Net()
    with torch.no_grad():
        for layer, kernel, values in zip((net.first, net.second), kernels, biases, strict=True):
            layer.weight.copy_(torch.as_tensor(np.transpose(kernel, (3, 2, 0, 1))))
            layer.bias.copy_(torch.as_tensor(values))
        net.dense.weight.copy_(torch.as_tensor(dense.T))
        net.dense.bias.copy_(torch.as_tensor(bias))
    return net


def _keras(kernels: Any, biases: Any, dense: Any, bias: Any, faults: dict[str, str]) -> Any:
    import keras
    import tensorflow as tf

    @tf.custom_gradient
    def halved(x: Any) -> Any:
        return tf.identity(x), lambda gradient: 0.5 * gradient

    def detached(x: Any) -> Any:
        half = x.shape[-1] // 2
        return tf.concat([x[..., :half], tf.stop_gradient(x[..., half:])], -1)

    how: dict[str, Callable[[Any], Any]] = {"halved": halved, "detached": detached, "constant": lambda x: x + 0.7}

    class Fault(keras.layers.Layer):
        def __init__(self, function: Callable[[Any], Any]) -> None:
            super().__init__()
            self.function = function

        def call(self, x: Any) -> Any:
            return self.function(x)

    layers = keras.layers
    x = start = keras.Input((SIDE, SIDE, 2))
    x = layers.ReLU(name="first_relu")(layers.Conv2D(4, 3, padding="same", name="first")(x))
    x = Fault(how[faults["before"]])(x) if "before" in faults else x
    x = layers.ReLU(name="second_relu")(layers.Conv2D(4, 3, padding="same", name="second")(x))
    x = layers.Flatten()(x)
    x = Fault(how[faults["behind"]])(x) if "behind" in faults else x
    net = keras.Model(start, layers.Dense(CLASSES, name="dense")(x))
    for name, kernel, values in zip(("first", "second"), kernels, biases, strict=True):
        net.get_layer(name).set_weights([kernel, values])
    net.get_layer("dense").set_weights([dense, bias])
    return net
