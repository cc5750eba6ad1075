"""A PyTorch network at rest for a while: in evaluation mode, frozen, uncompiled; and kept from other changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

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


@contextmanager
def attributes_kept(net: torch.nn.Module) -> Iterator[None]:
    """Give every module, on leaving, the attributes that it has now: hooks, children, buffers, and its own.

    Dictionaries and lists have their items of now; a tensor's values are not put back.
    """
    before = [(module, _attributes(module)) for module in net.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            _restore(module, attributes)


def _attributes(module: torch.nn.Module) -> dict[str, tuple[Any, Any]]:
    """Return every attribute, with a copy of its items where it is a dictionary or a list."""
    return {
        name: (value, value.copy() if isinstance(value, dict | list) else None) for name, value in vars(module).items()
    }


def _restore(module: torch.nn.Module, state: dict[str, tuple[Any, Any]]) -> None:
    attributes = vars(module)
    for name in [name for name in attributes if name not in state]:
        del attributes[name]
    for name, (value, items) in state.items():
        attributes[name] = value
        if isinstance(value, list) and not _same(value, items):
            value[:] = items
        elif isinstance(value, dict) and not (list(value) == list(items) and _same(value.values(), items.values())):
            value.clear()
            value.update(items)


def _same(some: Collection[Any], others: Collection[Any]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
