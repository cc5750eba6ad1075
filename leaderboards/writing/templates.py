"""Pages from templates: every value is escaped, so a name that holds HTML is shown as text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def templates_in(folder: Path) -> Environment:
    """Return the templates of a folder; one that asks for a value which it was not given is an error.

    They are compiled once: what is added to them (filters, functions) is the same each time.
    """
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
