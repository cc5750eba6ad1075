"""Modified backward passes through ReLUs in TensorFlow, by overriding the gradient of the operations themselves.

The override acts while a graph is traced, so layers, fused activations (``Conv2D(activation="relu")``) and plain
``tf.nn.relu`` calls are all covered, and the Keras model is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import tensorflow as tf

from ..queries import BackwardRule

_RECTIFIERS = ("Relu", "Relu6")


@contextmanager
def rectifier_rule(rule: BackwardRule | None) -> Iterator[None]:
    """While a graph is traced, let the gradients of ReLU and ReLU6 follow the rule."""
    if rule is None:
        yield
        return
    _register_gradients()
    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map(dict.fromkeys(_RECTIFIERS, f"Heatmark_{rule}")):
        yield


def has_rectifier(function: Any) -> bool:
    """Return whether a concrete function's graph, with all that it calls, has a ReLU or ReLU6."""
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for inner in definition.library.function for node in inner.node_def)]
    return any(node.op in _RECTIFIERS for node in nodes)


@cache
def _register_gradients() -> None:
    """Register the gradient functions by name; TensorFlow allows each name once in a process."""

    @tf.RegisterGradient("Heatmark_guided")
    def guided(operation: Any, gradient: Any) -> Any:
        active = operation.inputs[0] > 0
        if operation.type == "Relu6":
            active &= operation.inputs[0] < 6
        return tf.where(active, tf.nn.relu(gradient), tf.zeros_like(gradient))

    @tf.RegisterGradient("Heatmark_deconvnet")
    def deconvnet(operation: Any, gradient: Any) -> Any:
        return tf.nn.relu(gradient)
