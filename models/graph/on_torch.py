"""The graph of a ``torch.nn.Module``, by symbolic tracing, and differentiation of its operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import fx, nn

from ...errors import BadInput, NotApplicable
from ..interface import Interface
from ..probes.at_rest import at_rest
from ..reading.outputs import OutputReading
from ..reading.returned import class_scores
from .graph import Back, Graph, GraphBuilder, Network, Work
from .nodes_on_torch import NodeMaker
from .tracing_on_torch import traced

_ROWS = 5
"""Rows of the inputs that a network is traced with; few layers have as many channels, so a lost batch axis shows."""


def torch_network(net: nn.Module, model: Interface) -> TorchNetwork:
    """Return the graph of a model's network.

    Raises
    ------
    NotApplicable
        If the network cannot be traced, or has a layer or operation that is not supported; the message names it.
    """
    builder = GraphBuilder(model)
    noise = np.random.default_rng(0).random((_ROWS, *model.input_shape), dtype=np.float32)
    with at_rest(net), torch.no_grad():
        try:
            operations = traced(net, model.prepared(model.from_numpy(noise)))
        except Exception as error:  # a forward pass of one's own may raise anything when it is traced
            if model.is_out_of_memory(error):
                raise
            reason = str(error).partition("\n")[0]
            raise NotApplicable(f"its forward pass cannot be traced ({type(error).__name__}: {reason})") from error
        graph = _graph(net, operations, builder, model)
    return TorchNetwork(graph, model.operations)


class TorchNetwork(Network):
    """See `Network`; everything is computed in float32."""

    def pulled(self, function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> tuple[torch.Tensor, Back]:
        leaves = [item.detach().requires_grad_() for item in inputs]
        with torch.enable_grad():
            output = function(*leaves)

        def back(cotangent: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return torch.autograd.grad(output, leaves, cotangent, materialize_grads=True)

        return output.detach(), back

    def run(self, work: Work, tensors: Sequence[torch.Tensor], layout: str) -> tuple[torch.Tensor, ...]:
        if layout == "channels_last":
            tensors = [
                item.contiguous(memory_format=torch.channels_last) if item.ndim == 4 else item for item in tensors
            ]
        with torch.inference_mode(False), torch.no_grad():
            return work(self, *(item.clone() if item.is_inference() else item for item in tensors))


def _graph(net: nn.Module, operations: fx.Graph, builder: GraphBuilder, model: Interface) -> Graph:
    """Return the supported graph of what was traced; NotApplicable names what is not supported."""
    (end,) = operations.find_nodes(op="output")
    if model.conventions.outputs is not None:
        raise NotApplicable("its class scores are taken out of its outputs by a function")
    try:
        last: fx.Node = class_scores(end.args[0], lambda part: isinstance(part, fx.Node), model.name)
    except BadInput as error:
        raise NotApplicable("its output is not one tensor that depends on the input") from error
    last = _before_ending(net, last, model.reading)
    start = operations.find_nodes(op="placeholder")[0]
    # Of the traced nodes, only those between the input and the logits count.
    needed: set[fx.Node] = set()
    pending = [last]
    while pending:
        node = pending.pop()
        if node not in needed:
            needed.add(node)
            pending += node.all_input_nodes
    places: dict[fx.Node, int] = {start: builder.prepared}
    maker = NodeMaker(net, builder, places)
    for node in operations.nodes:
        if node in needed and node is not start and any(source in places for source in node.all_input_nodes):
            places[node] = maker.add(node)
    if last not in places:
        raise NotApplicable("its output does not depend on its input")
    return builder.finished(places[last])


def _before_ending(net: nn.Module, node: fx.Node, reading: OutputReading) -> fx.Node:
    """Return the node that gives the logits: what stands before a final softmax or sigmoid, where there is one."""
    name = getattr(node.target, "__name__", str(node.target))
    if node.op == "call_module":
        name = type(net.get_submodule(str(node.target))).__name__
    kind = name.lower().replace("_", "")
    by_itself = ("sigmoid", "logsigmoid") if reading.link == "logistic" else ()
    ending = kind in ("softmax", "logsoftmax", *by_itself)
    if reading.told == "stated" and reading.kind == "logits":
        return node
    if reading.undone != "nothing" and not ending:
        raise NotApplicable("its logits are made of its outputs, by an operation that its graph does not have")
    return node.all_input_nodes[0] if ending else node
