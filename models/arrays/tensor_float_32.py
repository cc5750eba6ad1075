"""TensorFloat-32: whether a GPU may round the factors of float32 products to 10 bits, which is faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..importing import imported


class _Switch(NamedTuple):
    """An attribute that decides, and its values for yes and no."""

    owner: Any
    name: str
    yes: Any
    no: Any


def tensor_float_32(framework: str) -> bool:
    """Return whether a framework may use it, in convolutions or products of matrices."""
    if framework == "torch":
        return any(getattr(switch.owner, switch.name) == switch.yes for switch in _switches())
    return bool(imported("tensorflow").config.experimental.tensor_float_32_execution_enabled())


def set_tensor_float_32(framework: str, allowed: bool) -> None:
    """Allow or forbid it in this process; for a process of heatmark's own, not a library's."""
    if framework == "torch":
        for switch in _switches():
            setattr(switch.owner, switch.name, switch.yes if allowed else switch.no)
    else:
        imported("tensorflow").config.experimental.enable_tensor_float_32_execution(allowed)


@contextmanager
def without_tensor_float_32(framework: str) -> Iterator[None]:
    """Forbid it for a while, so that float32 means float32."""
    if framework == "torch":
        before = [(switch, getattr(switch.owner, switch.name)) for switch in _switches()]
        try:
            set_tensor_float_32(framework, False)
            yield
        finally:
            for switch, value in before:
                setattr(switch.owner, switch.name, value)
    else:
        allowed = tensor_float_32(framework)
        try:
            set_tensor_float_32(framework, False)
            yield
        finally:
            set_tensor_float_32(framework, allowed)


def _switches() -> list[_Switch]:
    """Return PyTorch's switches; the older ones cannot even be read once a user has set the newer."""
    backends = imported("torch").backends
    cudnn, matmul = backends.cudnn, backends.cuda.matmul
    if hasattr(cudnn, "conv") and hasattr(cudnn.conv, "fp32_precision"):
        return [_Switch(owner, "fp32_precision", "tf32", "ieee") for owner in (cudnn.conv, cudnn.rnn, matmul)]
    return [_Switch(owner, "allow_tf32", True, False) for owner in (cudnn, matmul)]
