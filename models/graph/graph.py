"""A network as a graph of known operations, the same for both frameworks, on which relevance can be propagated.

The graph is read off the user's network once (`Model.network`); the network is not changed, and its weights are read
whenever the graph is evaluated, so that weights that change are seen. Batch normalisation (in its inference form) is
folded into the convolution or dense layer before it where nothing else reads that layer's output: relevance is then
conserved, which it is not at a normalisation layer with a rule of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from ...errors import HeatmarkError, NotApplicable
from ..arrays.operations import Tensor, TensorOperations
from ..interface import Interface
from ..normalization import Normalization
from ..queries import Query

#: Returns a weight and a bias, or a scale and a shift, as they are now.
Parameters = Callable[[], tuple[Tensor, Tensor | None]]
#: Returns the cotangent of every input for that of the output.
Back = Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation."""

    name: str
    """The layer's or operation's name in the user's network."""
    inputs: tuple[int, ...]
    """The positions in the graph of the nodes whose outputs it reads."""
    function: Callable[..., Tensor]
    """From its inputs, and its parameters where it has any, to its output."""

    def read(self) -> tuple[Tensor | None, ...]:
        """Return the parameters as they are now; none for most kinds of node."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Input(Operation):
    """The raw input."""


@dataclass(frozen=True, kw_only=True)
class Linear(Operation):
    """A convolution (grouped and depthwise ones too) or a dense layer: ``function(x, weight, bias)``."""

    parameters: Parameters
    """Weight, and bias or None."""
    convolution: bool
    """Whether it is a convolution."""
    feature_axis: int
    """The axis of its output that its weights make, for folding."""
    scaled: Callable[[Tensor, Tensor], Tensor]
    """From its weight and one factor per output feature to the weight that gives the output times the factors."""

    def read(self) -> tuple[Tensor | None, ...]:
        return self.parameters()


@dataclass(frozen=True, kw_only=True)
class Diagonal(Operation):
    """An elementwise affine map, such as batch normalisation in inference or the model's own normalisation."""

    parameters: Parameters | None = None
    """One factor and one summand per feature, which ``function(x, scale, shift)`` then takes; None where the function
    has them inside.
    """
    feature_axis: int = 0
    """The axis of the features."""

    def read(self) -> tuple[Tensor | None, ...]:
        return () if self.parameters is None else self.parameters()


@dataclass(frozen=True, kw_only=True)
class Nonlinearity(Operation):
    """An elementwise function."""

    nonnegative: bool = False
    """Whether its values are never below zero."""


@dataclass(frozen=True, kw_only=True)
class Maximum(Operation):
    """The largest value of each window."""


@dataclass(frozen=True, kw_only=True)
class Mixing(Operation):
    """A sum or average of its inputs' elements with fixed weights of at least zero: residual sums, average pooling."""


@dataclass(frozen=True, kw_only=True)
class Rearrangement(Operation):
    """The same elements elsewhere: reshaping, permuting, padding, selecting, concatenating."""


@dataclass(frozen=True)
class Graph:
    """The nodes in an order in which each stands after those it reads; the first is the input."""

    nodes: tuple[Operation, ...]
    """All operations."""
    output: int
    """The position of the node that gives the logits (n, classes)."""

    @cached_property
    def nonnegative(self) -> frozenset[int]:
        """The nodes whose output is known to be at least zero."""
        found: set[int] = set()
        for position, node in enumerate(self.nodes):
            passing = isinstance(node, Maximum | Mixing | Rearrangement) and found.issuperset(node.inputs)
            if passing or (isinstance(node, Nonlinearity) and node.nonnegative):
                found.add(position)
        return frozenset(found)

    @cached_property
    def from_input(self) -> frozenset[int]:
        """The nodes whose output's elements are each an affine function of one input element (or constant)."""
        found = {0}
        for position, node in enumerate(self.nodes):
            if isinstance(node, Diagonal | Rearrangement) and found.issuperset(node.inputs):
                found.add(position)
        return frozenset(found)


