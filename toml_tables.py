"""Dataclasses as TOML: read with every key and type checked, and written so that they are read again."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import BadInput, suggestion

T = TypeVar("T")
_types_of = cache(get_type_hints)
_SINGULAR = {"tables": "table", "columns": "column", "rows": "row", "methods": "method", "contracts": "contract"}
_LABELS = ("name", "method")
"""The keys by which messages call a table, column or row."""
_WORDS: Mapping[Any, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def made_of(kind: type[T], values: object, where: str) -> T:
    """Return the dataclass that a TOML table describes.

    Parameters
    ----------
    kind
        A dataclass whose fields are texts, numbers, lists, mappings, literals and other such dataclasses.
    values
        The table.
    where
        What it is called in messages.

    Raises
    ------
    BadInput
        For unknown and missing keys, values of another type, and needed ones that are empty.
    """
    if not isinstance(values, dict):
        raise BadInput(f"{where}: expected a table of keys and values, got {values!r}.")
    types = _types_of(cast(Hashable, kind))
    for key in values:
        if key not in types:
            known = ", ".join(sorted(types))
            raise BadInput(f"{where}: unknown key {key!r}.{suggestion(key, types)} Known: {known}.")
    found: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type] # mypy cannot be told that T is a dataclass
        needed = item.default is MISSING and item.default_factory is MISSING
        if item.name in values:
            found[item.name] = _value(types[item.name], values[item.name], where, item.name)
        elif needed:
            raise BadInput(f"{where}: the key {item.name!r} is missing.")
        if needed and item.name in found and found[item.name] in ("", ()):
            raise BadInput(f"{where}: {item.name!r} is empty. Say what it is.")
    return kind(**found)


def _value(kind: Any, value: object, where: str, key: str) -> Any:
    """Return one value as the type says; BadInput where it is of another."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _value(next(one for one in inner if one is not NoneType), value, where, key)
    if is_dataclass(kind) and isinstance(kind, type):
        return made_of(kind, value, where)
    if origin is Literal:
        if value not in inner:
            raise _wrong(where, key, value, f"one of {', '.join(map(repr, inner))}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(where, key, value, "a list")
        if inner[-1] is not Ellipsis and len(value) != len(inner):
            raise _wrong(where, key, value, f"a list of {len(inner)} numbers")
        return tuple(_value(inner[0], one, _place(where, key, number, one), key) for number, one in enumerate(value, 1))
    if origin is not None:  # a mapping
        if not isinstance(value, dict):
            raise _wrong(where, key, value, "a table of keys and values")
        deeper = is_dataclass(inner[1])
        return {
            name: _value(inner[1], one, f"{where}, {key}.{name}" if deeper else where, f"{key}.{name}")
            for name, one in value.items()
        }
    if kind is Any:
        return value
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise _wrong(where, key, value, _WORDS[kind])
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, key, value, "a finite number")
    return float(value) if kind is float and isinstance(value, int) else value


def _wrong(where: str, key: str, value: object, expected: str) -> BadInput:
    return BadInput(f"{where}: {key!r} is {value!r}. Give {expected}.")


def _place(where: str, key: str, number: int, value: object) -> str:
    """Return where an item of a list stands, by its own name where it has one."""
    if key not in _SINGULAR:
        return where
    named = value if isinstance(value, dict) else {}
    label = next((f" ({named[name]})" for name in _LABELS if name in named), "")
    return f"{where}, {_SINGULAR[key]} {number}{label}"


def toml_text(values: Mapping[str, Any]) -> str:
    """Return a mapping as TOML: texts, numbers, lists of those, mappings, and lists of mappings; None is left out."""
    return "\n".join(_lines(values, ())) + "\n"


def _lines(values: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    there = {key: value for key, value in values.items() if value is not None}
    tables = {key: value for key, value in there.items() if _is_table(value)}
    lines = [f"{_key(key)} = {_literal(value)}" for key, value in there.items() if key not in tables]
    for key, value in tables.items():
        inner = (*names, key)
        head = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            lines += ["", f"[{head}]", *_lines(value, inner)]
        else:
            for one in value:
                lines += ["", f"[[{head}]]", *_lines(one, inner)]
    return lines


def _is_table(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    several = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    return several and all(isinstance(one, Mapping) for one in value)


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _text(name)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_literal, value))}]"
    raise BadInput(f"{value!r} cannot be written as TOML.")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
