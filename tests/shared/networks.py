"""Small networks whose answers are known by hand, or that exist in both frameworks with the same weights."""

from __future__ import annotations

import numpy as np

from heatmark.models.architecture.nodes import (
    INPUT,
    Activation,
    Add,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    initial_weights,
)
from heatmark.models.architecture.small_networks import vit_tiny
from heatmark.models.base import Model
from heatmark.models.normalization import Normalization
from heatmark.models.wrap import wrap

FRAMEWORKS = ("torch", "tensorflow")


def plain(shape: tuple[int, ...] = (12, 12, 3), classes: int = 4) -> Architecture:
    """Two convolutions with a pooling between them, flattened into a dense layer."""
    kernel = (3,) * (len(shape) - 1)
    return Architecture(
        "plain", shape,
        (
            Convolution("first", (INPUT,), 6, kernel), Activation("first_relu", ("first",), "relu"),
            MaxPool("pool", ("first_relu",), (2,) * len(kernel), 2),
            Convolution("second", ("pool",), 8, kernel), Activation("second_relu", ("second",), "relu"),
            Flatten("flat", ("second_relu",)), Dense("dense", ("flat",), classes),
        ),
        "dense",
    )  # fmt: skip


def residual(shape: tuple[int, ...] = (12, 12, 3), classes: int = 4) -> Architecture:
    """A block with a shortcut and batch normalisation."""
    kernel = (3,) * (len(shape) - 1)
    return Architecture(
        "residual", shape,
        (
            Convolution("stem", (INPUT,), 6, kernel, 2, bias=False), BatchNorm("stem_norm", ("stem",)),
            Activation("stem_relu", ("stem_norm",), "relu"),
            Convolution("inner", ("stem_relu",), 6, kernel), Activation("inner_relu", ("inner",), "relu"),
            Convolution("outer", ("inner_relu",), 6, kernel), Add("sum", ("outer", "stem_relu")),
            Activation("sum_relu", ("sum",), "relu"),
            GlobalAveragePool("average", ("sum_relu",)), Dense("dense", ("average",), classes),
        ),
        "dense",
    )  # fmt: skip


def depthwise(shape: tuple[int, ...] = (12, 12, 3), classes: int = 4) -> Architecture:
    """A depthwise separable convolution with ReLU6."""
    kernel, one = (3,) * (len(shape) - 1), (1,) * (len(shape) - 1)
    return Architecture(
        "depthwise", shape,
        (
            Convolution("expand", (INPUT,), 8, one), Activation("expand_relu", ("expand",), "relu6"),
            Convolution("depth", ("expand_relu",), 8, kernel, depthwise=True),
            Activation("depth_relu", ("depth",), "relu6"), Convolution("project", ("depth_relu",), 6, one),
            GlobalAveragePool("average", ("project",)), Dense("dense", ("average",), classes),
        ),
        "dense",
    )  # fmt: skip


def transformer(shape: tuple[int, ...] = (12, 12, 3), classes: int = 4) -> Architecture:
    """A vision transformer of two blocks with a class token."""
    return vit_tiny(shape, classes, blocks=2, width=12, heads=2)


ARCHITECTURES = {"plain": plain, "residual": residual, "depthwise": depthwise}


def built(architecture: Architecture, framework: str, weights: dict[str, np.ndarray]) -> object:
    """Return the network itself."""
    if framework == "torch":
        from heatmark.models.architecture.on_torch import build_torch

        return build_torch(architecture, weights)
    from heatmark.models.architecture.on_tensorflow import build_keras

    return build_keras(architecture, weights)


def model_of(architecture: Architecture, framework: str, seed: int = 0) -> Model:
    """Return the architecture with random weights (larger than usual, so that classes differ) behind the interface."""
    weights = {
        name: 2 * value if "weight" in name else value for name, value in initial_weights(architecture, seed).items()
    }
    shape = architecture.input_shape
    native = (shape[-1], *shape[:-1]) if framework == "torch" and len(shape) > 1 else shape
    channels = shape[-1] if len(shape) > 1 else 1
    preprocess = Normalization((0.4,) * channels, (0.5,) * channels)
    return wrap(built(architecture, framework, weights), preprocess, native, name=architecture.name)


def linear(framework: str, weight: np.ndarray, bias: np.ndarray) -> Model:
    """Return logits = weight @ x + bias, for flat vectors; ``weight`` is (classes, features)."""
    architecture = Architecture("linear", (weight.shape[1],), (Dense("dense", (INPUT,), weight.shape[0]),), "dense")
    network = built(architecture, framework, {"dense.weight": weight, "dense.bias": bias})
    return wrap(network, input_shape=(weight.shape[1],), name="linear")


def wrapped_plainly(network: object, shape: tuple[int, ...]) -> Model:
    """Return a network that takes raw inputs of a native shape as they are."""
    return wrap(network, input_shape=shape, device="cpu")


def pictures(count: int, shape: tuple[int, ...] = (12, 12, 3), seed: int = 0) -> np.ndarray:
    """Return random pictures, canonical (n, *spatial, channels), in [0, 1]."""
    return np.random.default_rng(seed).random((count, *shape), dtype=np.float32)


def native(model: Model, x: np.ndarray) -> np.ndarray:
    """Return canonical samples in the model's layout."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if model.channel_axis == 1 else x
