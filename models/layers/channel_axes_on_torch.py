"""Following the channel axis through a PyTorch network, whether it is written with modules or functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from .channel_axes import after_product, after_reshape, agreed

_ON_AXIS_1 = frozenset(
    {f"conv{prefix}{axes}d" for prefix in ("", "_transpose") for axes in (1, 2, 3)}
    | {"batch_norm", "instance_norm", "group_norm"}
)
"""Functions whose channels stand on axis 1, whatever they are given."""
_ON_LAST_AXIS = frozenset({"linear", "layer_norm", "rms_norm"})
"""Functions that work on the last axis: that of the channels, where nothing else is known."""
_RESHAPES = frozenset(
    {"reshape", "reshape_as", "view", "view_as", "flatten", "unflatten", "squeeze", "unsqueeze", "contiguous"}
)
_PRODUCTS = frozenset({"matmul", "__matmul__", "__rmatmul__", "bmm", "mm", "baddbmm", "addmm", "tensordot"})


class ChannelAxes(TorchFunctionMode):
    """While active, knows where the channels of every tensor stand that is computed from ``x``.

    Parameters
    ----------
    x
        The input, a batch.
    axis
        Where its channels stand, counted from 0; None where it has none.
    """

    def __init__(self, x: torch.Tensor, axis: int | None) -> None:
        super().__init__()
        self._known: Any = WeakTensorKeyDictionary()
        if axis is not None:
            self._known[x] = axis

    def axis_of(self, tensor: torch.Tensor) -> int | None:
        """Return where a tensor's channels stand, counted from 0, or None where that is not known."""
        axis: int | None = self._known.get(tensor)
        return axis

    def __torch_function__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [
            (item, self.axis_of(item), tuple(item.shape), item.stride() if item.layout == torch.strided else ())
            for item in _tensors((args, kwargs))
        ]
        result = function(*args, **kwargs)
        for tensor in _tensors(result):
            axis = self._axis(getattr(function, "__name__", ""), tensor, given, args, kwargs)
            if axis is None:
                self._known.pop(tensor, None)
            else:
                self._known[tensor] = axis
        return result

    def _axis(
        self,
        name: str,
        result: torch.Tensor,
        given: Sequence[tuple[torch.Tensor, int | None, tuple[int, ...], tuple[int, ...]]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> int | None:
        if name in _ON_AXIS_1:
            return 1
        known = [item for item in given if item[1] is not None]
        if name in _ON_LAST_AXIS:
            told = [axis for tensor, axis, shape, _ in given[:1] if axis is not None and len(shape) == result.ndim]
            several = name != "linear" and len(args[1] if len(args) > 1 else kwargs["normalized_shape"]) > 1
            return told[0] if told else None if several else result.ndim - 1
        if name == "einsum" and args and isinstance(args[0], str):
            places = [place for place, item in enumerate(given) if item[1] is not None]
            return after_product(args[0], places[0], given[places[0]][1] or 0) if len(places) == 1 else None
        if name in _PRODUCTS:
            return known[0][1] if len(known) == 1 and len(known[0][2]) == result.ndim else None
        views = [item for item in known if item[0] is result or _shares_memory(item[0], result)]
        if views:
            _, axis, shape, strides = views[0]
            return _in_view(result, shape, strides, axis or 0)
        if name in _RESHAPES and known:
            return after_reshape(known[0][2], tuple(result.shape), known[0][1] or 0)
        return agreed(axis for _, axis, shape, _ in known if len(shape) == result.ndim)


def _in_view(result: torch.Tensor, shape: tuple[int, ...], strides: tuple[int, ...], axis: int) -> int | None:
    """Return where an axis stands in a view of the same memory: where the steps are as long.

    A view of as many axes may have cut some channels off; one of more or fewer axes must have all of them.
    """
    if tuple(result.shape) == shape and result.stride() == strides:
        return axis
    whole = result.ndim != len(shape)
    places = [
        place
        for place, (size, stride) in enumerate(zip(result.shape, result.stride(), strict=True))
        if stride == strides[axis] and 1 < size <= shape[axis] and (size == shape[axis] or not whole)
    ]
    return places[0] if len(places) == 1 else None


def _shares_memory(first: torch.Tensor, second: torch.Tensor) -> bool:
    try:
        return first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):  # tensors without memory of their own, such as sparse ones
        return False


def _tensors(value: Any) -> list[torch.Tensor]:
    """Return the tensors among (nested) arguments or results, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for item in value for tensor in _tensors(item)] if isinstance(value, tuple | list) else []
