"""A Keras network with its preprocessing as one Keras model, for libraries that want just a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from ...errors import NotApplicable
from ..base import Model
from ..probes.keras_layers import final_softmax, named_layers, without_softmax
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


class WholeNetwork:
    """From raw inputs to logits in one Keras model.

    Attributes
    ----------
    net
        The Keras model: inputs (m, *input_shape), outputs (m, classes).
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._counter = _Counted()
        inputs = keras.Input(model.input_shape)
        with tf.device(model.device):
            self.net = keras.Model(inputs, self._counter(_Logits(model)(inputs)))

    @contextmanager
    def counted(self) -> Iterator[keras.Model]:
        """Yield the Keras model; the rows that pass through it meanwhile are added to the model's passes."""
        before = self._rows()
        try:
            with tf.device(self._model.device):
                yield self.net
        finally:
            self._model.add_passes(self._rows() - before)

    def _rows(self) -> PassCount:
        return PassCount(int(self._counter.forward_rows.numpy()), int(self._counter.backward_rows.numpy()))


@contextmanager
def restored_call(model: Model, name: str) -> Iterator[keras.layers.Layer]:
    """Yield the layer of that name, whose ``call`` is afterwards what it was before."""
    layer = named_layers(model.net)[name]
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
        If the model is no graph of layers, so that no layer's output can be asked for.
    """
    if not isinstance(model.net, keras.Sequential) and not getattr(model.net, "inputs", None):
        raise NotApplicable(f"{model.name} is neither a functional nor a Sequential Keras model")
    with without_softmax(final_softmax(model.net)), tf.device(model.device):
        yield model.net


def prepared(model: Model, x: tf.Tensor) -> tf.Tensor:
    """Return what the user's own Keras model gets for raw inputs."""
    return model.prepared(x)


def whole(model: Model) -> WholeNetwork:
    """Return the network with its preprocessing as one Keras model; kept, as other libraries trace it."""
    return model.once(WholeNetwork, lambda: WholeNetwork(model))


@contextmanager
def counted(model: Model) -> Iterator[keras.Model]:
    """Yield the network with its preprocessing as one Keras model; see `WholeNetwork.counted`."""
    with whole(model).counted() as network:
        yield network
