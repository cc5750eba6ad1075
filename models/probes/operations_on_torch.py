"""The operations that a PyTorch network computes, as they reach the processor, whatever compiled or called them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .reach_on_torch import reachable_modules


@dataclass(frozen=True)
class Computed:
    """One operation that was computed."""

    name: str
    """PyTorch's own name for it, such as ``relu`` or ``native_batch_norm``."""
    module: str
    """The innermost module that was being called, ``""`` for the network itself."""
    random: bool
    """Whether it draws random numbers."""
    arguments: tuple[Any, ...] = ()
    """What was given besides tensors, tensors as None."""


def operations_of(net: torch.nn.Module, forward: Callable[[], Any]) -> tuple[Computed, ...]:
    """Return every operation that ``forward``, which calls the network, computes, in order."""
    with _called(net) as modules, _Watch(modules) as watch:
        forward()
    return tuple(watch.found)


class _Watch(TorchDispatchMode):
    def __init__(self, modules: Sequence[str]) -> None:
        super().__init__()
        self.found: list[Computed] = []
        self._modules = modules

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = tuple(None if isinstance(item, torch.Tensor) else item for item in args)
        name = func.overloadpacket.__name__
        random = torch.Tag.nondeterministic_seeded in func.tags
        self.found.append(Computed(name, self._modules[-1], random, given))
        return func(*args, **(kwargs or {}))


@contextmanager
def _called(net: torch.nn.Module) -> Iterator[list[str]]:
    """Yield the names of the modules that are being called at any time, the innermost last."""
    stack = [""]

    def enter(name: str) -> Callable[..., None]:
        return lambda module, arguments: stack.append(name)

    def leave(module: torch.nn.Module, arguments: Any, output: Any) -> None:
        stack.pop()

    with ExitStack() as hooks:
        for name, module in reachable_modules(net):
            if name:
                hooks.enter_context(module.register_forward_pre_hook(enter(name)))
                hooks.enter_context(module.register_forward_hook(leave, always_call=True))
        yield stack
