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
_COARSE = ("float16", "bfloat16")


def place(model: Model, x: Tensor) -> Finding:
    """Say where the network is, and warn where its own numbers are coarser than float32 or lie on several devices."""
    title, package = _LIBRARY[model.framework]
    arrays = _arrays(model.net)
    types, devices = Counter[str](), set[str]()
    for array in arrays:
        types[_dtype(array)] += prod(int(size) for size in array.shape)
        devices |= _device(array)
    held = ", ".join(f"{count:,} {name}" for name, count in types.most_common()) or "none"
    evidence = f"{title} {_version(package)} on {model.device}, weights: {held}; computes in {model.precision}"
    if len(devices) > 1:
        where = ", ".join(sorted(devices))
        return Finding(PLACE, "doubtful", f"{evidence}; weights on {where}.", "Move the network to one device.")
    coarse = sum(types[name] for name in _COARSE)
    if coarse:
        return Finding(
            PLACE,
            "doubtful",
            f"{evidence}. Sums in 16 bits are off by up to 1 in {'2,048' if types['float16'] else '256'}.",
            "Compare methods in float32 (net.float()); what differs by less than that is rounding.",
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
