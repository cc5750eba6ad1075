"""Where a network runs and in which numbers, as far as it can be read off it."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any

from ..arrays.operations import Tensor
from ..base import Model
from .finding import Finding

PLACE = "framework, device and dtype"

_LIBRARY = {"torch": ("PyTorch", "torch"), "tensorflow": ("Keras", "keras")}
#: What a sum of numbers near 1 may be off by: 1 in so many.
_COARSE = {"float16": "2,048", "bfloat16": "256"}


def place(model: Model, x: Tensor) -> Finding:
    """Say where the network is, and warn where its own numbers are coarser than float32 or lie on several devices."""
    title, package = _LIBRARY[model.framework]
    arrays = _arrays(model.net)
    types, devices = Counter[str](), set[str]()
    for array in arrays:
        types[_dtype(array)] += prod(int(size) for size in array.shape)
        devices |= _device(array)
    kinds = ", ".join(f"{count:,} {name}" for name, count in types.most_common()) or "none"
    halved = model.computes_in_half and model.precision == "float32"  # by itself, not as it was told to
    numbers = "16 bits, at least in part" if halved else model.precision
    evidence = f"{title} {_version(package)} on {model.device}, weights: {kinds}; computes in {numbers}"
    if len(devices) > 1:
        where = ", ".join(sorted(devices))
        return Finding(PLACE, "doubtful", f"{evidence}; weights on {where}.", "Move the network to one device.")
    coarse = [name for name in _COARSE if types[name]]
    if coarse or halved:  # a Keras policy leaves weights as they were
        either = " or ".join(f"1 in {one} ({name})" for name, one in _COARSE.items())
        off = f"1 in {_COARSE[coarse[-1]]}" if coarse else either
        return Finding(
            PLACE,
            "doubtful",
            f"{evidence}. Sums are off by up to {off}.",
            "Compare methods in float32 (net.float(), the dtype policy float32); what differs by less than that is "
            "rounding.",
        )
    return Finding(PLACE, "holds", evidence + ".")


def _arrays(net: Any) -> list[Any]:
    """Return a network's parameters and other state; a Keras model has them in one list."""
    return [*net.parameters(), *net.buffers()] if hasattr(net, "named_buffers") else list(net.weights)


def _dtype(array: Any) -> str:
    return str(array.dtype).removeprefix("torch.")


def _device(array: Any) -> set[str]:
    """Return the device that an array tells, in words; Keras variables tell that of their value."""
    found = getattr(getattr(array, "value", array), "device", None)
    return {str(found).rpartition("/device:")[2]} if found else set()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
