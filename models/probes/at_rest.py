"""A PyTorch network at rest: in evaluation mode with frozen parameters and uncompiled, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .reach_on_torch import uncompiled


@contextmanager
def at_rest(net: torch.nn.Module) -> Iterator[None]:
    """Put the network into evaluation mode with frozen parameters, and restore both on leaving.

    What torch.compile compiled of it runs as it was written meanwhile.
    """
    training = [module for module in net.modules() if module.training]
    live = [parameter for parameter in net.parameters() if parameter.requires_grad]
    try:
        for module in training:
            module.training = False
        for parameter in live:
            parameter.requires_grad_(False)
        with uncompiled():
            yield
    finally:
        for module in training:
            module.training = True
        for parameter in live:
            parameter.requires_grad_(True)
