"""A framework-neutral description of a network: named nodes, their shapes, and the shapes of their parameters.

Shapes are canonical: spatial axes first, channels last, no batch axis. Weights are a plain dictionary of NumPy arrays
named ``NODE.weight``, ``NODE.bias``, ``NODE.running_mean``, ``NODE.running_var``, in PyTorch's layout: convolutions
(out, in, *kernel), dense layers (out, in) with flattened features in channels-first order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import BadInput

INPUT = "input"
Shape = tuple[int, ...]
Padding = Literal["same", "valid"]
_NODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an axis under TensorFlow's SAME rule: the odd one goes behind."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _window_shape(node: Node, shape: Shape, kernel: Sequence[int], stride: int, padding: Padding) -> Shape:
    """Return the spatial shape after a window has moved over ``shape`` (spatial..., channels)."""
    if len(shape) != len(kernel) + 1:
        raise BadInput(f"Node {node.name!r} has a {len(kernel)}-D window but its input has the shape {shape}.")
    if padding == "same":
        return tuple(math.ceil(size / stride) for size in shape[:-1])
    spatial = tuple((size - width) // stride + 1 for size, width in zip(shape[:-1], kernel, strict=True))
    if min(spatial) < 1:
        raise BadInput(f"Node {node.name!r}: the window {tuple(kernel)} is larger than its input {shape[:-1]}.")
    return spatial


@dataclass(frozen=True)
class Node:
    """One operation; ``inputs`` name other nodes, or ``"input"`` for the network's input."""

    name: str
    inputs: tuple[str, ...]

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Return the shape of the result for inputs of these shapes; BadInput where they do not fit."""
        return shapes[0]

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        """Return the shape of every parameter by its short name (``weight``)."""
        return {}


@dataclass(frozen=True)
class Convolution(Node):
    """A 1-D or 2-D convolution (the length of ``kernel`` says which), depthwise where every channel has its own."""

    filters: int
    kernel: Shape
    stride: int = 1
    padding: Padding = "same"
    depthwise: bool = False
    bias: bool = True

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        (shape,) = shapes
        if self.depthwise and self.filters != shape[-1]:
            raise BadInput(f"Node {self.name!r} is depthwise: it needs {shape[-1]} filters, not {self.filters}.")
        return (*_window_shape(self, shape, self.kernel, self.stride, self.padding), self.filters)

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        weight = (self.filters, 1 if self.depthwise else shapes[0][-1], *self.kernel)
        return {"weight": weight, "bias": (self.filters,)} if self.bias else {"weight": weight}


@dataclass(frozen=True)
class BatchNorm(Node):
    """Batch normalisation over all axes but the channels; the running averages keep 0.9 per training step."""

    epsilon: float = 1e-3

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (shapes[0][-1],))


@dataclass(frozen=True)
class Activation(Node):
    """A rectifier: max(x, 0), or min(max(x, 0), 6)."""

    function: Literal["relu", "relu6"] = "relu"


@dataclass(frozen=True)
class MaxPool(Node):
    """The largest value of each window; padding never wins."""

    kernel: Shape
    stride: int
    padding: Padding = "valid"

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (*_window_shape(self, shapes[0], self.kernel, self.stride, self.padding), shapes[0][-1])


@dataclass(frozen=True)
class AveragePool(Node):
    """The mean of each whole window."""

    kernel: Shape
    stride: int

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (*_window_shape(self, shapes[0], self.kernel, self.stride, "valid"), shapes[0][-1])


@dataclass(frozen=True)
class GlobalAveragePool(Node):
    """The mean over all positions."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (shapes[0][-1],)


@dataclass(frozen=True)
class Flatten(Node):
    """All positions and channels as one vector, each framework in its own order (see `Architecture.flattened`)."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (math.prod(shapes[0]),)


@dataclass(frozen=True)
class Dense(Node):
    """A fully connected layer on a vector."""

    units: int
    bias: bool = True

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(shapes[0]) != 1:
            raise BadInput(
                f"Node {self.name!r} needs a vector but gets the shape {shapes[0]}; put a Flatten before it."
            )
        return (self.units,)

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        weight = (self.units, shapes[0][0])
        return {"weight": weight, "bias": (self.units,)} if self.bias else {"weight": weight}


@dataclass(frozen=True)
class Dropout(Node):
    """Drops activations with this probability while training; does nothing otherwise."""

    rate: float


@dataclass(frozen=True)
class Add(Node):
    """The sum of two or more inputs of one shape."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(set(shapes)) != 1:
            raise BadInput(f"Node {self.name!r} adds inputs of different shapes: {list(shapes)}.")
        return shapes[0]


