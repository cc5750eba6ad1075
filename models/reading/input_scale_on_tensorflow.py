"""Which values a Keras network takes, told by a layer at its beginning that scales or normalises them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

_LAYERS = keras.layers
# What may stand before that layer: it moves values, or changes them a little, or does nothing when a network is used.
_PASSING = (
    _LAYERS.InputLayer, _LAYERS.Identity, _LAYERS.Dropout, _LAYERS.GaussianNoise, _LAYERS.Resizing, _LAYERS.CenterCrop,
    _LAYERS.ZeroPadding2D, _LAYERS.Reshape, _LAYERS.Permute,
)  # fmt: skip
_PIPELINES = (keras.Sequential, getattr(_LAYERS, "Pipeline", keras.Sequential))
_AUGMENTING = ("Random", "AutoContrast", "Equalization", "AugMix", "RandAugment", "MixUp", "CutMix", "Solarization")


def takes_bytes(net: keras.Model) -> str | None:
    """Return what shows, in words, that a network takes values of 0 to 255; None where nothing does.

    It is what does anything first to an input, inside nested models too and behind augmentation: a ``Rescaling`` by
    about 1/255 or 1/127.5, arithmetic like that, or a ``Normalization`` with the mean and deviation of such values.
    """
    layer, node = next(_acting(net), (None, None))
    if isinstance(layer, _LAYERS.Rescaling):
        scale = float(np.mean(np.asarray(layer.scale, np.float64)))
        return f"the Rescaling {layer.name!r} by {scale:.4g}" if _scales_bytes(scale) else None
    if isinstance(layer, _LAYERS.Normalization):
        if layer.invert or getattr(layer, "mean", None) is None:
            return None
        mean, variance = (np.asarray(values, np.float64) for values in (layer.mean, layer.variance))
        bytes_like = (mean > 20).all() and (variance > 20**2).all()
        return f"the Normalization {layer.name!r} with the mean {mean.mean():.4g}" if bytes_like else None
    kind, number = type(layer).__name__, _number(node)
    if number is not None and (
        (kind in ("TrueDivide", "Divide") and number and _scales_bytes(1 / number))
        or (kind == "Multiply" and _scales_bytes(number))
        or (kind == "Subtract" and number > 20)
    ):
        return (
            f"the {kind} by {number:.4g} at its beginning" if kind != "Subtract" else f"{number:.4g} subtracted first"
        )
    return None


def hidden_rescaling(layers: Mapping[str, keras.layers.Layer]) -> str | None:
    """Return the name of a ``Rescaling`` from values of 0 to 255, wherever in a network it stands; None without one."""
    rescaling = ((name, layer) for name, layer in layers.items() if isinstance(layer, _LAYERS.Rescaling))
    return next((name for name, layer in rescaling if _scales_bytes(float(np.mean(np.asarray(layer.scale))))), None)


def _scales_bytes(scale: float) -> bool:
    """Return whether a factor brings 0 to 255 to [0, 1] (1/255, 1/256) or to a width of two (1/127.5, 1/128)."""
    return 0.9 < 255 * scale < 2.1


def _number(node: Any) -> float | None:
    """Return the mean of the constant that an operation of two arguments has besides its tensor; None without one."""
    arguments: tuple[Any, ...] = () if node is None else node.arguments.args
    if len(arguments) != 2 or keras.backend.is_keras_tensor(arguments[1]):
        return None
    return float(np.mean(np.asarray(arguments[1], np.float64)))


def _acting(net: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the layers and operations that do something to an input, in order, each with Keras' record of its call."""
    for operation, node in _in_order(net):
        if isinstance(operation, _PIPELINES) or _is_functional(operation):
            yield from _acting(operation)
        elif not isinstance(operation, _PASSING) and not _augments(operation):
            yield operation, node


def _in_order(net: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what an input passes, one after another, up to where it branches: there the tensor, which is no layer."""
    if not _is_functional(net):
        listed = isinstance(net, _PIPELINES)
        yield from ((layer, None) for layer in (net.layers if listed else [net]))
        return
    nodes = [node for level in net._nodes_by_depth.values() for node in level]
    tensor = net.inputs[0]
    while tensor is not net.outputs[0]:
        readers = [node for node in nodes if any(item is tensor for item in node.input_tensors)]
        if len(readers) != 1 or len(readers[0].outputs) != 1:
            yield tensor, None
            return
        yield readers[0].operation, readers[0]
        tensor = readers[0].outputs[0]


def _is_functional(net: Any) -> bool:
    return isinstance(net, keras.Function) and len(net.inputs) == 1


def _augments(layer: Any) -> bool:
    return type(layer).__module__.startswith("keras.") and type(layer).__name__.startswith(_AUGMENTING)
