"""Modified backward passes through ReLUs in PyTorch, whether they are modules or functions.

A ``TorchFunctionMode`` sees every call of a rectifier while it is active, so neither the network's modules nor any
hook is touched, and in-place, functional and shared ReLUs are all covered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..queries import BackwardRule, Computed, Rectifiers
from .operations_on_torch import operations_of
from .reach_on_torch import scripted_parts, why_out_of_reach


class _GuidedRectifier(torch.autograd.Function):
    """min(max(x, 0), top) whose backward pass lets only positive gradients through active units."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, top: float) -> torch.Tensor:
        y = x.clamp(min=0.0, max=top)
        context.save_for_backward((x > 0) & (x < top))
        return y

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (active,) = context.saved_tensors
        return gradients[0].clamp(min=0.0) * active, None


class _DeconvnetRectifier(torch.autograd.Function):
    """min(max(x, 0), top) whose backward pass rectifies the gradient itself."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, top: float) -> torch.Tensor:
        return x.clamp(min=0.0, max=top)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0].clamp(min=0.0), None


_PLAIN: tuple[Callable[..., Any], ...] = (
    functional.relu, functional.relu_, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_,
)  # fmt: skip
_SIX: tuple[Callable[..., Any], ...] = (functional.relu6,)
_BETWEEN: tuple[Callable[..., Any], ...] = (functional.hardtanh, functional.hardtanh_)


class RectifierRule(TorchFunctionMode):
    """While active, ReLU and ReLU6 follow the rule in the backward pass."""

    def __init__(self, rule: BackwardRule) -> None:
        super().__init__()
        rectifier = _GuidedRectifier if rule == "guided" else _DeconvnetRectifier
        self._rectify: Callable[[torch.Tensor, float], torch.Tensor] = rectifier.apply

    def __torch_function__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in _PLAIN:
            return self._rectify(args[0] if args else kwargs["input"], float("inf"))
        if function in _SIX:
            return self._rectify(args[0] if args else kwargs["input"], 6.0)
        if function in _BETWEEN:
            low = args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)
            high = args[2] if len(args) > 2 else kwargs.get("max_val", 1.0)
            if low == 0.0:  # nn.ReLU6 is a hardtanh from 0 to 6
                return self._rectify(args[0] if args else kwargs["input"], float(high))
        return function(*args, **kwargs)


def rectifiers(net: torch.nn.Module, forward: Callable[[], Any]) -> Rectifiers:
    """Return how many ReLUs and ReLU6 the network computes while ``forward`` calls it, and what a rule reaches.

    Those that a rule reaches are called from Python. All that are computed, in TorchScript and inside PyTorch's own
    operations too, are counted where they reach the processor; what a compiler fused there, in its code.
    """
    watch = _Watch()
    with watch:
        computed = operations_of(net, forward)
    there = sum(_is_rectifier(item) for item in computed)
    missed = max(0, there - watch.calls)
    if not missed:
        missed = sum(_in_script(module) for module in scripted_parts(net).values())
    where = why_out_of_reach(net) or (
        "they are computed inside an operation of PyTorch's own; write them as torch.nn.ReLU or torch.relu"
    )
    return Rectifiers(watch.calls, missed, where if missed else "")


def rectifier_calls(forward: Callable[[], Any]) -> int:
    """Return how often ``forward`` calls ReLU or ReLU6, by modules and functions alike."""
    watch = _Watch()
    with torch.no_grad(), watch:
        forward()
    return watch.calls


def _is_rectifier(operation: Computed) -> bool:
    return operation.bounded or operation.name.removesuffix("_") in ("relu", "relu6")


def _in_script(module: Any) -> int:
    """Return how many ReLUs stand in a compiled module's code."""
    return len(re.findall(r"aten::relu6?_?\(", str(module.inlined_graph)))


class _Watch(TorchFunctionMode):
    """Counts the calls of rectifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        between = function in _BETWEEN and (args[1] if len(args) > 1 else (kwargs or {}).get("min_val", -1.0)) == 0.0
        self.calls += function in _PLAIN or function in _SIX or between
        return function(*args, **(kwargs or {}))
