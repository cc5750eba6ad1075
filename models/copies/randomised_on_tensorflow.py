"""The parameters of a Keras model, layer by layer, as `models/copies/randomised.py` takes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from ..probes.keras_layers import named_layers
from ..queries import Layer
from .randomised import Freshness, Owner, ParameterArray, ParameterLayer, grouped, in_order

_Layers = keras.layers
_CONVOLUTIONS = (_Layers.Conv1D, _Layers.Conv2D, _Layers.Conv3D)
_TRANSPOSED = (_Layers.Conv1DTranspose, _Layers.Conv2DTranspose, _Layers.Conv3DTranspose)
_DEPTHWISE = (_Layers.DepthwiseConv1D, _Layers.DepthwiseConv2D)
_SEPARABLE = (_Layers.SeparableConv1D, _Layers.SeparableConv2D)
_NORMALISATIONS = (_Layers.BatchNormalization, _Layers.LayerNormalization, _Layers.GroupNormalization)
_PASSING = (_Layers.Dropout, _Layers.Activation, _Layers.ReLU, _Layers.BatchNormalization)
# Keras' names of a normalisation's arrays: the canonical names, and what fresh ones hold.
_NAMES: dict[str, tuple[str, Freshness]] = {
    "gamma": ("weight", "one"),
    "beta": ("bias", "zero"),
    "moving_mean": ("running_mean", "zero"),
    "moving_variance": ("running_var", "one"),
}


@dataclass(frozen=True, kw_only=True)
class KerasArray(ParameterArray):
    """See `ParameterArray`."""

    variables: tuple[Any, ...]
    """The Keras variable; with bfloat16 also that of the copy that runs. Graphs hold variables by reference."""

    def value(self) -> np.ndarray:
        return np.asarray(self.variables[0]).astype(np.float32)

    def assign(self, values: np.ndarray) -> None:
        for variable in self.variables:
            variable.assign(values)

    def kept(self) -> list[np.ndarray]:
        return [np.array(np.asarray(variable)) for variable in self.variables]

    def restore(self, kept: list[np.ndarray]) -> None:
        for variable, values in zip(self.variables, kept, strict=True):
            variable.assign(values)


def keras_parameter_layers(
    net: keras.Model, running: keras.Model, layers: Sequence[Layer]
) -> tuple[ParameterLayer, ...]:
    """Return the layers with parameters in the order in which they are computed.

    Parameters
    ----------
    net
        The network.
    running
        The copy of it that runs, or the network itself.
    layers
        Those whose outputs were seen, in the order in which they are computed.
    """
    copies = {
        id(variable): (variable,) if running is net else (variable, other)
        for variable, other in zip(net.weights, running.weights, strict=True)
    }
    owners = [Owner(name, tuple(_arrays(layer, copies))) for name, layer in {"": net, **named_layers(net)}.items()]
    return grouped(in_order(owners, layers, "/"))


def _arrays(layer: Any, copies: dict[int, tuple[Any, ...]]) -> Iterator[KerasArray]:
    """Yield a layer's own floating-point weights; those of preprocessing layers are no parameters."""
    if isinstance(layer, _Layers.Normalization):
        return
    inside = layer._flatten_layers(include_self=False, recursive=False)
    foreign = {id(variable) for inner in inside for variable in inner.weights}
    for variable in layer.weights:
        floating = keras.backend.is_float_dtype(variable.dtype)
        if id(variable) not in foreign and floating and math.prod(variable.shape):
            yield _array(layer, variable, copies[id(variable)])


def _array(layer: Any, variable: Any, variables: tuple[Any, ...]) -> KerasArray:
    array = KerasArray(
        name=variable.name, fresh="like", shape=tuple(int(size) for size in variable.shape), variables=variables
    )
    if isinstance(layer, _NORMALISATIONS) and array.name in _NAMES:
        canonical, fresh = _NAMES[array.name]
        return replace(array, name=canonical, fresh=fresh)
    kernel = _kernel(layer, variable, array.shape)
    if kernel is not None:
        shape, native = kernel
        # Keras calls the kernel of a depthwise layer "kernel" too; of a separable one "depthwise_kernel".
        name = "weight" if array.name == "kernel" else array.name
        return replace(array, name=name, fresh="kernel", shape=shape, native=native)
    known = (_Layers.Dense, _Layers.EinsumDense, *_CONVOLUTIONS, *_TRANSPOSED, *_DEPTHWISE, *_SEPARABLE)
    return replace(array, fresh="zero") if array.name == "bias" and isinstance(layer, known) else array


def _kernel(
    layer: Any, variable: Any, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], Callable[[np.ndarray], np.ndarray]] | None:
    """Return a kernel's canonical shape, and what brings an array of it into Keras' layout; None for no kernel."""
    name = variable.name
    if (name == "kernel" and isinstance(layer, _DEPTHWISE)) or (
        name == "depthwise_kernel" and isinstance(layer, _SEPARABLE)
    ):
        *window, channels, multiplier = shape
        return (channels * multiplier, 1, *window), lambda values: np.moveaxis(
            values.reshape(channels, multiplier, *window), (0, 1), (-2, -1)
        )
    if isinstance(layer, _SEPARABLE) and name == "pointwise_kernel":
        return (shape[-1], shape[-2], *shape[:-2]), lambda values: np.moveaxis(values, (0, 1), (-1, -2))
    if name != "kernel":
        return None
    if isinstance(layer, _TRANSPOSED):  # (*window, outputs, inputs)
        return (*shape[-2:], *shape[:-2]), lambda values: np.moveaxis(values, (0, 1), (-2, -1))
    if isinstance(layer, _CONVOLUTIONS):
        return (shape[-1], shape[-2], *shape[:-2]), lambda values: np.moveaxis(values, (0, 1), (-1, -2))
    if isinstance(layer, _Layers.Dense):
        inputs, outputs = shape
        *places, channels = _flattened(layer) or (inputs,)
        if math.prod((*places, channels)) != inputs:  # it does not stand right behind the flattening
            places, channels = [], inputs
        return (outputs, inputs), lambda values: np.moveaxis(
            values.reshape(outputs, channels, *places), (0, 1), (-1, -2)
        ).reshape(inputs, outputs)
    if isinstance(layer, _Layers.EinsumDense):
        given, _, made = layer.equation.partition("->")
        letters = given.partition(",")[2]
        out = [axis for axis, letter in enumerate(letters) if letter in made]
        order = [*out, *(axis for axis in range(len(shape)) if axis not in out)]
        sizes = tuple(shape[axis] for axis in order)
        outputs = math.prod(sizes[: len(out)])
        return (outputs, math.prod(shape) // outputs), lambda values: values.reshape(sizes).transpose(np.argsort(order))
    return None


def _flattened(layer: Any) -> tuple[int, ...] | None:
    """Return the shape (*spatial, channels) that was flattened into a layer's input, where that can be told."""
    while True:
        try:
            history = getattr(layer.input, "_keras_history", None)
        except (AttributeError, ValueError):  # called several times, or outside of any graph of layers
            return None
        layer = None if history is None else history.operation
        if isinstance(layer, _Layers.Flatten):
            shape = tuple(layer.input.shape[1:])
            return shape if None not in shape else None
        if not isinstance(layer, _PASSING):
            return None
