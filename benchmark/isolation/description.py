"""What a process that is not trusted says of the methods of its file: as data, checked before any of it is used."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, get_args

import numpy as np

from ...errors import BadInput
from ...methods.libraries import Library
from ...methods.registry import METHODS, MethodEntry, Need, Pooling, Sum
from ...models.queries import FRAMEWORKS
from ...parameters import Doc, Parameter
from ...registry import Reference
from .texts import MESSAGE, cleaned

MOST_METHODS = 64
MOST_PARAMETERS = 64
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FAMILY = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,31}")
_TYPES: dict[str, type] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "NoneType": type(None),
    "ndarray": np.ndarray,
    "object": object,
}
_SCALARS = (str, int, float, bool, type(None))


def told(entry: MethodEntry) -> dict[str, Any]:
    """Return a registered method as data.

    Raises
    ------
    BadInput
        For what cannot be told to another process.
    """
    if callable(entry.signed):
        raise BadInput(f"{entry.name}: signed is a function, which cannot be told: give True or False.")
    if entry.reads is not None:
        raise BadInput(f"{entry.name} reads a data set, and no data are where it runs.")
    return {
        "name": entry.name,
        "title": entry.title,
        "family": entry.family,
        "reference": None if entry.reference is None else vars(entry.reference),
        "signed": entry.signed,
        "pooling": entry.pooling,
        "needs": sorted(entry.needs),
        "cost": entry.cost,
        "presets": {name: dict(values) for name, values in entry.presets.items()},
        "frameworks": sorted(entry.frameworks),
        "requires": None if entry.requires is None else vars(entry.requires),
        "wraps": entry.wraps,
        "sums_to": entry.sums_to,
        "version": entry.version,
        "text": inspect.getdoc(entry.function) or "",
        "parameters": [_parameter_told(entry.name, item) for item in entry.parameters],
    }


def understood(data: Any) -> dict[str, Any]:
    """Return the fields of a `MethodEntry` that such data mean, among them a ``function`` that only declares them.

    Raises
    ------
    BadInput
        For anything that is not as `told` writes it.
    """
    try:
        return _understood(data)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"What it says of its methods cannot be used: {cleaned(str(error))}") from error


def _parameter_told(owner: str, item: Parameter) -> dict[str, Any]:
    if not isinstance(item.default, _SCALARS):
        raise BadInput(f"{owner}: the default of {item.name!r} is {item.default!r}; it must be a number or a text.")
    doc = item.doc
    return {
        "name": item.name,
        "default": item.default,
        "types": [name for name, kind in _TYPES.items() if kind in item.types] or ["object"],
        "text": doc.text,
        "source": doc.source,
        "low": doc.low,
        "high": doc.high,
        "choices": list(doc.choices),
    }


def _understood(data: Mapping[str, Any]) -> dict[str, Any]:
    name = data["name"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadInput(
            f"A method cannot be called {cleaned(name)!r}: use letters, digits and the signs _ . - (64 at most)."
        )
    family = data["family"]
    if not isinstance(family, str) or not _FAMILY.fullmatch(family) or family == "control":
        raise BadInput(f"{name}: the family {cleaned(family)!r} is not one that a submitted method can be of.")
    parameters = _list(data["parameters"], MOST_PARAMETERS)
    needs, frameworks = frozenset(_list(data["needs"], 16)), frozenset(_list(data["frameworks"], 2))
    if not needs <= {*get_args(Need)} or not frameworks or not frameworks <= {*FRAMEWORKS}:
        raise BadInput(f"{name} needs what is unknown, or is for no framework that there is.")
    if data["pooling"] not in get_args(Pooling) or type(data["signed"]) is not bool or type(data["wraps"]) is not bool:
        raise BadInput(f"{name}: pooling, signed or wraps has a value that it cannot have.")
    if data["sums_to"] not in (None, *get_args(Sum)):
        raise BadInput(f"{name}: sums_to is one of {', '.join(get_args(Sum))}.")
    if type(data["version"]) is not int or data["version"] < 1:
        raise BadInput(f"{name}: the version is a number from 1 on.")
    title = cleaned(data["title"])
    if any(entry.title.casefold() == title.casefold() for entry in METHODS if entry.origin == "heatmark"):
        raise BadInput(f"{name}: the title {title!r} is that of another method. Choose another.")
    return {
        "name": name,
        "title": title,
        "family": family,
        "reference": _reference(data["reference"]),
        "signed": data["signed"],
        "pooling": data["pooling"],
        "needs": needs - {"masks"},
        "cost": cleaned(data["cost"]),
        "presets": {cleaned(key, 64): _scalars(value) for key, value in data["presets"].items()},
        "frameworks": frameworks,
        "requires": _library(data["requires"]),
        "wraps": data["wraps"],
        "sums_to": data["sums_to"],
        "version": data["version"],
        "summary": cleaned(data["text"].partition("\n")[0]),
        "function": _declaration(cleaned(data["text"], MESSAGE), parameters),
    }


def _declaration(text: str, parameters: list[Any]) -> Any:
    """Return a function with such a docstring and such parameters; it is never called."""

    def declared(request: Any, **parameters: Any) -> Any:
        raise NotImplementedError

    signature, annotations = [], {}
    for item in parameters:
        name = item["name"]
        if not isinstance(name, str) or not _PARAMETER.fullmatch(name) or not isinstance(item["default"], _SCALARS):
            raise BadInput(f"A parameter {cleaned(name)!r} has a name or a default that it cannot have.")
        kinds = reduce(or_, [_TYPES[kind] for kind in _list(item["types"], len(_TYPES))])
        low, high = (None if item[end] is None else float(item[end]) for end in ("low", "high"))
        choices = tuple(cleaned(choice) for choice in _list(item["choices"], 64))
        doc = Doc(cleaned(item["text"]), cleaned(item["source"]), low, high, choices)
        annotations[name] = Annotated[kinds, doc]
        signature.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=item["default"], annotation=object)
        )
    declared.__doc__ = text
    declared.__annotations__ = annotations
    declared.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what `inspect.signature` looks at
        [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD), *signature]
    )
    return declared


def _reference(data: Any) -> Reference | None:
    if data is None:
        return None
    arxiv = data["arxiv"]
    return Reference(
        cleaned(data["authors"]), int(data["year"]), cleaned(data["title"]), None if arxiv is None else cleaned(arxiv)
    )


def _library(data: Any) -> Library | None:
    if data is None:
        return None
    packages = tuple(_list(data["packages"], 16))
    if not packages or data["framework"] not in FRAMEWORKS or not all(map(NAME.fullmatch, packages)):
        raise BadInput("The library that a method needs has no packages and framework that there are.")
    return Library(cleaned(data["name"]), data["framework"], packages, cleaned(data["install"]))


def _scalars(values: Mapping[str, Any]) -> dict[str, Any]:
    if not all(isinstance(value, _SCALARS) for value in values.values()):
        raise BadInput("A preset has a value that is no number and no text.")
    return {str(name): value for name, value in values.items()}


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise BadInput(f"There is a list of more than {most}, or none where one should be.")
    return value
