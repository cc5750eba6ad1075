"""Methods that do the same work under different names."""

from __future__ import annotations

from typing import Any

from heatmark.methods.registry import register_method


def _saliency(request: Any) -> Any:
    """The absolute gradient."""
    return request.operations.abs(request.gradient())


def _averaged(request: Any) -> Any:
    """The gradient twelve times, as a method with variants asks for it."""
    return sum(request.gradient() for _ in range(12)) / 12


for name in ("early", "late"):
    register_method(f"one_{name}", family="test", signed=False)(_saliency)
    register_method(f"many_{name}", family="test", signed=True)(_averaged)
