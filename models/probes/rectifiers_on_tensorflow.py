"""Modified backward passes through ReLUs in TensorFlow, by overriding the gradient of the operations themselves.

The override acts while a graph is traced, so layers, fused activations (``Conv2D(activation="relu")``) and plain
``tf.nn.relu`` calls are all covered, and the Keras model is not touched. Each gradient that follows a rule is noted,
so that those out of the override's reach can be counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import tensorflow as tf

from ..queries import BackwardRule, Rectifiers
from .reach_on_tensorflow import REACHED, RECTIFIERS, between, function_library, rectifiers_in


@contextmanager
def rectifier_rule(rule: BackwardRule | None) -> Iterator[None]:
    """While a graph is traced, let the gradients of ReLU and ReLU6 follow the rule."""
    if rule is None:
        yield
        return
    _register_gradients()
    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map(dict.fromkeys(RECTIFIERS, f"Heatmark_{rule}")):
        yield


def rectifiers_of(function: Any) -> int:
    """Return how many ReLUs and ReLU6 a concrete function's graph has, with all that it calls."""
    return rectifiers_in(function.graph.get_operations(), function_library(function.graph))


def reached(x: tf.Tensor, score: tf.Tensor, before: int) -> Rectifiers:
    """Return how many ReLUs lie between inputs and score, and how many of them a rule's gradient went through.

    To be called while a graph is traced under a rule, after gradients were taken.

    Parameters
    ----------
    x, score
        What the gradient was taken at, and of.
    before
        How many operations the graph had before.
    """
    graph = tf.compat.v1.get_default_graph()
    there = rectifiers_in(between(graph, x, score, before), function_library(graph))
    caught = len({operation.name for operation in graph.get_collection(REACHED)})
    where = (
        "they are computed inside a loop, a loaded function, tf.recompute_grad or another function with a gradient "
        "of its own; call the layers directly"
    )
    return Rectifiers(min(caught, there), max(0, there - caught), where if there > caught else "")


@cache
def _register_gradients() -> None:
    """Register the gradient functions by name; TensorFlow allows each name once in a process."""

    @tf.RegisterGradient("Heatmark_guided")
    def guided(operation: Any, gradient: Any) -> Any:
        operation.graph.add_to_collection(REACHED, operation)
        active = operation.inputs[0] > 0
        if operation.type == "Relu6":
            active &= operation.inputs[0] < 6
        return tf.where(active, tf.nn.relu(gradient), tf.zeros_like(gradient))

    @tf.RegisterGradient("Heatmark_deconvnet")
    def deconvnet(operation: Any, gradient: Any) -> Any:
        operation.graph.add_to_collection(REACHED, operation)
        return tf.nn.relu(gradient)
