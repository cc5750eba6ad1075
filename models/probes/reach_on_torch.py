"""What hooks and modes reach of a PyTorch network: not what TorchScript compiled, and what torch.compile did only
where its code is set aside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch


def inner_network(net: torch.nn.Module) -> torch.nn.Module:
    """Return the network that wrappers which only say how it runs (DataParallel, torch.compile) hold."""
    while True:
        if isinstance(net, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            net = net.module
        elif type(net).__name__ == "OptimizedModule" and isinstance(getattr(net, "_orig_mod", None), torch.nn.Module):
            net = net._orig_mod  # type: ignore[assignment]  # torch.compile's own name for what it was given
        else:
            return net


def uncompiled() -> AbstractContextManager[object]:
    """Return a context in which what torch.compile compiled runs as it was written, so that hooks and modes see it."""
    # Nothing can have been compiled before this module is imported, which takes seconds.
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def scripted_parts(net: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Return the outermost modules that TorchScript compiled, by name; the network itself has the name ``""``."""
    found: dict[str, torch.nn.Module] = {}
    for name, module in net.named_modules():
        if isinstance(module, torch.jit.ScriptModule) and not any(_inside(name, outer) for outer in found):
            found[name] = module
    return found


def reachable_modules(net: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield the modules, with their names, that take hooks: none that is or lies in what TorchScript compiled."""
    scripted = scripted_parts(net)
    for name, module in net.named_modules():
        if not any(_inside(name, outer) for outer in scripted):
            yield name, module


def why_out_of_reach(net: torch.nn.Module) -> str:
    """Return what TorchScript compiled of a network, with the remedy; empty where there is nothing."""
    scripted = scripted_parts(net)
    if not scripted:
        return ""
    parts = ", ".join(repr(name) for name in scripted if name)
    what = f"the part {parts} of it" if parts else "it"
    return f"{what} is compiled by TorchScript, whose inside is out of reach: give the network as it was before"


def _inside(name: str, outer: str) -> bool:
    return not outer or name == outer or name.startswith(f"{outer}.")
