"""Propagating backward through a network's graph by rules other than the gradient's, once for both frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor, TensorOperations
from ...models.engine import Chunk, Pairs
from ...models.graph.graph import Back, Diagonal, Input, Linear, Network, Operation, Work
from ...models.queries import Query
from ..request import Request


@dataclass(frozen=True)
class Step:
    """One node of a graph as it was evaluated."""

    node: Operation
    position: int
    """The node and its place in the graph."""
    inputs: tuple[Tensor, ...]
    output: Tensor
    """The values that it read and gave."""
    weights: tuple[Tensor | None, ...]
    """Its parameters; empty where it has none."""
    back: Back
    """The vector-Jacobian product of its function at those inputs; to be called once."""


#: Shares out what arrives at a node's output: one tensor per input.
Rule = Callable[[Step, Tensor], tuple[Tensor, ...]]


def evaluated(network: Network, x: Tensor) -> list[Step]:
    """Return every node's step for the raw inputs ``x`` (m, *input_shape)."""
    steps: list[Step] = []
    for position, node in enumerate(network.graph.nodes):
        if isinstance(node, Input):
            steps.append(Step(node, position, (), x, (), lambda cotangent: ()))
            continue
        inputs = tuple(steps[source].output for source in node.inputs)
        weights = node.read()
        output, back = network.pulled(_with(node, weights), *inputs)
        steps.append(Step(node, position, inputs, output, weights, back))
    return steps


def propagated(network: Network, steps: list[Step], start: Tensor, rule: Rule) -> Tensor:
    """Return what arrives at the raw input when ``start`` (m, classes) at the logits goes backward by a rule.

    What several readers send to a node is summed. The steps are used up: each is dropped once it has been passed, so
    that memory falls on the way back.
    """
    del steps[network.graph.output + 1 :]
    arrived: dict[int, Tensor] = {network.graph.output: start}
    while len(steps) > 1:
        step = steps.pop()
        here = arrived.pop(step.position, None)
        if here is None:
            continue
        for source, share in zip(step.node.inputs, rule(step, here), strict=True):
            arrived[source] = arrived[source] + share if source in arrived else share
    return arrived[0]


def linear_map(step: Step, weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """Return a linear node's function of its input alone, with other parameters."""
    return _with(step.node, (weight, bias))


def at_target(operations: TensorOperations, values: Tensor, target: Tensor) -> Tensor:
    """Return ``values`` (m, classes) at each row's target class, and zero elsewhere."""
    classes = operations.from_numpy(np.arange(int(values.shape[1])))
    return operations.where(classes[None] == target[:, None], values, operations.zeros((1, 1)))


def run(request: Request, work: Work, *beside: Tensor, name: str, forwards: int = 1) -> tuple[Tensor, ...]:
    """Return what some work gives for all samples of a request, in chunks that the engine decides on.

    Parameters
    ----------
    request
        The samples and targets.
    work
        Gets the samples (m, *input_shape), the targets (m,) and the rows of ``beside`` of each chunk.
    *beside
        Further tensors with one row per sample.
    name
        The kind of work, which has a chunk size of its own.
    forwards
        How many times the work evaluates the network; it goes backward once.

    Raises
    ------
    NotApplicable
        If the network has a layer that is not supported; the message names it.
    """
    engine = request.model.engine
    network = request.model.extraction.network
    if network is None:
        raise NotApplicable(f"{request.model.name}: {request.model.extraction.reason}.")

    def done(chunk: Chunk, layout: str) -> tuple[Tensor, ...]:
        tensors = [chunk.of_samples(item) for item in (request.x, request.target, *beside)]
        return network.run(work, tensors, layout)

    def parts() -> Iterator[tuple[Tensor, ...]]:
        for chunk, part in engine.chunked(Query(input_gradient=True), Pairs.grid(request.count, 1), done, name):
            for _ in range(forwards - 1):
                request.model.count(Query(), len(chunk.samples))
            yield part

    return request.operations.collect(parts(), request.count)


def _with(node: Operation, weights: tuple[Tensor | None, ...]) -> Callable[..., Tensor]:
    """Return a node's function of its inputs alone."""
    if isinstance(node, Linear | Diagonal):
        return lambda x: node.function(x, *weights)
    return node.function
