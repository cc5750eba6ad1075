"""The layers of a Keras model, and what may be done to one for a while: watch it, replace its call or activation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from ..reading.outputs import Ending, EndingFunction

_ENDINGS: dict[Any, EndingFunction] = {
    keras.activations.softmax: "softmax",
    keras.activations.log_softmax: "log_softmax",
    keras.activations.sigmoid: "sigmoid",
    keras.activations.log_sigmoid: "log_sigmoid",
}
# Layers whose call ends in their activation; others may use theirs inside, as recurrent ones do.
_ACTIVATED = tuple(kind.call for kind in (keras.layers.Activation, keras.layers.Dense, keras.layers.EinsumDense))


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


def named_steps(net: keras.Model) -> dict[str, Any]:
    """Return all layers inside, and the operations that functional models compute between them, such as a sum.

    An operation is named as in its model, those of nested models as ``outer/name``.
    """
    layers = named_layers(net)
    found: dict[str, Any] = dict(layers)
    for prefix, model in [("", net), *((f"{name}/", layer) for name, layer in layers.items())]:
        for operation in getattr(model, "operations", ()) if isinstance(model, keras.Model) else ():
            if not isinstance(operation, keras.layers.Layer):
                found.setdefault(f"{prefix}{operation.name}", operation)
    return found


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
def without_layer(layers: Mapping[str, keras.layers.Layer], name: str | None) -> Iterator[None]:
    """While active, let a layer that `ending_function` knows return what stands before its function."""
    if name is None:
        yield
    elif isinstance(layers[name], keras.layers.Softmax):
        with replaced_call(layers[name], lambda call: lambda inputs, *rest, **options: inputs):
            yield
    else:
        with replaced_activation(layers[name], keras.activations.linear):
            yield


def ending_function(layer: keras.layers.Layer) -> EndingFunction | None:
    """Return what a layer ends in, over the last axis, where that makes probabilities of logits; else None."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax" if layer.axis in (-1, 1) else None
    if getattr(type(layer), "call", None) not in _ACTIVATED:
        return None
    return _ENDINGS.get(layer.activation)


def final_layer(layers: Mapping[str, keras.layers.Layer], scores: Callable[[], Any]) -> Ending | None:
    """Return the layer whose output is the network's, if `ending_function` knows it and it is called this once alone.

    Parameters
    ----------
    layers
        The network's, by name.
    scores
        Calls it and returns its class scores: the very tensor that a layer returned, where that is so.
    """
    known = {name: function for name, layer in layers.items() if (function := ending_function(layer)) is not None}
    seen: dict[str, list[Any]] = {name: [] for name in known}
    with ExitStack() as stack:
        for name in known:
            stack.enter_context(watched(layers[name], seen[name].append))
        returned = scores()
    found = (name for name, outputs in seen.items() if len(outputs) == 1 and outputs[0] is returned)
    name = next(found, None)
    return None if name is None else Ending(name, known[name])


def giving(replacement: tf.Tensor, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a layer's call that gives the replacement; earlier calls that give other shapes are left alone."""

    def called(*arguments: Any, **options: Any) -> Any:
        output = call(*arguments, **options)
        return tf.cast(replacement, output.dtype) if output.shape[1:] == replacement.shape[1:] else output

    return called
