"""An `Architecture` with its weights as a PyTorch module whose children carry the names of the nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ...errors import BadInput
from . import nodes
from .nodes import INPUT, Architecture, Node, Shape, check_weights, same_padding
from .transformer_nodes import TransformerNode
from .transformer_on_torch import transformer_module


class SamePadding(nn.Module):
    """Pads the spatial axes so that the window after it follows TensorFlow's SAME rule, at any input size."""

    def __init__(self, kernel: Sequence[int], stride: int, value: float) -> None:
        super().__init__()
        self.kernel, self.stride, self.value = tuple(kernel), stride, value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, channels, *spatial) with the padding around it."""
        pads: list[int] = []
        for size, kernel in zip(reversed(x.shape[2:]), reversed(self.kernel), strict=True):
            pads += same_padding(size, kernel, self.stride)
        return nn.functional.pad(x, pads, value=self.value) if any(pads) else x


class GlobalAverage(nn.Module):
    """The mean over all spatial axes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, channels)."""
        return x.flatten(2).mean(-1) if x.ndim == 3 else x.mean((2, 3))


class Sum(nn.Module):
    """The sum of its inputs."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the sum, in a new tensor."""
        total = inputs[0] + inputs[1]
        for item in inputs[2:]:
            total = total + item
        return total


class GraphNetwork(nn.Module):
    """Computes the nodes of an architecture in order and forgets each result after its last use.

    Parameters
    ----------
    architecture
        The network. Input: (n, channels, *spatial) or (n, features). Output: logits (n, classes).
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        shapes = architecture.shapes()
        last_use = {name: node.name for node in architecture.nodes for name in node.inputs}
        steps: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        for node in architecture.nodes:
            inputs = node.inputs
            modules = _modules(node, [shapes[name] for name in inputs])
            if len(modules) == 2:
                self.add_module(f"{node.name}_padding", modules[0])
                steps.append((f"{node.name}_padding", inputs, ()))
                inputs = (f"{node.name}_padding",)
            self.add_module(node.name, modules[-1])
            released = [name for name in dict.fromkeys(node.inputs) if last_use[name] == node.name]
            steps.append((node.name, inputs, (*released, *(set(inputs) - set(node.inputs)))))
        self._steps, self._output = tuple(steps), architecture.output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, classes)."""
        values: dict[str, Any] = {INPUT: x}
        for name, inputs, released in self._steps:
            values[name] = self._modules[name](*(values[item] for item in inputs))  # type: ignore[misc]
            for item in released:
                del values[item]
        return values[self._output]  # type: ignore[no-any-return]


def build_torch(architecture: Architecture, weights: Mapping[str, np.ndarray]) -> GraphNetwork:
    """Return the network in evaluation mode, on the CPU, in float32.

    Parameters
    ----------
    architecture
        The network.
    weights
        Its parameters as named by `Architecture.parameter_shapes`; they are copied.

    Raises
    ------
    BadInput
        If a parameter is missing, surplus, or of another shape.
    """
    check_weights(architecture, weights)
    # Module constructors draw throw-away weights; the caller's random state must not notice.
    with torch.random.fork_rng(devices=[]):
        network = GraphNetwork(architecture)
    state = {name: torch.tensor(np.asarray(value, np.float32)) for name, value in weights.items()}
    network.load_state_dict(state | {key: value for key, value in network.state_dict().items() if key not in state})
    return network.eval()


def torch_weights(network: nn.Module) -> dict[str, np.ndarray]:
    """Return copies of the parameters of a `build_torch` network under their canonical names."""
    return {
        name: value.detach().cpu().numpy().astype(np.float32)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def _modules(node: Node, shapes: Sequence[Shape]) -> list[nn.Module]:
    """Return the module of a node, after a padding module where symmetric padding cannot say it."""
    flat = len(shapes[0]) <= 2
    match node:
        case nodes.Convolution():
            padding: str | int | tuple[int, ...] = 0
            before: list[nn.Module] = []
            if node.padding == "same" and node.stride == 1 and all(width % 2 for width in node.kernel):
                padding = tuple(width // 2 for width in node.kernel)
            elif node.padding == "same":
                before = [SamePadding(node.kernel, node.stride, 0.0)]
            kind: Any = nn.Conv1d if len(node.kernel) == 1 else nn.Conv2d
            groups = node.filters if node.depthwise else 1
            return [
                *before,
                kind(shapes[0][-1], node.filters, node.kernel, node.stride, padding, groups=groups, bias=node.bias),
            ]
        case nodes.BatchNorm():
            normalisation: Any = nn.BatchNorm1d if flat else nn.BatchNorm2d
            return [normalisation(shapes[0][-1], eps=node.epsilon, momentum=0.1)]
        case nodes.Activation():
            return [nn.ReLU6() if node.function == "relu6" else nn.ReLU()]
        case nodes.MaxPool():
            pool: Any = nn.MaxPool1d if len(node.kernel) == 1 else nn.MaxPool2d
            lowest = [SamePadding(node.kernel, node.stride, -torch.inf)] if node.padding == "same" else []
            return [*lowest, pool(node.kernel, node.stride)]
        case nodes.AveragePool():
            average: Any = nn.AvgPool1d if len(node.kernel) == 1 else nn.AvgPool2d
            return [average(node.kernel, node.stride)]
        case nodes.GlobalAveragePool():
            return [GlobalAverage()]
        case nodes.Flatten():
            return [nn.Flatten()]
        case nodes.Dense():
            return [nn.Linear(shapes[0][0], node.units, bias=node.bias)]
        case nodes.Dropout():
            return [nn.Dropout(node.rate)]
        case nodes.Add():
            return [Sum()]
        case TransformerNode():
            return [transformer_module(node, shapes)]
    raise BadInput(f"Node {node.name!r}: no PyTorch module is known for {type(node).__name__}.")
