"""Parameters of methods and metrics: declared once, in a function's signature or on a dataclass's fields, and checked.

A function's parameters are its keyword-only ones. A dataclass's are the fields that are annotated with a `Doc`; the
others are fixed. Where a field holds another dataclass, the documented fields of that one are parameters too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from .errors import BadInput, UnknownName, suggestion
from .registry import declaration_of


@dataclass(frozen=True)
class Doc:
    """What a parameter means: ``steps: Annotated[int, Doc("points on the path", source="...", low=1)] = 50``."""

    text: str
    """One line."""
    source: str = ""
    """Where the default comes from."""
    low: float | None = None
    high: float | None = None
    """Inclusive bounds for numbers."""
    choices: tuple[str, ...] = ()
    """The allowed strings; a parameter that also takes arrays or numbers may still receive those."""
    says: str | Mapping[Any, str] = field(default="", hash=False)
    """How a sentence about the protocol tells its value, for which ``{}`` stands (``{%}``: in percent); or what it says
    at each value, at all others under ``""``. An empty text is left out, and so are None, and False where the text has
    no place for a value.
    """
    when: str = ""
    """Under which value of another parameter it counts: ``mask=top`` or ``step!=none``."""
    later: bool = False
    """Added after results had been kept, with a default that changes no number: no part of a key at its default."""


@dataclass(frozen=True)
class Parameter:
    """One keyword parameter as introspected from a signature."""

    name: str
    default: Any
    types: tuple[type, ...]
    doc: Doc

    def checked(self, value: Any, owner: str) -> Any:
        """Return ``value`` in the parameter's type, or raise BadInput naming the parameter and its range."""
        where = f"{owner}: parameter {self.name!r}"
        if value is None and (self.default is None or type(None) in self.types):
            return None
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, bool) and bool not in self.types:
            raise BadInput(f"{where} expects {self._expected()}, got {value!r}.")
        if float in self.types and isinstance(value, int) and not isinstance(value, bool) and int not in self.types:
            value = float(value)
        if int in self.types and float not in self.types and isinstance(value, float) and value.is_integer():
            value = int(value)
        if self.types and object not in self.types and not isinstance(value, self.types):
            raise BadInput(f"{where} expects {self._expected()}, got {value!r}.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = self.doc.low, self.doc.high
            if (low is not None and value < low) or (high is not None and value > high) or not np.isfinite(value):
                raise BadInput(f"{where} must be {self._range()}, got {value!r}.")
        if isinstance(value, str) and self.doc.choices and not any(_fits(value, item) for item in self.doc.choices):
            raise BadInput(
                f"{where} is one of {', '.join(self.doc.choices)}; got {value!r}.{suggestion(value, self.doc.choices)}"
            )
        return value

    def _expected(self) -> str:
        names = [kind.__name__ for kind in self.types if kind is not type(None)]
        return " or ".join(names) or "a value"

    def _range(self) -> str:
        low, high = self.doc.low, self.doc.high
        if low is not None and high is not None:
            return f"from {low:g} to {high:g}"
        return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else "finite"


def _fits(value: str, choice: str) -> bool:
    """Return whether a text is a choice; a choice such as ``blur:SIGMA`` stands for ``blur:`` with any number."""
    name, colon, placeholder = choice.partition(":")
    if not colon or not placeholder.isupper():
        return value == choice
    given, _, number = value.partition(":")
    try:
        return given == name and 0 <= float(number) < float("inf")
    except ValueError:
        return False


def parameters_of(declared: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Return the parameters that a function or a dataclass declares, with their documentation."""
    if isinstance(declared, type) and is_dataclass(declared):
        return tuple(_of_fields(declared))
    stated: Any = declaration_of(declared)
    # A callable object declares its parameters where it is called, any other where it is defined.
    instance = isinstance(stated, type) and not isinstance(declared, type)
    hints = get_type_hints(stated.__call__ if instance else stated, include_extras=True)
    return tuple(
        _parameter(stated, name, hints.get(name, object), item.default)
        for name, item in inspect.signature(declared).parameters.items()
        if item.kind is inspect.Parameter.KEYWORD_ONLY
    )


def made(declared: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Return what a function or dataclass makes of a value for each of its parameters."""
    if not (isinstance(declared, type) and is_dataclass(declared)):
        return declared(**values)
    own = dict(values)
    for item in fields(declared):
        held = _default(item)
        if is_dataclass(held):
            parts = {one.name: own.pop(one.name) for one in parameters_of(type(held))}
            own[item.name] = replace(held, **parts)  # type: ignore[type-var]  # it is an instance, no class
    return declared(**own)


def _of_fields(declared: type) -> Iterator[Parameter]:
    """Yield the parameters of a dataclass in the order of its fields."""
    hints = get_type_hints(declared, include_extras=True)
    for item in fields(declared):
        default, hint = _default(item), hints[item.name]
        if is_dataclass(default):
            yield from (replace(one, default=getattr(default, one.name)) for one in parameters_of(type(default)))
        elif get_origin(hint) is Annotated and any(isinstance(extra, Doc) for extra in get_args(hint)):
            yield _parameter(declared, item.name, hint, default)


def _default(item: Field[Any]) -> Any:
    """Return the default of a dataclass's field, `inspect.Parameter.empty` where it has none."""
    if item.default_factory is not MISSING:
        return item.default_factory()
    return inspect.Parameter.empty if item.default is MISSING else item.default


def _parameter(declared: Callable[..., Any], name: str, hint: Any, default: Any) -> Parameter:
    """Return the parameter that a name, its annotation and its default declare."""
    doc = Doc("")
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        doc = next((extra for extra in extras if isinstance(extra, Doc)), doc)
    if get_origin(hint) is Literal:
        hint, doc = str, replace(doc, choices=get_args(hint))
    if default is inspect.Parameter.empty:
        raise TypeError(f"{declared.__name__}: the parameter {name!r} needs a default.")
    return Parameter(name, default, _types(hint), doc)


def bound(parameters: tuple[Parameter, ...], values: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Return every parameter with its value: the given one, checked, or the default.

    Raises
    ------
    UnknownName
        For a parameter that ``owner`` does not have.
    BadInput
        For a value of the wrong type or out of range.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UnknownName(f"{owner} has no parameter {name!r} (it has: {listed}).{suggestion(name, known)}")
    return {
        name: parameter.checked(values[name], owner) if name in values else parameter.default
        for name, parameter in known.items()
    }


def _types(hint: Any) -> tuple[type, ...]:
    """Return the plain classes that a hint admits; ``(object,)`` where it admits anything."""
    if isinstance(hint, type):
        return (hint,)
    origin = get_origin(hint)
    if isinstance(origin, type) and origin.__module__ != "types":
        return (origin,)
    members = tuple(kind for argument in get_args(hint) for kind in _types(argument))
    return members or (object,)
