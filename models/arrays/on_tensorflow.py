"""The array namespace on TensorFlow tensors.

Plain TensorFlow functions rather than ``tensorflow.experimental.numpy``: without that module's process-wide switches,
a Python number turns float32 tensors into float64 there, and heatmark changes no global state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from .operations import Axes, Tensor, TensorOperations
from .tensor_float_32 import without_tensor_float_32


class TensorFlowOperations(TensorOperations):
    """See `TensorOperations`; ``device`` is where new tensors are made."""

    library = tf

    def __init__(self, device: str) -> None:
        self.device = device
        self.on_cpu = "CPU" in device.upper()
        self._graphs: dict[tuple[Any, ...], Callable[..., Tensor]] = {}

    def _made(self, array: np.ndarray) -> Tensor:
        with tf.device(self.device):
            return tf.constant(array)

    def to_numpy(self, tensor: Tensor) -> np.ndarray:
        return np.array(tensor.numpy())

    def zeros(self, shape: Sequence[int]) -> Tensor:
        with tf.device(self.device):
            return tf.zeros(tuple(shape), tf.float32)

    def to_float(self, tensor: Tensor) -> Tensor:
        return tf.cast(tensor, tf.float32)

    def log(self, tensor: Tensor) -> Tensor:
        return tf.math.log(tensor)

    def maximum(self, first: Tensor, second: Tensor | float) -> Tensor:
        return tf.maximum(first, second)

    def multiply_add(self, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        return first + second * third

    def blend(self, mask: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
        return inside * mask + outside * (1.0 - mask)

    def is_finite(self, tensor: Tensor) -> Tensor:
        return tf.math.is_finite(tensor)

    def _reduced(self, name: str, tensor: Tensor, axis: Axes, keepdims: bool) -> Tensor:
        return getattr(tf, f"reduce_{name}")(tensor, axis=axis, keepdims=keepdims)

    def log_sum_exp(self, tensor: Tensor, axis: int) -> Tensor:
        return tf.reduce_logsumexp(tensor, axis=axis)

    def transpose(self, tensor: Tensor, axes: Sequence[int]) -> Tensor:
        return tf.transpose(tensor, tuple(axes))

    def flip(self, tensor: Tensor, axis: int) -> Tensor:
        return tf.reverse(tensor, [axis])

    def on_device(self) -> AbstractContextManager[Any]:
        """See `TensorOperations.on_device`; TensorFlow takes the first GPU unless it is told otherwise."""
        context: AbstractContextManager[Any] = tf.device(self.device)
        return context

    def copied(self, tensor: Tensor) -> Tensor:
        return tf.raw_ops.DeepCopy(x=tensor)

    def equal(self, first: Tensor, second: Tensor) -> bool:
        return first.shape == second.shape and bool(tf.reduce_all(first == second))

    def same_chances(self) -> AbstractContextManager[Any]:
        """See `TensorOperations.same_chances`; what draws in TensorFlow keeps its own state."""
        return nullcontext()

    def release_memory(self) -> None:
        """See `TensorOperations.release_memory`."""

    def collect(self, parts: Iterable[tuple[Tensor, ...]], rows: int) -> tuple[Tensor, ...]:
        return tuple(tf.concat(list(of_place), axis=0) for of_place in zip(*parts, strict=True))

    def take(self, tensor: Tensor, indices: np.ndarray | Tensor) -> Tensor:
        return tf.gather(tensor, indices)

    def take_class(self, scores: Tensor, classes: Tensor) -> Tensor:
        return tf.gather(scores, classes, axis=1, batch_dims=1)

    def take_along_rows(self, values: Tensor, indices: Tensor) -> Tensor:
        return tf.gather(values, indices, axis=1, batch_dims=1)

    def rank_descending(self, values: Tensor) -> Tensor:
        # A stable ascending sort of the negated values; the descending one is not stable in every version.
        order = tf.argsort(-values, axis=1, stable=True)
        # All rows at once as one permutation, whose inverse is found without sorting again.
        rows, length = tf.unstack(tf.shape(order))
        starts = tf.range(rows)[:, None] * length
        ranks = tf.math.invert_permutation(tf.reshape(order + starts, (-1,)))
        return tf.cast(tf.reshape(ranks, (rows, length)) - starts, tf.int64)

    def add_at_rows(self, total: Tensor, rows: np.ndarray, values: Tensor) -> Tensor:
        return tf.tensor_scatter_nd_add(total, np.asarray(rows)[:, None], tf.cast(values, total.dtype))

    def resize(self, maps: Tensor, spatial: Sequence[int]) -> Tensor:
        if maps.shape.rank == 4:  # TensorFlow resizes two axes at a time
            first, *rest = spatial
            _, depth, height, width = maps.shape
            flat = self.resize(tf.reshape(maps, (-1, height, width)), rest)
            deep = self.resize(tf.reshape(flat, (-1, depth, math.prod(rest))), (first, math.prod(rest)))
            return tf.reshape(deep, (-1, first, *rest))
        if maps.shape.rank == 3:
            return tf.image.resize(maps[..., None], tuple(spatial), method="bilinear")[..., 0]
        return tf.image.resize(maps[:, :, None, None], (spatial[0], 1), method="bilinear")[:, :, 0, 0]

    def convolve(self, maps: Tensor, kernel: np.ndarray) -> Tensor:
        weight = tf.constant(kernel.astype(np.float32))[..., None, None]
        if kernel.ndim == 3:
            return tf.nn.conv3d(maps[..., None], weight, (1,) * 5, "SAME")[..., 0]
        function = tf.nn.conv2d if kernel.ndim == 2 else tf.nn.conv1d
        return function(maps[..., None], weight, 1, "SAME")[..., 0]

    def stack_kernel(self, kernel: np.ndarray, stack: Tensor) -> Tensor:
        return tf.tile(tf.constant(kernel, tf.float32)[:, :, None, None], (1, 1, tf.shape(stack)[3], 1))

    def correlate_stack(self, stack: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
        return tf.nn.depthwise_conv2d(stack, kernel, (1, stride, stride, 1), "SAME")

    def enlarge_stack(self, stack: Tensor, spatial: Sequence[int]) -> Tensor:
        size = [1 if side == 1 else 2 * size for size, side in zip(stack.shape[1:3], spatial, strict=True)]
        doubled = tf.image.resize(stack, size, method="bilinear")
        return doubled if size == list(spatial) else doubled[:, : spatial[0], : spatial[1]]

    def inverse(self, matrices: Tensor) -> Tensor:
        return tf.linalg.inv(matrices)

    def compiled(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        key = (function, *((tuple(tensor.shape[1:]), tensor.dtype) for tensor in tensors))
        if key not in self._graphs:
            signature = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in tensors]
            self._graphs[key] = tf.function(partial(function, self), input_signature=signature, autograph=False)
        # On a GPU products would be rounded to TensorFloat-32 by default.
        exact = without_tensor_float_32("tensorflow") if not self.on_cpu else nullcontext()
        with self.on_device(), exact:
            return self._graphs[key](*tensors)
