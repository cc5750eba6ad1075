"""The bare Keras network: a plain loop over chunks, as a careful user writes it, to measure the engine against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..base import Model


def bare_loop(model: Model, size: int, layout: str, backward: bool) -> Callable[[Any], None]:
    """Return a function that sends (n, *input_shape) through the network, ``size`` at a time; see `bare_network`.

    One graph is traced for the fixed chunk, and another for what is left at the end; Keras has one memory format.
    """
    graphs: dict[int, Any] = {}

    def network(x: tf.Tensor) -> tf.Tensor:
        logits = model.logits(x)
        return tf.gradients(tf.reduce_sum(logits[:, 0]), x)[0] if backward else logits

    def graph_of(rows: int) -> Any:
        if rows not in graphs:
            signature = [tf.TensorSpec((rows, *model.input_shape), tf.float32)]
            graphs[rows] = tf.function(network, input_signature=signature, autograph=False).get_concrete_function()
        return graphs[rows]

    def run(x: tf.Tensor) -> None:
        with tf.device(model.device):
            for first in range(0, x.shape[0], size):
                rows = x[first : first + size]
                graph_of(rows.shape[0])(rows)
        model.synchronise()

    return run