class Work(Hashable, Protocol):
    """A computation on a network's graph; equal ones compute the same, so that a compiled one can be kept."""

    def __call__(self, network: Network, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return tensors whose first axis is the batch."""
        ...


class Network(ABC):
    """A graph with what is needed to differentiate its operations and to run work on it.

    Attributes
    ----------
    graph
        The operations.
    operations
        The array namespace.
    """

    def __init__(self, graph: Graph, operations: TensorOperations) -> None:
        self.graph = graph
        self.operations = operations

    @abstractmethod
    def pulled(self, function: Callable[..., Tensor], *inputs: Tensor) -> tuple[Tensor, Back]:
        """Return the function's output and its vector-Jacobian product there, which may be called once."""

    @abstractmethod
    def run(self, work: Work, tensors: Sequence[Tensor], layout: str) -> tuple[Tensor, ...]:
        """Return what the work gives for one chunk; ``layout`` is one of the model's memory formats."""

    def output(self, x: Tensor) -> Tensor:
        """Return what the graph gives for raw inputs (m, *input_shape)."""
        values: list[Tensor] = []
        for node in self.graph.nodes[: self.graph.output + 1]:
            inputs = (values[source] for source in node.inputs)
            values.append(x if isinstance(node, Input) else node.function(*inputs, *node.read()))
        return values[-1]

    def at_input(self, position: int, value: Tensor) -> Tensor:
        """Return the output of one of `Graph.from_input` where the raw input is ``value`` (m, *input_shape)."""
        node = self.graph.nodes[position]
        if isinstance(node, Input):
            return value
        return node.function(*(self.at_input(source, value) for source in node.inputs), *node.read())


@dataclass(frozen=True)
class Extraction:
    """A network's graph, or why there is none."""

    network: Network | None = None
    """None where something in the network is not supported."""
    reason: str | None = None
    """What that is; None where there is a graph."""


def require_same(network: Network, model: Interface) -> None:
    """Refuse a graph that gives other logits than its network, up to what a softmax takes from all classes.

    Raises
    ------
    NotApplicable
        With the difference.
    """
    noise = np.random.default_rng(1).random((2, *model.input_shape), dtype=np.float32)
    x = model.from_numpy(model.from_unit(noise))
    try:
        with model.operations.on_device():
            found = model.to_numpy(network.output(x)).astype(np.float64)
    except Exception as error:
        if isinstance(error, HeatmarkError) or model.is_out_of_memory(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise NotApplicable(f"its graph cannot be computed ({type(error).__name__}: {reason})") from error
    logits = model.to_numpy(model.run(Query(), x, None).logits).astype(np.float64)
    apart, size = np.inf, np.abs(logits).max() + np.abs(found).max()
    if found.shape == logits.shape:
        apart = np.abs(found - logits - (found - logits).mean(axis=1, keepdims=True) * (logits.shape[1] > 1)).max()
    if apart > 10 * model.resolution * size:
        raise NotApplicable(
            f"the operations that its forward pass was traced to give other logits than it does (by {apart:.2g}): "
            "something in it is changed in place, drawn by chance, or decided by the input"
        )


def unsupported(name: str, kind: str, why: str = "") -> NotApplicable:
    """Return the error that names a layer or operation which relevance cannot be propagated through."""
    detail = f"{kind}: {why}" if why else kind
    return NotApplicable(f"layer {name!r} ({detail}) is not supported by relevance propagation")


class GraphBuilder:
    """Collects nodes in order, from the raw input on.

    Parameters
    ----------
    model
        The model whose normalisation comes first.

    Attributes
    ----------
    prepared
        The position of the node that the network itself reads.

    Raises
    ------
    NotApplicable
        If the preprocessing is a function, of which nothing is known.
    """

    def __init__(self, model: Interface) -> None:
        self._nodes: list[Operation] = [Input(name="input", inputs=(), function=lambda x: x)]
        self.prepared = 0
        if isinstance(model.preprocess, Normalization):
            self._normalise(model, model.preprocess)
        elif model.preprocess is not None:
            raise NotApplicable("its preprocessing is a function; give a heatmark.Normalization instead")

    def add(self, node: Operation) -> int:
        """Append a node and return its position."""
        self._nodes.append(node)
        return len(self._nodes) - 1

    def finished(self, output: int) -> Graph:
        """Return the graph up to ``output``, with batch normalisation folded."""
        return _folded(self._nodes, output)

    def _normalise(self, model: Interface, normalization: Normalization) -> None:
        plain, axis = replace(normalization, flip_channels=False), model.channel_axis

        def normalised(x: Tensor) -> Tensor:
            return plain.apply(x, axis, model.constant)

        # Once here, so that the constants are on the device before any work is timed or compiled.
        normalised(model.blank())
        self.prepared = self.add(Diagonal(name="normalization", inputs=(0,), function=normalised))
        if normalization.flip_channels and axis is not None:
            flip = model.operations.flip
            self.prepared = self.add(
                Rearrangement(name="channel flip", inputs=(self.prepared,), function=lambda x: flip(x, axis))
            )


def _folded(nodes: Sequence[Operation], output: int) -> Graph:
    """Return the graph with each batch normalisation merged into the linear node that it alone reads."""
    readers = [0] * len(nodes)
    for node in nodes:
        for source in node.inputs:
            readers[source] += 1
    readers[output] += 1
    places: list[int] = []
    kept: list[Operation] = []
    for node in nodes:
        moved = replace(node, inputs=tuple(places[source] for source in node.inputs))
        if isinstance(moved, Diagonal) and moved.parameters is not None and readers[node.inputs[0]] == 1:
            before = kept[moved.inputs[0]]
            if isinstance(before, Linear) and before.feature_axis == moved.feature_axis:
                kept[moved.inputs[0]] = _merged(before, moved)
                places.append(moved.inputs[0])
                continue
        places.append(len(kept))
        kept.append(moved)
    return Graph(tuple(kept), places[output])


def _merged(linear: Linear, following: Diagonal) -> Linear:
    """Return the linear node that gives what the normalisation after it gives."""
    read = following.parameters
    assert read is not None

    def parameters() -> tuple[Tensor, Tensor | None]:
        weight, bias = linear.parameters()
        scale, shift = read()
        return linear.scaled(weight, scale), shift if bias is None else bias * scale + shift

    return replace(linear, name=following.name, parameters=parameters)
