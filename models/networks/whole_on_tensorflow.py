"""A Keras network with its preprocessing as one Keras model, for libraries that want just a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from ...errors import NotApplicable
from ..base import Model
from ..probes.keras_layers import named_layers, named_steps, without_layer
from ..queries import PassCount


class _Counted(keras.layers.Layer):  # type: ignore[misc]
    """Hands logits on and counts the rows that come forward, and those whose gradient goes back."""

    def __init__(self) -> None:
        super().__init__(name="counted", trainable=False)
        self.forward_rows = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.backward_rows = tf.Variable(0, dtype=tf.int64, trainable=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return ``x``."""
        forward_rows, backward_rows = self.forward_rows, self.backward_rows

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def counted(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
            rows = tf.shape(x, tf.int64)[0]

            def backward(gradient: tf.Tensor, variables: Any = None) -> Any:
                with tf.control_dependencies([backward_rows.assign_add(rows)]):
                    return tf.identity(gradient)

            with tf.control_dependencies([forward_rows.assign_add(rows)]):
                return tf.identity(x), backward

        return counted(x)

    def passes(self) -> PassCount:
        """Return the rows counted so far."""
        return PassCount(int(self.forward_rows.numpy()), int(self.backward_rows.numpy()))


class _Logits(keras.layers.Layer):  # type: ignore[misc]
    """From raw inputs to logits, by the model interface."""

    def __init__(self, model: Model) -> None:
        super().__init__(name="logits", trainable=False)
        self._ask = (model,)  # in a tuple, so that Keras does not adopt the user's layers

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return (m, classes)."""
        return self._ask[0].logits(x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return (m, classes)."""
        return (input_shape[0], self._ask[0].num_classes)


@contextmanager
def restored_call(model: Model, name: str) -> Iterator[Any]:
    """Yield the layer of that name, whose ``call`` is afterwards what it was before."""
    layer = named_steps(model.net)[name]
    before = layer.__dict__.get("call")
    try:
        yield layer
    finally:
        layer.__dict__.pop("call", None)
        layer.__dict__.pop("result", None)
        if before is not None:
            layer.__dict__["call"] = before


@contextmanager
def ending_in_logits(model: Model) -> Iterator[keras.Model]:
    """Yield the user's own Keras model, which while active ends in its logits.

    Raises
    ------
    NotApplicable
        If the model is no graph of layers, so that no layer's output can be asked for, or its logits are made of its
        outputs.
    """
    if not isinstance(model.net, keras.Sequential) and not getattr(model.net, "inputs", None):
        raise NotApplicable(f"{model.name} is neither a functional nor a Sequential Keras model")
    if model.reading.undone != "nothing" or model.conventions.outputs is not None:
        raise NotApplicable(f"{model.name} does not return its logits itself: they are made of its outputs")
    with without_layer(named_layers(model.net), model.reading.left_out), tf.device(model.device):
        yield model.net


def whole(model: Model) -> keras.Model:
    """Return the network with its preprocessing as one Keras model, from raw inputs (m, *input_shape) to logits.

    It is kept, as other libraries trace it.
    """

    def made() -> keras.Model:
        inputs, counter = keras.Input(model.input_shape), _Counted()
        with tf.device(model.device):
            return keras.Model(inputs, counter(_Logits(model)(inputs)))

    return model.once(_Counted, made)


@contextmanager
def counted(model: Model) -> Iterator[keras.Model]:
    """Yield what `whole` returns; the rows that pass through it meanwhile are added to the model's passes."""
    network = whole(model)
    counter = network.get_layer("counted")
    before = counter.passes()
    try:
        with tf.device(model.device):
            yield network
    finally:
        model.add_passes(counter.passes() - before)
