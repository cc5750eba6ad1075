"""The array namespace on PyTorch tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from torch.nn import functional

from .operations import Axes, Tensor, TensorOperations
from .tensor_float_32 import without_tensor_float_32


class TorchOperations(TensorOperations):
    """See `TensorOperations`; ``device`` is where new tensors are made."""

    library = torch

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.on_cpu = device.type == "cpu"

    def _made(self, array: np.ndarray) -> Tensor:
        # PyTorch takes no negative strides, such as those of x[::-1].
        with torch.inference_mode(False):  # a user's, in which gradients could not be taken at it
            return torch.tensor(np.ascontiguousarray(array), device=self.device)

    def to_numpy(self, tensor: Tensor) -> np.ndarray:
        return np.array(tensor.detach().cpu().numpy())

    def zeros(self, shape: Sequence[int]) -> Tensor:
        return xp.zeros(tuple(shape), dtype=xp.float32, device=self.device)

    def to_float(self, tensor: Tensor) -> Tensor:
        return xp.astype(tensor, xp.float32, copy=False)

    def log(self, tensor: Tensor) -> Tensor:
        return torch.log(tensor)

    def maximum(self, first: Tensor, second: Tensor | float) -> Tensor:
        return torch.clamp(first, min=second)

    def multiply_add(self, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        return torch.addcmul(first, second, third, out=third)

    def blend(self, mask: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
        return torch.lerp(outside, inside, mask)

    def is_finite(self, tensor: Tensor) -> Tensor:
        return xp.isfinite(tensor)

    def _reduced(self, name: str, tensor: Tensor, axis: Axes, keepdims: bool) -> Tensor:
        axes = axis if axis is None or isinstance(axis, int) else tuple(axis)
        return getattr(xp, name)(tensor, axis=axes, keepdims=keepdims)

    def log_sum_exp(self, tensor: Tensor, axis: int) -> Tensor:
        return torch.logsumexp(tensor, dim=axis)

    def transpose(self, tensor: Tensor, axes: Sequence[int]) -> Tensor:
        return xp.permute_dims(tensor, tuple(axes))

    def flip(self, tensor: Tensor, axis: int) -> Tensor:
        return tensor.flip(axis)

    def on_device(self) -> AbstractContextManager[Any]:
        """See `TensorOperations.on_device`; PyTorch computes where tensors are. A user's inference mode ends."""
        return torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext()

    def copied(self, tensor: Tensor) -> Tensor:
        return tensor.clone()

    def equal(self, first: Tensor, second: Tensor) -> bool:
        return torch.equal(first, second)

    def same_chances(self) -> AbstractContextManager[Any]:
        device = torch.device(self.device)
        return torch.random.fork_rng([device] if device.type == "cuda" else [])

    def release_memory(self) -> None:
        if torch.device(self.device).type == "cuda":
            torch.cuda.empty_cache()

    def collect(self, parts: Iterable[tuple[Tensor, ...]], rows: int) -> tuple[Tensor, ...]:
        whole: tuple[Tensor, ...] = ()
        first = 0
        for part in parts:
            if not whole:
                whole = tuple(tensor.new_empty((rows, *tensor.shape[1:])) for tensor in part)
            last = first + len(part[0])
            for to, tensor in zip(whole, part, strict=True):
                to[first:last] = tensor
            first = last
        if first != rows:
            raise ValueError(f"The chunks have {first} rows together, not {rows}.")
        return whole

    def take(self, tensor: Tensor, indices: np.ndarray | Tensor) -> Tensor:
        return torch.index_select(tensor, 0, self._rows(indices))

    def take_class(self, scores: Tensor, classes: Tensor) -> Tensor:
        rows = torch.arange(len(classes), device=scores.device)
        return scores[rows, classes]

    def take_along_rows(self, values: Tensor, indices: Tensor) -> Tensor:
        return torch.gather(values, 1, indices)

    def rank_descending(self, values: Tensor) -> Tensor:
        order = torch.argsort(values, dim=1, descending=True, stable=True)
        positions = torch.arange(values.shape[1], device=values.device).expand_as(order)
        return torch.empty_like(order).scatter_(1, order, positions)

    def add_at_rows(self, total: Tensor, rows: np.ndarray, values: Tensor) -> Tensor:
        return total.index_add_(0, self._rows(rows), values.to(total.dtype))

    def resize(self, maps: Tensor, spatial: Sequence[int]) -> Tensor:
        mode = ("linear", "bilinear", "trilinear")[maps.ndim - 2]
        return functional.interpolate(maps[:, None], size=tuple(spatial), mode=mode, align_corners=False)[:, 0]

    def convolve(self, maps: Tensor, kernel: np.ndarray) -> Tensor:
        weight = self.from_numpy(kernel.astype(np.float32))[None, None]
        function = (functional.conv1d, functional.conv2d, functional.conv3d)[kernel.ndim - 1]
        with _full_precision(maps):
            return function(maps[:, None], weight, padding=tuple(size // 2 for size in kernel.shape))[:, 0]

    def stack_kernel(self, kernel: np.ndarray, stack: Tensor) -> Tensor:
        return self.from_numpy(kernel).expand(stack.shape[3], 1, *kernel.shape).contiguous()

    def correlate_stack(self, stack: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
        _, *spatial, pictures = stack.shape
        padding = [(size - 1) // 2 for size in kernel.shape[2:]]
        if stride == 2:
            rows, columns = (size % 2 if size > 1 else 0 for size in spatial)
            if rows or columns:
                # Behind an odd side's end one position more is read than PyTorch pads.
                stack = functional.pad(stack, (0, 0, 0, columns, 0, rows))
        with _full_precision(stack):
            # The channels-last memory format is how the stack lies in memory already.
            sums = functional.conv2d(stack.permute(0, 3, 1, 2), kernel, None, stride, padding, groups=pictures)
        return sums.permute(0, 2, 3, 1)

    def enlarge_stack(self, stack: Tensor, spatial: Sequence[int]) -> Tensor:
        size = [1 if side == 1 else 2 * size for size, side in zip(stack.shape[1:3], spatial, strict=True)]
        doubled = functional.interpolate(stack.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False)
        return doubled.permute(0, 2, 3, 1)[:, : spatial[0], : spatial[1]]

    def inverse(self, matrices: Tensor) -> Tensor:
        # Without the check for singular ones, for which a GPU would have to be waited for.
        inverses: torch.Tensor = torch.linalg.inv_ex(matrices).inverse
        return inverses

    def compiled(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """See `TensorOperations.compiled`; PyTorch needs no graph."""
        with torch.no_grad():
            return function(self, *tensors)

    def _rows(self, indices: np.ndarray | Tensor) -> torch.Tensor:
        if isinstance(indices, np.ndarray):
            return torch.as_tensor(indices, dtype=torch.int64, device=self.device)
        rows: torch.Tensor = indices
        return rows


def _full_precision(tensor: torch.Tensor) -> AbstractContextManager[None]:
    """Keep cuDNN from rounding to TensorFloat-32 for a while, on a GPU; elsewhere nothing needs keeping."""
    return without_tensor_float_32("torch") if tensor.is_cuda else nullcontext()
