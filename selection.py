"""The selection grammar: how methods and metrics are named with a variant and parameters.

``integrated_gradients[steps=20|50,baseline=white]`` names two entries: ``|`` separates alternatives, and every
combination is one selection. An item without ``=`` is the variant (a preset such as ``deletion[rise]``, or the inner
method of a wrapper). Several selections are separated by commas outside brackets.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import BadInput

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Selection:
    """One registered entry with a variant and explicit parameters."""

    name: str
    """The entry's registered name."""
    variant: str | None = None
    """The preset or inner entry, or None."""
    parameters: tuple[tuple[str, Value], ...] = ()
    """The explicitly chosen parameters as (name, value), sorted by name."""

    @property
    def text(self) -> str:
        """The selection in its canonical spelling; parsing it gives the selection back."""
        items = [self.variant] if self.variant is not None else []
        items += [f"{key}={_spelt(value)}" for key, value in self.parameters]
        return f"{self.name}[{','.join(items)}]" if items else self.name

    def __str__(self) -> str:
        return self.text


def select(name: str, variant: str | None = None, parameters: Mapping[str, Value] | None = None) -> Selection:
    """Return a selection with its parameters in canonical order."""
    return Selection(name, variant, tuple(sorted((parameters or {}).items())))


def parse_selections(text: str | Iterable[str]) -> tuple[Selection, ...]:
    """Return every selection that ``text`` names, in order and without repeats.

    Parameters
    ----------
    text
        One string or several, each of one or more comma-separated selections.

    Raises
    ------
    BadInput
        If brackets do not match, a name is empty, or a parameter is given twice.
    """
    texts = [text] if isinstance(text, str) else list(text)
    found: dict[Selection, None] = {}
    for part in (item for one in texts for item in _split(one, ",")):
        found.update(dict.fromkeys(_expand(part)))
    return tuple(found)


def split_selections(text: str) -> list[str]:
    """Return the parts of a text that are separated by commas outside brackets, round ones too, as they stand there.

    Round brackets hold what tells two entries of one text apart on a board: ``deletion (steps 5, fill black)``.
    """
    found: list[str] = []
    for part in _split(text, ","):
        open_bracket = found and found[-1].count("(") > found[-1].count(")")
        found[len(found) - bool(open_bracket) :] = [f"{found[-1]},{part}" if open_bracket else part]
    return [part.strip() for part in found]


def parse_selection(text: str) -> Selection:
    """Return the one selection that ``text`` names; BadInput if it names none or several."""
    selections = parse_selections(text)
    if len(selections) != 1:
        raise BadInput(f"Expected one entry but {text!r} names {len(selections)}. Give one name without '|' or ','.")
    return selections[0]


def _expand(part: str) -> list[Selection]:
    """Return the selections of one comma-free part: the product of its alternatives."""
    name, bracket, rest = part.partition("[")
    name = name.strip()
    if not name or (bracket and not rest.rstrip().endswith("]")) or (not bracket and "]" in part):
        raise BadInput(f"Cannot read the selection {part.strip()!r}. Write NAME or NAME[parameter=value|value,...].")
    variants: list[str | None] = [None]
    values: dict[str, list[Value]] = {}
    for item in _split(rest.rstrip()[:-1], ",") if bracket else []:
        key, equals, choices = _key_and_choices(item)
        if not equals:
            if variants != [None]:
                raise BadInput(f"{part.strip()!r} names two variants. Write one, or alternatives as a|b.")
            variants = [choice.strip() for choice in _split(item, "|")]
        elif key in values:
            raise BadInput(f"{part.strip()!r} gives {key!r} twice. Write alternatives as {key}=a|b.")
        else:
            values[key] = [_read(choice) for choice in _split(choices, "|")]
    return [
        select(name, variant, dict(zip(values, chosen, strict=True)))
        for variant in variants
        for chosen in itertools.product(*values.values())
    ]


def _key_and_choices(item: str) -> tuple[str, str, str]:
    """Split ``key=a|b``; an ``=`` inside brackets belongs to an inner entry and does not count."""
    bracket, equals = item.find("["), item.find("=")
    if equals < 0 or 0 <= bracket < equals:
        return item, "", ""
    return item[:equals].strip(), "=", item[equals + 1 :]


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside brackets; drop nothing but the spaces around an all-empty text."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth < 0:
            raise BadInput(f"Unmatched ']' in {text!r}.")
        if character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if depth:
        raise BadInput(f"Unmatched '[' in {text!r}.")
    parts.append(text[start:])
    if any(not part.strip() for part in parts):
        raise BadInput(f"Empty item in {text!r}. Remove the extra {separator!r} or give a name.")
    return parts


def _read(text: str) -> Value:
    """Return a JSON scalar where the text is one, else the text itself."""
    text = text.strip()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if value is None or isinstance(value, (str, int, float, bool)) else text


def _spelt(value: Value) -> str:
    """Return the spelling that ``_read`` turns back into ``value``."""
    if isinstance(value, str) and _read(value) == value:
        return value
    return json.dumps(value)
