"""An `Architecture` with its weights as a functional Keras model (channels last) with the same layer names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ...errors import BadInput
from . import nodes
from .nodes import INPUT, Architecture, Node, Shape, check_weights
from .transformer_nodes import TransformerNode
from .transformer_on_tensorflow import transformer_layer, transformer_variable

_NORMALISATION = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def build_keras(architecture: Architecture, weights: Mapping[str, np.ndarray], seed: int = 0) -> Any:
    """Return the network as a functional keras.Model from (n, *spatial, channels) to logits (n, classes).

    Parameters
    ----------
    architecture
        The network.
    weights
        Its parameters as named by `Architecture.parameter_shapes`; they are copied.
    seed
        The seed of dropout layers.

    Raises
    ------
    BadInput
        If a parameter is missing, surplus, or of another shape.
    """
    check_weights(architecture, weights)
    shapes = architecture.shapes()
    values: dict[str, Any] = {INPUT: keras.Input(architecture.input_shape, name=INPUT)}
    for node in architecture.nodes:
        layer = _layer(node, shapes[node.inputs[0]], seed)
        inputs = [values[name] for name in node.inputs]
        values[node.name] = layer(inputs if isinstance(node, nodes.Add) else inputs[0])
    model = keras.Model(values[INPUT], values[architecture.output], name=_model_name(architecture.name))
    for name, variable, order, shape in _variables(architecture, model):
        value = np.asarray(weights[name], np.float32)
        variable.assign(value.reshape(shape).transpose(order).reshape(tuple(variable.shape)))
    return model


def keras_weights(architecture: Architecture, model: Any) -> dict[str, np.ndarray]:
    """Return copies of the parameters of a `build_keras` model under their canonical names and in PyTorch's layout."""
    found = {}
    for name, variable, order, shape in _variables(architecture, model):
        permuted = [shape[axis] for axis in order]
        value = np.array(variable.numpy(), np.float32).reshape(permuted)
        found[name] = value.transpose(np.argsort(order)).reshape(architecture.parameter_shapes()[name])
    return found


def _variables(architecture: Architecture, model: Any) -> list[tuple[str, Any, tuple[int, ...], Shape]]:
    """Return (name, variable, axis order, shape): reshape the canonical array to shape, transpose, and it is Keras'."""
    found: list[tuple[str, Any, tuple[int, ...], Shape]] = []
    shapes = architecture.parameter_shapes()
    for node in architecture.nodes:
        for name in (full for full in shapes if full.rpartition(".")[0] == node.name):
            parameter, shape = name.rpartition(".")[2], shapes[name]
            layer = model.get_layer(node.name)
            if isinstance(node, TransformerNode):
                found.append((name, *transformer_variable(node, layer, parameter), shape))
            elif isinstance(node, nodes.BatchNorm):
                found.append((name, getattr(layer, _NORMALISATION[parameter]), (0,), shape))
            elif parameter == "bias":
                found.append((name, layer.bias, (0,), shape))
            else:
                order, source = _kernel_order(architecture, node, shape)
                found.append((name, layer.kernel, order, source))
    return found


def _kernel_order(architecture: Architecture, node: Node, shape: Shape) -> tuple[tuple[int, ...], Shape]:
    """Return the axis order and the (possibly unflattened) shape that turn a canonical kernel into Keras' layout."""
    if isinstance(node, nodes.Convolution):
        spatial = tuple(range(2, len(shape)))
        # (out, in, *kernel) -> (*kernel, in, out); depthwise (channels, 1, *kernel) -> (*kernel, channels, 1).
        return ((*spatial, 0, 1) if node.depthwise else (*spatial, 1, 0)), shape
    flattened = architecture.flattened(node.inputs[0])
    if flattened is None:
        return (1, 0), shape
    # (out, channels, *spatial) -> (*spatial, channels, out): Keras flattens with the channels last.
    source = (shape[0], flattened[-1], *flattened[:-1])
    return (*range(2, len(source)), 1, 0), source


def _layer(node: Node, shape: Shape, seed: int) -> Any:
    """Return the Keras layer of a node whose first input has this canonical shape."""
    layers, dimension = keras.layers, f"{len(shape) - 1}D"
    # Said here because a user's global policy must not change what the zoo computes.
    common: dict[str, Any] = {"name": node.name, "dtype": "float32"}
    match node:
        case nodes.Convolution():
            common |= {"strides": node.stride, "padding": node.padding, "use_bias": node.bias}
            if node.depthwise:
                return getattr(layers, f"DepthwiseConv{dimension}")(_sizes(node.kernel), **common)
            return getattr(layers, f"Conv{dimension}")(node.filters, _sizes(node.kernel), **common)
        case nodes.BatchNorm():
            return layers.BatchNormalization(epsilon=node.epsilon, momentum=0.9, **common)
        case nodes.Activation():
            return layers.ReLU(max_value=6.0 if node.function == "relu6" else None, **common)
        case nodes.MaxPool():
            common |= {"strides": node.stride, "padding": node.padding}
            return getattr(layers, f"MaxPooling{dimension}")(_sizes(node.kernel), **common)
        case nodes.AveragePool():
            return getattr(layers, f"AveragePooling{dimension}")(_sizes(node.kernel), strides=node.stride, **common)
        case nodes.GlobalAveragePool():
            return getattr(layers, f"GlobalAveragePooling{dimension}")(**common)
        case nodes.Flatten():
            return layers.Flatten(**common)
        case nodes.Dense():
            return layers.Dense(node.units, use_bias=node.bias, **common)
        case nodes.Dropout():
            return layers.Dropout(node.rate, seed=seed, **common)
        case nodes.Add():
            return layers.Add(**common)
        case TransformerNode():
            return transformer_layer(node, common)
    raise BadInput(f"Node {node.name!r}: no Keras layer is known for {type(node).__name__}.")


def _sizes(kernel: Sequence[int]) -> int | tuple[int, ...]:
    """Return a window as Keras' layers take it: a number for 1-D, a tuple for 2-D."""
    return kernel[0] if len(kernel) == 1 else tuple(kernel)


def _model_name(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
