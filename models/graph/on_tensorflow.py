"""The graph of a functional or Sequential Keras model, and differentiation of its operations by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ...errors import NotApplicable
from ..interface import Interface
from ..probes.keras_layers import named_layers
from .graph import Back, Graph, GraphBuilder, Network, Work
from .nodes_on_tensorflow import NodeMaker, is_built_in


def tensorflow_network(net: keras.Model, model: Interface) -> TensorFlowNetwork:
    """Return the graph of a model's network.

    Raises
    ------
    NotApplicable
        If the model's connections are not known (a subclassed model), or it has a layer or operation that is not
        supported; the message names it.
    """
    if model.reading.undone != "nothing" or model.conventions.outputs is not None:
        raise NotApplicable("its logits are made of its outputs, by an operation that its graph does not have")
    builder, left_out = GraphBuilder(model), model.reading.left_out
    maker = NodeMaker(builder, None if left_out is None else named_layers(net)[left_out])
    output = _added(net, builder.prepared, maker)
    return TensorFlowNetwork(builder.finished(output), model)


class TensorFlowNetwork(Network):
    """See `Network`; each piece of work is traced once into a graph whose batch axis is open."""

    def __init__(self, graph: Graph, model: Interface) -> None:
        super().__init__(graph, model.operations)
        self._device = model.device
        self._functions: dict[tuple[Any, ...], Any] = {}

    def pulled(self, function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tuple[tf.Tensor, Back]:
        leaves = [tf.identity(item) for item in inputs]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(leaves)
            output = function(*leaves)

        def back(cotangent: tf.Tensor) -> tuple[tf.Tensor, ...]:
            found = tape.gradient(output, leaves, cotangent, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return tuple(found)

        return output, back

    def run(self, work: Work, tensors: Sequence[tf.Tensor], layout: str) -> tuple[tf.Tensor, ...]:
        signature = tuple(tf.TensorSpec((None, *item.shape[1:]), item.dtype) for item in tensors)
        key = (work, *((tuple(item.shape), item.dtype) for item in signature))
        with tf.device(self._device):
            if key not in self._functions:
                traced = tf.function(lambda *given: work(self, *given), input_signature=signature, autograph=False)
                self._functions[key] = traced.get_concrete_function()
            return tuple(self._functions[key](*tensors))


def _added(net: Any, source: int, maker: NodeMaker, prefix: str = "") -> int:
    """Add the nodes of a model that reads the node ``source``, nested models included; return its output's node."""
    functional = getattr(net, "_functional", None) if isinstance(net, keras.Sequential) else net
    if not is_built_in(net) or not (functional is None or isinstance(functional, keras.Function)):
        raise NotApplicable(
            f"the connections inside {net.name!r}, a subclass of keras.Model, are not known: build it with the "
            "functional API or as keras.Sequential"
        )
    if functional is None:
        for layer in net.layers:
            source = _operation(layer, (source,), None, maker, prefix)
        return source
    if len(functional.inputs) != 1 or len(functional.outputs) != 1:
        raise NotApplicable(f"the model {net.name!r} has several inputs or outputs")
    places: dict[int, int] = {id(functional.inputs[0]): source}
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        for node in functional._nodes_by_depth[depth]:
            read = tuple(places.get(id(item), -1) for item in node.input_tensors)
            if not node.is_input and -1 not in read:
                place = _operation(node.operation, read, node, maker, prefix)
                places.update(dict.fromkeys((id(item) for item in node.outputs), place))
    return places[id(functional.outputs[0])]


def _operation(operation: Any, read: tuple[int, ...], node: Any, maker: NodeMaker, prefix: str) -> int:
    if isinstance(operation, keras.Model):
        return _added(operation, read[0], maker, f"{prefix}{operation.name}/")
    return maker.add(operation, read, node, prefix)
