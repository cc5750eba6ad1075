"""The layers of a Keras model, and what may be done to one for a while: watch it, replace its call or activation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf


def named_layers(net: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return all layers inside, those of nested models as ``outer/inner``."""
    found: dict[str, keras.layers.Layer] = {}

    def visit(layer: Any, prefix: str) -> None:
        for inner in getattr(layer, "layers", None) or layer._flatten_layers(include_self=False, recursive=False):
            name = f"{prefix}{inner.name}"
            if not isinstance(inner, keras.layers.InputLayer) and name not in found:
                found[name] = inner
                visit(inner, f"{name}/")

    visit(net, "")
    return found


def plain_variables(net: keras.Model) -> Iterator[tuple[str, tf.Variable]]:
    """Yield the variables of TensorFlow's own that layers hold, which Keras does not count among their weights."""
    known = {id(variable.value) for variable in net.variables}
    for name, layer in {"": net, **named_layers(net)}.items():
        for attribute, value in sorted(vars(layer).items()):
            if isinstance(value, tf.Variable) and id(value) not in known:
                yield f"{name}.{attribute}".lstrip("."), value


@contextmanager
def watched(layer: keras.layers.Layer, keep: Callable[[Any], None]) -> Iterator[None]:
    """Hand every output of a layer to ``keep`` while active."""

    def watch(call: Callable[..., Any]) -> Callable[..., Any]:
        def calling(*arguments: Any, **options: Any) -> Any:
            output = call(*arguments, **options)
            keep(output)
            return output

        return calling

    with replaced_call(layer, watch):
        yield


@contextmanager
def watched_activation(layer: keras.layers.Layer, keep: Callable[[Any], None]) -> Iterator[None]:
    """Hand what a layer gives to its own activation to ``keep`` while active."""
    activation = layer.activation

    def noted(inputs: Any) -> Any:
        keep(inputs)
        return activation(inputs)

    with replaced_activation(layer, noted):
        yield


@contextmanager
def replaced_activation(layer: keras.layers.Layer, activation: Callable[[Any], Any]) -> Iterator[None]:
    """Replace a layer's own activation."""
    previous = layer.activation
    layer.activation = activation
    try:
        yield
    finally:
        layer.activation = previous


@contextmanager
def replaced_call(
    layer: keras.layers.Layer, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Replace a layer's ``call`` by a wrapped one, on the instance, past Keras's attribute tracking."""
    previous = layer.__dict__.get("call")
    layer.__dict__["call"] = wrap(layer.call)
    try:
        yield
    finally:
        if previous is None:
            del layer.__dict__["call"]
        else:
            layer.__dict__["call"] = previous


@contextmanager
def without_softmax(layer: keras.layers.Layer | None) -> Iterator[None]:
    """Make a layer that ends in softmax return what stands before it."""
    if layer is None:
        yield
    elif isinstance(layer, keras.layers.Softmax):
        with replaced_call(layer, lambda call: lambda inputs, *rest, **options: inputs):
            yield
    else:
        with replaced_activation(layer, keras.activations.linear):
            yield


def final_softmax(net: keras.Model) -> keras.layers.Layer | None:
    """Return the layer whose softmax gives the model's output, or None where there is none or it cannot be told."""
    layer: Any = net
    while isinstance(layer, keras.Model):
        if isinstance(layer, keras.Sequential):
            layer = layer.layers[-1] if layer.layers else None
        elif getattr(layer, "outputs", None):
            history = getattr(layer.outputs[0], "_keras_history", None)
            layer = None if history is None else history.operation
        else:
            return None
    if isinstance(layer, keras.layers.Softmax):
        return layer
    return layer if getattr(layer, "activation", None) is keras.activations.softmax else None
