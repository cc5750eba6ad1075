"""Registering another library's method as an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...registry import Reference
from ..libraries import Library
from ..registry import MethodFunction, Need, Pooling, register_method


def register_peer(
    library: Library,
    name: str,
    *,
    signed: bool,
    cost: str,
    reference: Reference,
    pooling: Pooling = "none",
    needs: Sequence[Need] = ("gradients",),
) -> Callable[[MethodFunction], MethodFunction]:
    """Register the decorated function as ``library:name``, for networks of the library's framework alone."""
    return register_method(
        f"{library.name.lower()}:{name}",
        family="peer",
        signed=signed,
        pooling=pooling,
        needs=needs,
        cost=cost,
        reference=reference,
        frameworks=[library.framework],
        requires=library,
    )
