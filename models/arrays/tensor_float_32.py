"""TensorFloat-32: whether a GPU may round the factors of float32 products to 10 bits, which is faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from ..importing import imported


class _Switch(NamedTuple):
    """What decides: how it is read and written, and its values for yes and no."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    yes: Any
    no: Any


def tensor_float_32(framework: str) -> bool:
    """Return whether a framework may use it, in convolutions or products of matrices."""
    return any(switch.read() == switch.yes for switch in _switches(framework))


def set_tensor_float_32(framework: str, allowed: bool) -> None:
    """Allow or forbid it in this process; for a process of heatmark's own, not a library's."""
    for switch in _switches(framework):
        switch.write(switch.yes if allowed else switch.no)


@contextmanager
def without_tensor_float_32(framework: str) -> Iterator[None]:
    """Forbid it for a while, so that float32 means float32."""
    before = [(switch, switch.read()) for switch in _switches(framework)]
    try:
        set_tensor_float_32(framework, False)
        yield
    finally:
        for switch, value in before:
            switch.write(value)


def _switches(framework: str) -> list[_Switch]:
    """Return a framework's switches; PyTorch's older ones cannot even be read once a user has set the newer."""
    if framework == "tensorflow":
        config = imported("tensorflow").config.experimental
        enabled, enable = config.tensor_float_32_execution_enabled, config.enable_tensor_float_32_execution
        return [_Switch(enabled, enable, True, False)]
    backends = imported("torch").backends
    cudnn, matmul = backends.cudnn, backends.cuda.matmul
    if hasattr(cudnn, "conv") and hasattr(cudnn.conv, "fp32_precision"):
        return [_attribute(owner, "fp32_precision", "tf32", "ieee") for owner in (cudnn.conv, cudnn.rnn, matmul)]
    return [_attribute(owner, "allow_tf32", True, False) for owner in (cudnn, matmul)]


def _attribute(owner: Any, name: str, yes: Any, no: Any) -> _Switch:
    return _Switch(partial(getattr, owner, name), partial(setattr, owner, name), yes, no)
