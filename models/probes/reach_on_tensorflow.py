"""What watching layers and overriding gradients reaches of a Keras network: not what a tf.function or a loop inside it
holds, unless its Python code is run as part of the network's own graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from ...errors import HeatmarkError, NotApplicable
from ..queries import Computed

Found = TypeVar("Found")

RECTIFIERS = ("Relu", "Relu6")
REACHED = "heatmark_rectified"
"""The graph collection of the rectifiers whose gradient followed a rule."""

_RANDOM = re.compile(r"(Random|TruncatedNormal)(?!GetKeyCounter|GetAlg|Dataset)|Multinomial")
_STEPS = frozenset({"StopGradient", "PreventGradient", "Round", "Rint", "Floor", "Ceil", "Sign", "ArgMax", "ArgMin"})
"""Operations behind which no gradient is asked for."""


@contextmanager
def inner_functions_inlined() -> Iterator[None]:
    """While a graph is traced, make each tf.function called inside, compiled ones too, a part of that graph."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)  # in a graph that is being traced, their code is just called
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def traced_through(trace: Callable[[], Found], lasting: bool = False) -> Found:
    """Return what tracing gives, through the tf.functions inside a network where they can be made a part of its graph.

    Control flow that only AutoGraph makes a graph of cannot: what lies outside such a function is within reach all the
    same, unless what is done while tracing would be ``lasting`` inside it.
    """
    try:
        with inner_functions_inlined():
            return trace()
    except HeatmarkError:
        raise
    except Exception:
        if lasting:
            raise
        return trace()


def require_reached(name: str, kept: Mapping[str, Any]) -> None:
    """Refuse a query for layers that were computed where their output cannot be read.

    Raises
    ------
    NotApplicable
        With the layer.
    """
    graph = tf.compat.v1.get_default_graph()
    for layer, output in kept.items():
        if output is None or (isinstance(output, tf.Tensor) and output.graph is not graph):
            raise NotApplicable(
                f"The layer {layer!r} of {name} is computed inside a tf.function or a loop that cannot be made a part "
                "of the network's graph: its output is out of reach. Choose another layer, or call the layer directly."
            )


def rectifiers_in(operations: Any, library: Mapping[str, Any]) -> int:
    """Return how many ReLUs and ReLU6 are among operations and in the functions that these call."""
    seen: set[str] = set()

    def in_node(kind: str, attributes: Mapping[str, Any]) -> int:
        found = int(kind in RECTIFIERS)
        for value in attributes.values():
            for function in (value.func, *value.list.func):
                if function.name in library and function.name not in seen:
                    seen.add(function.name)
                    found += sum(in_node(node.op, node.attr) for node in library[function.name].node_def)
        return found

    return sum(in_node(operation.type, operation.node_def.attr) for operation in operations)


def operations_of(graph: Any) -> tuple[Computed, ...]:
    """Return the operations of a graph and of the functions that it calls."""
    over_batch = {one.name for one in graph.get_operations() if _reduces_batch(one)}
    nodes = [*graph.as_graph_def().node]
    nodes += [node for inner in function_library(graph).values() for node in inner.node_def]
    return tuple(
        Computed(
            node.op,
            node.name.rpartition("/")[0],
            random=bool(_RANDOM.search(node.op)),
            by_batch=node.name in over_batch or ("BatchNorm" in node.op and node.attr["is_training"].b),
            bounded=node.op == "Relu6",
        )
        for node in nodes
    )


def _reduces_batch(operation: Any) -> bool:
    """Return whether an operation sums or averages over an open first axis."""
    if operation.type not in ("Mean", "Sum", "Max", "Min", "Prod") or operation.inputs[0].shape.rank in (None, 0):
        return False
    axes = tf.get_static_value(operation.inputs[1])
    rank = operation.inputs[0].shape.rank
    return operation.inputs[0].shape[0] is None and axes is not None and bool(({0, -rank}) & {*np.ravel(axes).tolist()})


def function_library(graph: Any) -> dict[str, Any]:
    """Return the definitions of the functions that a graph calls, by name."""
    return {inner.signature.name: inner for inner in graph.as_graph_def().library.function}


def between(graph: Any, start: tf.Tensor, end: tf.Tensor, before: int) -> list[Any]:
    """Return the operations, of the graph's first ``before``, that lie on a differentiable way from one to the other.

    In the order in which they are computed.
    """
    operations = graph.get_operations()[:before]
    after = {start.ref()}
    for operation in operations:
        if operation.type not in _STEPS and any(item.ref() in after for item in operation.inputs):
            after.update(item.ref() for item in operation.outputs if item.dtype.is_floating)
    needed, found = {end.ref()}, []
    for operation in reversed(operations):
        outputs = {item.ref() for item in operation.outputs}
        if outputs & needed & after and any(item.ref() in after for item in operation.inputs):
            needed.update(item.ref() for item in operation.inputs)
            found.append(operation)
    return found[::-1]
