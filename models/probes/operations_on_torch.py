"""The operations that a PyTorch network computes, as they reach the processor, whatever compiled or called them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..queries import Computed
from .reach_on_torch import reachable_modules


def operations_of(net: torch.nn.Module, forward: Callable[[], Any]) -> tuple[Computed, ...]:
    """Return every operation that ``forward``, which calls the network, computes, in order."""
    with _called(net) as modules, _Watch(modules) as watch:
        forward()
    return tuple(watch.found)


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's own has no types
    def __init__(self, modules: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the same
        self.found: list[Computed] = []
        self._modules = modules

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        training = next((item for item in args if isinstance(item, bool)), False)
        self.found.append(
            Computed(
                name,
                self._modules[-1],
                random=torch.Tag.nondeterministic_seeded in func.tags,
                by_batch=("batch_norm" in name and training) or name.endswith("_dynamic"),
                bounded=name.startswith("hardtanh") and args[1:2] == (0,),
            )
        )
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
