"""The final layer of a PyTorch network, where it makes probabilities of logits: found, and left out for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from .outputs import Ending, EndingFunction

_FUNCTIONS: dict[type[nn.Module], EndingFunction] = {
    nn.Softmax: "softmax",
    nn.LogSoftmax: "log_softmax",
    nn.Sigmoid: "sigmoid",
    nn.LogSigmoid: "log_sigmoid",
}


def final_layer(net: nn.Module, scores: Callable[[], torch.Tensor]) -> Ending | None:
    """Return the module whose output is the network's, if it is one of those known and is called this once alone.

    Parameters
    ----------
    net
        The network.
    scores
        Calls it and returns its class scores, (m, classes): the very tensor that a module returned, where that is so.
    """
    seen: dict[str, list[torch.Tensor]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, arguments: Any, output: torch.Tensor) -> None:
            # Without its input among the positional arguments, it could not be left out.
            seen.setdefault(name, []).append(output if len(arguments) == 1 else torch.empty(0))

        return hook

    known = {name: module for name, module in net.named_modules() if _function(module) is not None}
    if not known:
        return None
    with ExitStack() as stack:
        for name, module in known.items():
            stack.enter_context(module.register_forward_hook(keep(name)))
        returned = scores()
    for name, outputs in seen.items():
        function = _function(known[name])
        if len(outputs) == 1 and outputs[0] is returned and function is not None and returned.ndim == 2:
            return Ending(name, function)
    return None


@contextmanager
def without_layer(net: nn.Module, name: str | None) -> Iterator[None]:
    """While active, let a module return its input; nothing happens where the name is None."""
    if name is None:
        yield
        return
    with net.get_submodule(name).register_forward_hook(lambda module, arguments, output: arguments[0]):
        yield


def _function(module: nn.Module) -> EndingFunction | None:
    """Return what a module computes, over the classes; None for other modules and for another axis."""
    function = _FUNCTIONS.get(type(module))
    return None if getattr(module, "dim", None) not in (None, 1, -1) else function
