"""The axes of a sweep: which parameters take which values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ..errors import BadInput
from ..selection import Selection, Value, parse_selection, parse_selections, select

if TYPE_CHECKING:
    from ..parameters import Parameter

MOST_AXES = 2
SIGNIFICANT_DIGITS = 10
"""Points between two ends are rounded to so many digits, so that 0.3 is not 0.30000000000000004."""


@dataclass(frozen=True)
class Axis:
    """One parameter and the values that it takes, in the order in which they are drawn."""

    name: str
    values: tuple[Value, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers, so that the axis has a scale."""
        return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.values)


def parsed(
    method: str, axes: Mapping[str, str | Sequence[Value]] | Iterable[str]
) -> tuple[Selection, tuple[Axis, ...]]:
    """Return the fixed part of a sweep and its axes, with every value checked against the method's parameters.

    Raises
    ------
    UnknownName, BadInput
        For an unknown method or parameter, a range that cannot be read, a value that a parameter does not take, or
        none or more than two axes.
    """
    from ..methods.registry import method_from

    fixed = parse_selection(method)
    entry = method_from(fixed).entry
    given = list(axes.items()) if isinstance(axes, Mapping) else [_name_and_values(text) for text in axes]
    if not 1 <= len(given) <= MOST_AXES:
        raise BadInput(f"A sweep has one or two parameters, such as noise=0.02:0.5:6; got {len(given)}.")
    known = {parameter.name: parameter for parameter in entry.parameters}
    names = [name for name, _ in given]
    for name in names:
        if name in dict(fixed.parameters) or names.count(name) > 1:
            raise BadInput(f"The parameter {name!r} is given twice. Name it once, as a range or as a fixed value.")
        if name not in known:
            method_from(select(fixed.name, fixed.variant, {name: 0}))  # says which parameters there are
    found = tuple(Axis(name, _values(values, known[name], entry.name)) for name, values in given)
    for point in product(*(axis.values for axis in found)):
        method_from(selection_at(fixed, found, point))
    return fixed, found


def spelt(value: Value) -> str:
    """Return a parameter's value for labels."""
    return f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)


def _name_and_values(text: str) -> tuple[str, str]:
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise BadInput(f"Cannot read {text!r}. Write name=low:high:count or name=a|b|c.")
    return name.strip(), values.strip()


def _values(given: str | Sequence[Value], parameter: Parameter, owner: str) -> tuple[Value, ...]:
    """Return the values of an axis, checked and each once, in the order given."""
    where = f"{owner}: the range of {parameter.name!r}"
    if not isinstance(given, str):
        raw: list[Value] = list(given)
    elif re.fullmatch(r"[^:|]+:[^:|]+:[^:|]+", given):
        raw = _spaced(given, int in parameter.types and float not in parameter.types, where)
    else:
        if re.fullmatch(r"[^:|]+:[^:|]+", given):
            raise BadInput(f"{where} is low:high:count, such as {given}:6, or a list a|b|c; got {given!r}.")
        # The selection grammar reads the alternatives, so that a value means the same here and in --methods.
        selections = parse_selections(f"{owner}[{parameter.name}={given}]")
        raw = [dict(selection.parameters)[parameter.name] for selection in selections]
    checked = [parameter.checked(value, owner) for value in raw]
    values = tuple(dict.fromkeys(checked))
    if len(values) < 2:
        raise BadInput(f"{where} holds {len(values)} value; a sweep needs at least two: low:high:count or a|b|c.")
    return values


def _spaced(text: str, whole: bool, where: str) -> list[Value]:
    try:
        low, high, count = (kind(part) for kind, part in zip((float, float, int), text.split(":"), strict=True))
    except ValueError:
        raise BadInput(f"{where} is low:high:count, two numbers and a whole number; got {text!r}.") from None
    if count < 2 or not (math.isfinite(low) and math.isfinite(high)) or low == high:
        raise BadInput(f"{where} needs two different ends and a count of at least 2; got {text!r}.")
    values = [low + (high - low) * step / (count - 1) for step in range(count)]
    if whole:
        return [math.floor(value + 0.5) for value in values]
    return [float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values]


def selection_at(fixed: Selection, axes: Sequence[Axis], values: Sequence[Value]) -> Selection:
    """Return the method at one point of the grid."""
    moving = {axis.name: value for axis, value in zip(axes, values, strict=True)}
    return select(fixed.name, fixed.variant, {**dict(fixed.parameters), **moving})
