"""The small array namespace that methods and metrics are written on, for both frameworks.

Names and meaning follow the array API standard where it has the function. Tensors stay on the model's device. Python
operators (``+ - * / < >= & |``), slicing and ``.shape`` work on both frameworks' tensors as they are; everything else
goes through an object of this class. All floating-point results are float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

Tensor = Any
Axes = int | Sequence[int] | None


class TensorOperations(ABC):
    """Array functions on one framework's tensors, on one device."""

    library: Any
    """The framework's module, for functions that both call alike."""
    on_cpu: bool
    """Whether that is a processor rather than an accelerator."""

    # Creation and conversion

    def from_numpy(self, array: np.ndarray) -> Tensor:
        """Return a copy on the device: floats as float32, integers as int64, booleans as they are."""
        kinds = {"f": np.float32, "i": np.int64, "u": np.int64}
        return self._made(array.astype(kinds.get(array.dtype.kind, array.dtype), copy=False))

    @abstractmethod
    def _made(self, array: np.ndarray) -> Tensor: ...

    @abstractmethod
    def to_numpy(self, tensor: Tensor) -> np.ndarray:
        """Return a NumPy array that shares nothing with the tensor."""

    @abstractmethod
    def zeros(self, shape: Sequence[int]) -> Tensor:
        """Return float32 zeros."""

    @abstractmethod
    def to_float(self, tensor: Tensor) -> Tensor:
        """Return the tensor as float32."""

    # Elementwise

    def abs(self, tensor: Tensor) -> Tensor:
        """Return absolute values."""
        return self.library.abs(tensor)

    def exp(self, tensor: Tensor) -> Tensor:
        """Return e to the power of each element."""
        return self.library.exp(tensor)

    @abstractmethod
    def log(self, tensor: Tensor) -> Tensor:
        """Return natural logarithms."""

    def where(self, condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
        """Return ``yes`` where the condition holds and ``no`` elsewhere; scalars broadcast."""
        return self.library.where(condition, yes, no)

    @abstractmethod
    def maximum(self, first: Tensor, second: Tensor | float) -> Tensor:
        """Return the elementwise larger value."""

    @abstractmethod
    def multiply_add(self, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        """Return ``first + second * third``, three tensors of one shape.

        ``third`` may be overwritten: only the result is to be used afterwards.
        """

    @abstractmethod
    def blend(self, mask: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
        """Return ``mask * inside + (1 - mask) * outside``, exactly the one or the other where the mask is 1 or 0."""

    @abstractmethod
    def is_finite(self, tensor: Tensor) -> Tensor:
        """Return True where a value is neither NaN nor infinite."""

    # Reductions

    @abstractmethod
    def _reduced(self, name: str, tensor: Tensor, axis: Axes, keepdims: bool) -> Tensor: ...

    def sum(self, tensor: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the sum over the axes."""
        return self._reduced("sum", tensor, axis, keepdims)

    def mean(self, tensor: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the mean over the axes."""
        return self._reduced("mean", tensor, axis, keepdims)

    def max(self, tensor: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the maximum over the axes."""
        return self._reduced("max", tensor, axis, keepdims)

    def min(self, tensor: Tensor, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Return the minimum over the axes."""
        return self._reduced("min", tensor, axis, keepdims)

    @abstractmethod
    def log_sum_exp(self, tensor: Tensor, axis: int) -> Tensor:
        """Return log(sum(exp)) over one axis, stably."""

    # Shape and selection

    def reshape(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Return the same elements in another shape."""
        return self.library.reshape(tensor, tuple(shape))

    @abstractmethod
    def transpose(self, tensor: Tensor, axes: Sequence[int]) -> Tensor:
        """Return the tensor with its axes permuted."""

    @abstractmethod
    def flip(self, tensor: Tensor, axis: int) -> Tensor:
        """Return the tensor in reverse along an axis."""

    def concat(self, tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
        """Join tensors along an axis."""
        return self.library.concat(list(tensors), axis)

    @abstractmethod
    def on_device(self) -> AbstractContextManager[Any]:
        """Return a context in which everything is computed on this namespace's device, also where another is faster."""

    @abstractmethod
    def copied(self, tensor: Tensor) -> Tensor:
        """Return a copy that shares no memory."""

    @abstractmethod
    def equal(self, first: Tensor, second: Tensor) -> bool:
        """Return whether two tensors have the same shape and values."""

    @abstractmethod
    def same_chances(self) -> AbstractContextManager[Any]:
        """Return a context after which the framework's random states are what they were."""

    @abstractmethod
    def release_memory(self) -> None:
        """Give freed memory that the framework has kept back to the device; TensorFlow never does."""

    @abstractmethod
    def collect(self, parts: Iterable[tuple[Tensor, ...]], rows: int) -> tuple[Tensor, ...]:
        """Join what comes chunk by chunk along axis 0, ``rows`` in all: one tensor for each place of the tuples.

        For many chunks: no part outlives its turn where the framework allows that, for small parts among the large
        activations of later chunks would break up the heap.
        """

    @abstractmethod
    def take(self, tensor: Tensor, indices: np.ndarray | Tensor) -> Tensor:
        """Return rows (axis 0) by index."""

    @abstractmethod
    def take_class(self, scores: Tensor, classes: Tensor) -> Tensor:
        """Return ``scores[i, classes[i]]``, shape (n, ...) for scores (n, classes, ...)."""

    @abstractmethod
    def take_along_rows(self, values: Tensor, indices: Tensor) -> Tensor:
        """Return ``values[i, indices[i, j]]`` for (n, k) values and int64 (n, m) indices, shape (n, m)."""

    @abstractmethod
    def rank_descending(self, values: Tensor) -> Tensor:
        """Return each element's rank within its row: 0 for the largest; equal values in order of position.

        ``values`` is (n, positions), the result int of the same shape.
        """

    @abstractmethod
    def add_at_rows(self, total: Tensor, rows: np.ndarray, values: Tensor) -> Tensor:
        """Return ``total`` with ``values[i]`` added to row ``rows[i]``; the same row may occur more than once.

        ``total`` may be overwritten: only the result is to be used afterwards.
        """

    def einsum(self, equation: str, *tensors: Tensor) -> Tensor:
        """Return the Einstein sum."""
        return self.library.einsum(equation, *tensors)

    # Pictures and series: spatial axes and the channel axis are the model's

    @abstractmethod
    def resize(self, maps: Tensor, spatial: Sequence[int]) -> Tensor:
        """Resize (n, *spatial) maps to another spatial shape, linearly, half-pixel centres, no antialiasing."""

    @abstractmethod
    def convolve(self, maps: Tensor, kernel: np.ndarray) -> Tensor:
        """Correlate (n, *spatial) maps with one kernel of odd sizes, zeros beyond the border."""

    # Stacks, (1, height, width, pictures): one picture with many channels, which is how neighbours are summed fastest

    @abstractmethod
    def stack_kernel(self, kernel: np.ndarray, stack: Tensor) -> Tensor:
        """Return a kernel (rows, columns) as `correlate_stack` takes it for stacks of as many pictures."""

    @abstractmethod
    def correlate_stack(self, stack: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
        """Correlate each picture of a stack with one kernel of `stack_kernel`, zeros beyond the border.

        The kernel's sides are odd for stride 1; for stride 2 they are 4, or 1 where the picture's side is 1, and the
        result has half as many positions a side, rounded up: number i reads positions 2 i - 1 to 2 i + 2.
        """

    @abstractmethod
    def enlarge_stack(self, stack: Tensor, spatial: Sequence[int]) -> Tensor:
        """Double the sides of a stack's pictures linearly (half-pixel centres), and cut them to ``spatial``.

        A side that is to stay 1 is not doubled.
        """

    @abstractmethod
    def inverse(self, matrices: Tensor) -> Tensor:
        """Return the inverses of (..., n, n) matrices."""

    @abstractmethod
    def compiled(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """Return ``function(operations, *tensors)``, as one graph in a framework that is slow without.

        The graph is kept for the function and the shapes behind the first axis; the first axis stays open, so inside
        the function its length may be unknown (use -1 where a shape needs it).
        """
