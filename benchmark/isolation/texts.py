"""Words of a process that is not trusted, made fit to be printed and kept."""

from __future__ import annotations

import unicodedata
from typing import Any

LINE = 300
MESSAGE = 4000
"""So many characters of a line, and of a message of several lines, are kept."""


def cleaned(text: Any, most: int = LINE) -> str:
    """Return a text without what a terminal or a page would obey: control characters, and marks that turn text round.

    Line breaks are kept where ``most`` is more than a line; what is no text becomes one.
    """
    kept = "\n\t" if most > LINE else ""
    whole = text if isinstance(text, str) else repr(text)
    shown = "".join(
        letter if letter in kept or unicodedata.category(letter) not in _OBEYED else " " for letter in whole[: 2 * most]
    )
    return shown if len(shown) <= most else f"{shown[: most - 4]} ..."


_OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
