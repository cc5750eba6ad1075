"""Entries with parameters, and what a selection makes of them: methods, metrics and datasets alike."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from .errors import BadInput, suggestion
from .parameters import Parameter, bound, parameters_of
from .registry import Entry, Registry
from .selection import Selection, parse_selection, select


@dataclass(frozen=True)
class Lesson:
    """What a docstring teaches besides its summary: its sections Formula, Reading and Weaknesses, empty where it has
    none.
    """

    formula: str = ""
    reading: str = ""
    weaknesses: str = ""

    @classmethod
    def of(cls, declared: Callable[..., Any]) -> Lesson:
        """Return the sections of a function's or dataclass's docstring, each in one line."""
        _, *parts = re.split(r"(?:^|\n)(\w+)\n-{3,}\n", inspect.getdoc(declared) or "")
        found = {title.lower(): " ".join(text.split()) for title, text in zip(parts[::2], parts[1::2], strict=True)}
        return cls(**{name: found.get(name, "") for name in ("formula", "reading", "weaknesses")})


@dataclass(frozen=True, kw_only=True, repr=False)
class Definition(Entry):
    """An entry that is a function, or a dataclass, with parameters."""

    function: Callable[..., Any]
    """The function or dataclass itself."""

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What may be chosen: see `parameters_of`."""
        return parameters_of(self.function)

    @cached_property
    def lesson(self) -> Lesson:
        """What its docstring teaches."""
        return Lesson.of(self.function)


@dataclass(frozen=True, kw_only=True, repr=False)
class Selectable(Definition):
    """A definition that a selection names: a method or a metric."""

    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Parameters by name, such as those that follow a paper or a public code."""
    version: int = 1
    """Raised whenever the numbers change; part of every result's key."""

    def preset(self, name: str | None) -> Mapping[str, Any]:
        """Return the parameters of a preset, none where there is no name; BadInput where there is no such preset."""
        if name is None:
            return {}
        if name not in self.presets:
            known = ", ".join(self.presets) or "none"
            raise BadInput(f"{self.name} has no preset {name!r} (it has: {known}).{suggestion(name, self.presets)}")
        return self.presets[name]


SelectableType = TypeVar("SelectableType", bound=Selectable)


@dataclass(frozen=True)
class Chosen(Generic[SelectableType]):
    """What a selection names, with all parameters bound."""

    entry: SelectableType
    """As it was registered."""
    selection: Selection
    """How it was chosen; its text is the name in tables."""
    parameters: Mapping[str, Any]
    """Every parameter with its value."""

    @property
    def id(self) -> str:
        """The name in tables: the entry with its preset and explicitly chosen parameters."""
        return self.selection.text


def chosen(
    registry: Registry[SelectableType], selection: str | Selection, more: Mapping[str, Any] | None = None
) -> Chosen[SelectableType]:
    """Return what a selection names, with every parameter checked.

    Parameters
    ----------
    registry
        Where names are looked up.
    selection
        ``"integrated_gradients[steps=20]"``, or a parsed selection.
    more
        Further parameters, which may be arrays; those that text can say become part of the selection.

    Raises
    ------
    UnknownName, BadInput
        For an unknown name, preset or parameter, or a value out of range.
    """
    asked = parse_selection(selection) if isinstance(selection, str) else selection
    entry, explicit, extra = registry.get(asked.name), dict(asked.parameters), dict(more or {})
    values = bound(entry.parameters, {**entry.preset(asked.variant), **explicit, **extra}, entry.name)
    plain = {name: value for name, value in extra.items() if isinstance(value, (str, int, float, bool, type(None)))}
    return Chosen(entry, select(entry.name, asked.variant, {**explicit, **plain}), values)
