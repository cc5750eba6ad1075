"""Attention probabilities of Keras networks, found in the traced graph, however the network computes them.

On the TensorFlow backend every attention (`keras.layers.MultiHeadAttention` with or without its scores, and any layer
of one's own) ends in a Softmax operation, which stays in the graph. So no layer is changed to see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import tensorflow as tf

from ..queries import AttentionLayer, Query
from .keras_layers import replaced_call


@contextmanager
def captured_attention(query: Query, layers: Mapping[str, Any]) -> Iterator[list[tf.Tensor]]:
    """Yield a list that holds, on leaving, the attentions of what was traced meanwhile; take the query's shortcut.

    They are the outputs of the Softmax operations themselves, through which gradients flow: see `with_heads`.
    """
    found: list[tf.Tensor] = []
    graph = tf.compat.v1.get_default_graph()
    before = len(graph.get_operations())
    with ExitStack() as stack:
        if query.shortcut is not None:
            given: list[Any] = []
            first, second = (layers[name] for name in query.shortcut)
            if first is not second:
                stack.enter_context(replaced_call(first, lambda call: _noting(call, given)))
                stack.enter_context(replaced_call(second, lambda call: _given(call, given)))
        yield found
    if query.attention:
        found.extend(_attentions(graph, before))


def attention_layers(forward: Callable[[], Any], layers: Mapping[str, Any]) -> tuple[AttentionLayer, ...]:
    """Return the self-attentions that ``forward`` computes for one sample, while a graph is traced."""
    graph = tf.compat.v1.get_default_graph()
    start = len(graph.get_operations())
    called: list[tuple[int, str]] = []

    def noted(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
            def calling(*arguments: Any, **options: Any) -> Any:
                called.append((len(graph.get_operations()), name))
                return call(*arguments, **options)

            return calling

        return wrap

    with ExitStack() as stack:
        for name, layer in layers.items():
            if "Norm" in type(layer).__name__:
                stack.enter_context(replaced_call(layer, noted(name)))
        forward()
    places = {operation.name: place for place, operation in enumerate(graph.get_operations())}
    found = []
    for output in _attentions(graph, start):
        place = places[output.op.name]
        norms = tuple(name for when, name in called if start <= when <= place)
        start = place + 1
        parts, heads, tokens, _ = with_heads(output).shape
        found.append(AttentionLayer(heads, tokens, parts or 1, norms))
    return tuple(found)


def _attentions(graph: Any, start: int) -> list[tf.Tensor]:
    """Return the softmaxes of tokens over tokens among the operations from a place on, in order."""
    outputs = [operation.outputs[0] for operation in graph.get_operations()[start:] if operation.type == "Softmax"]
    return [output for output in outputs if _is_square(output.shape)]


def _is_square(shape: tf.TensorShape) -> bool:
    """Return whether a shape is (rows, [heads,] tokens, tokens)."""
    return shape.rank in (3, 4) and shape[-1] is not None and shape[-1] == shape[-2] and shape[-1] > 1


def with_heads(output: tf.Tensor) -> tf.Tensor:
    """Return (rows, [heads,] tokens, tokens) with an axis for the heads."""
    return output if output.shape.rank == 4 else output[:, None]


def _noting(call: Callable[..., Any], given: list[Any]) -> Callable[..., Any]:
    """Return a ``call`` that notes its first argument."""

    def noting(inputs: Any, *rest: Any, **options: Any) -> Any:
        given.append(inputs)
        return call(inputs, *rest, **options)

    return noting


def _given(call: Callable[..., Any], given: list[Any]) -> Callable[..., Any]:
    """Return a ``call`` whose first argument is what was noted."""
    return lambda inputs, *rest, **options: call(given[0], *rest, **options)
