"""Methods made up for tests of what deals with methods."""

from __future__ import annotations

from typing import Any

from heatmark.errors import NotApplicable
from heatmark.methods.registry import MethodEntry


def entry(name: str, function: Any, **more: Any) -> MethodEntry:
    return MethodEntry(name=name, family="test", function=function, signed=False, **more)


def constant(request: Any) -> Any:
    return request.x * 0 + 1.0


def inapplicable(request: Any) -> Any:
    raise NotApplicable("it needs the moon")
