"""Following the channel axis through a traced TensorFlow graph, and what a Keras layer says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from .channel_axes import after_product, after_reshape, agreed

_CHANNELS_MADE = (
    "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2",
    "FusedBatchNormV3",
)  # fmt: skip
_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile")
"""Operations that hold a graph of their own, which is not looked into."""


def channel_axes(graph: Any, x: tf.Tensor, axis: int | None, stated: Mapping[Any, int]) -> dict[Any, int]:
    """Return where the channels of a graph's tensors stand, counted from 0, by the tensors' references.

    Parameters
    ----------
    graph
        The traced graph.
    x
        The input, a batch.
    axis
        Where its channels stand; None where it has none.
    stated
        What layers say of their outputs, by reference, for where nothing can be followed.
    """
    known: dict[Any, int] = {} if axis is None else {x.ref(): axis}
    for operation in graph.get_operations():
        for tensor in operation.outputs:
            if tensor.ref() in known:
                continue
            found = _axis(operation, tensor, known) if tensor.shape.rank else None
            found = stated.get(tensor.ref()) if found is None else found
            if found is not None:
                known[tensor.ref()] = found
    return known


def stated_axis(layer: keras.layers.Layer, rank: int) -> int | None:
    """Return the channel axis, counted from 0, that a layer states for its output of this rank; None for most."""
    layout = getattr(layer, "data_format", None)
    if layout in ("channels_first", "channels_last"):
        return 1 if layout == "channels_first" else rank - 1
    if isinstance(layer, keras.layers.Dense):
        return rank - 1
    axis = getattr(layer, "axis", None)
    if isinstance(axis, list | tuple) and len(axis) == 1:
        axis = axis[0]
    if isinstance(axis, int) and "Normalization" in type(layer).__name__:
        return axis % rank
    return None


def _axis(operation: Any, result: tf.Tensor, known: Mapping[Any, int]) -> int | None:
    """Return where an operation's output has its channels, from where its inputs have theirs."""
    kind, inputs = operation.type, list(operation.inputs)
    if kind in _CHANNELS_MADE:
        return 1 if operation.get_attr("data_format").startswith(b"NC") else result.shape.rank - 1
    if kind in _CALLS:
        return None
    told = [(place, known[item.ref()], item) for place, item in enumerate(inputs) if item.ref() in known]
    if not told:
        return None
    place, axis, tensor = told[0]
    if kind == "Transpose":
        permutation = tf.get_static_value(inputs[1])
        return None if permutation is None else permutation.tolist().index(axis)
    if kind in ("Reshape", "ExpandDims", "Squeeze"):
        shapes = tensor.shape, result.shape
        whole = all(shape.is_fully_defined() for shape in shapes)
        return after_reshape(tensor.shape.as_list(), result.shape.as_list(), axis) if whole else None
    if kind == "Einsum":
        return after_product(operation.get_attr("equation").decode(), place, axis) if len(told) == 1 else None
    if kind in _PRODUCTS:
        return axis if len(told) == 1 and tensor.shape.rank == result.shape.rank else None
    return agreed(axis for _, axis, tensor in told if tensor.shape.rank == result.shape.rank)