@dataclass(frozen=True)
class Architecture:
    """A network as a graph of nodes, each listed after its inputs.

    Raises
    ------
    BadInput
        If a name is used twice or not allowed, an input is unknown, or shapes do not fit.
    """

    name: str
    """What the network is called."""
    input_shape: Shape
    """(spatial..., channels), or (features,)."""
    nodes: tuple[Node, ...]
    """In an order in which they can be computed."""
    output: str
    """The node whose vector is the logits."""

    def __post_init__(self) -> None:
        if len(self.shapes()[self.output]) != 1:
            raise BadInput(f"{self.name}: the output node {self.output!r} does not give a vector.")

    @property
    def num_classes(self) -> int:
        """The number of logits."""
        return self.shapes()[self.output][0]

    def shapes(self) -> dict[str, Shape]:
        """Return the output shape of every node, and of ``"input"``."""
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for node in self.nodes:
            if not _NODE_NAME.fullmatch(node.name) or node.name in shapes:
                raise BadInput(
                    f"{self.name}: the node name {node.name!r} is used twice or has other signs than a-z, 0-9, _."
                )
            unknown = [name for name in node.inputs if name not in shapes]
            if unknown or not node.inputs:
                raise BadInput(
                    f"{self.name}: node {node.name!r} reads {unknown or 'nothing'}; list nodes after their inputs."
                )
            shapes[node.name] = node.output_shape([shapes[name] for name in node.inputs])
        if self.output not in shapes:
            raise BadInput(f"{self.name}: there is no output node {self.output!r}.")
        return shapes

    def parameter_shapes(self) -> dict[str, Shape]:
        """Return the shape of every parameter by its full name (``stem_convolution.weight``)."""
        shapes = self.shapes()
        return {
            f"{node.name}.{parameter}": shape
            for node in self.nodes
            for parameter, shape in node.parameter_shapes([shapes[name] for name in node.inputs]).items()
        }

    def flattened(self, name: str) -> Shape | None:
        """Return the (spatial..., channels) that the vector of node ``name`` was flattened from, or None.

        The two frameworks flatten in different orders, so whoever moves weights between them has to know.
        """
        nodes = {node.name: node for node in self.nodes}
        while name in nodes:
            node = nodes[name]
            if isinstance(node, Flatten):
                return self.shapes()[node.inputs[0]]
            if not isinstance(node, (Dropout, Activation, Add, BatchNorm)):
                return None
            if isinstance(node, BatchNorm) and self.flattened(node.inputs[0]):
                raise BadInput(f"Node {node.name!r} normalises a flattened vector; put it before the Flatten.")
            name = node.inputs[0]
        return None


def initial_weights(architecture: Architecture, seed: int) -> dict[str, np.ndarray]:
    """Return float32 starting weights drawn in NumPy, so that both frameworks start from the same numbers.

    Weights are normal with variance 2 / fan-in (He et al. 2015, arXiv 1502.01852), biases 0, batch norms the identity.
    """
    generator = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for name, shape in architecture.parameter_shapes().items():
        if name.endswith(".weight") and len(shape) > 1:
            weights[name] = generator.normal(0.0, math.sqrt(2.0 / math.prod(shape[1:])), shape).astype(np.float32)
        else:
            constant = 1.0 if name.endswith((".weight", ".running_var")) else 0.0
            weights[name] = np.full(shape, constant, np.float32)
    return weights


def check_weights(architecture: Architecture, weights: Mapping[str, np.ndarray]) -> None:
    """Raise BadInput unless ``weights`` has exactly the architecture's parameters, in their shapes."""
    expected = architecture.parameter_shapes()
    missing, surplus = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    if missing or surplus:
        raise BadInput(f"Weights for {architecture.name}: missing {missing[:3]}, not expected {surplus[:3]}.")
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise BadInput(
                f"Weights for {architecture.name}: {name} has shape {weights[name].shape}, expected {shape}."
            )
