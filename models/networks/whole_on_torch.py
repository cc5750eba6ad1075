"""A PyTorch network with its preprocessing as one module, for libraries that want just a module.

Other attribution libraries hook, switch, differentiate and replace modules as they like. `whole` hands them the
user's own network (no copy) inside a module that counts passes, and undoes all of it afterwards, whatever happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from ..base import Model
from ..probes.at_rest import at_rest, attributes_kept
from ..probes.reach_on_torch import reachable_modules
from ..probes.rectifiers_on_torch import rectifier_calls
from ..queries import PassCount


class WholeNetwork(torch.nn.Module):
    """From raw inputs to logits: the preprocessing, then the network.

    Parameters
    ----------
    model
        The model; rows that go forward and backward through the module are added to its passes.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.net = model.net
        self._model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (m, classes) for raw inputs (m, *input_shape)."""
        model = self._model
        rows = len(x)
        model.add_passes(PassCount(forward=rows))
        logits: torch.Tensor = model.logits(x)
        if logits.requires_grad:
            watched: Any = logits
            watched.register_hook(lambda gradient: model.add_passes(PassCount(backward=rows)))
        return logits

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Do nothing: the gradients that the user's parameters hold are not this module's to drop."""


def rectifiers_out_of_sight(model: Model) -> int:
    """Return how many ReLUs and ReLU6 the network computes other than by a ``torch.nn.ReLU`` module."""
    calls: list[None] = []
    with at_rest(model.net), ExitStack() as stack:
        for _, module in reachable_modules(model.net):
            if isinstance(module, torch.nn.ReLU):
                stack.enter_context(module.register_forward_hook(lambda *ignored: calls.append(None)))
        return rectifier_calls(lambda: model.logits(model.blank())) - len(calls)


@contextmanager
def whole(model: Model) -> Iterator[WholeNetwork]:
    """Yield the network with its preprocessing, in evaluation mode with frozen parameters.

    On leaving, modules, hooks, attributes and modes are as before, also where a library raised in the middle.
    """
    with at_rest(model.net), attributes_kept(model.net):
        yield WholeNetwork(model).eval()
