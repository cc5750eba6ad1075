"""What is stated of a network behind its name: ``file:net.keras[domain=0..255,output=multi-label]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from ...errors import BadInput, suggestion
from ..conventions import OUTPUT_KINDS, Conventions


def split_stated(text: str) -> tuple[str, Conventions]:
    """Return a model's name without the brackets at its end, and what they state.

    Parameters
    ----------
    text
        A name, or a name and ``[item=value,...]``: ``output=`` one of `OUTPUT_KINDS`, ``domain=low..high``,
        ``neutral=number`` (one for each channel as ``a/b/c``) or ``neutral=mean``, ``channel_axis=1`` or ``-1``.

    Raises
    ------
    BadInput
        For another item, or a value that cannot be read.
    """
    found = re.fullmatch(r"(.+?)\[([^\[\]]*)\]", text)
    if found is None:
        return text, Conventions()
    values: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in found[2].split(","))):
        name, equals, value = (part.strip() for part in item.partition("="))
        if name not in _READERS or not equals:
            raise BadInput(
                f"{text!r} states {item!r}.{suggestion(name, _READERS)} In brackets behind a model stand "
                "output=KIND, domain=LOW..HIGH, neutral=NUMBER and channel_axis=1 or -1."
            )
        try:
            values[name] = _READERS[name](value)
        except ValueError as error:
            raise BadInput(f"Cannot read {item!r} of {text!r}: {_SPELT[name]}.") from error
    return found[1], Conventions(**values)


def with_stated(text: str, **items: str | None) -> str:
    """Return a model's name with further items in its brackets; None states nothing, nor do items that stand there."""
    name, stated = split_stated(text)
    there = text[len(name) :].strip("[]")
    new = [f"{item}={value}" for item, value in items.items() if value is not None]
    for item, value in items.items():
        if value is not None and getattr(stated, item) is not None:
            raise BadInput(f"{text!r} states its {item} already; leave --{item} {value} out.")
    listed = ",".join(filter(None, [there, *new]))
    return f"{name}[{listed}]" if listed else name


def combined(first: Conventions, second: Conventions) -> Conventions:
    """Return what ``second`` states, and what ``first`` states besides."""
    given = {item.name: getattr(second, item.name) for item in fields(second)}
    return replace(first, **{name: value for name, value in given.items() if value is not None})


def _domain(text: str) -> tuple[float, float]:
    low, dots, high = text.partition("..")
    if not dots:
        raise ValueError(text)
    return float(low), float(high)


def _neutral(text: str) -> Any:
    if text == "mean":
        return text
    numbers = tuple(map(float, text.split("/")))
    return numbers if len(numbers) > 1 else numbers[0]


_READERS: Mapping[str, Callable[[str], Any]] = {
    "output": str,
    "domain": _domain,
    "neutral": _neutral,
    "channel_axis": int,
}
_SPELT: Mapping[str, str] = {
    "output": f"write one of {', '.join(OUTPUT_KINDS)}",
    "domain": "write domain=LOW..HIGH, such as domain=0..255",
    "neutral": "write a number, a number for each channel (0.5/0.4/0.3), or mean",
    "channel_axis": "write 1 or -1",
}
