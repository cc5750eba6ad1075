"""Tables of texts, the same in the terminal, in Markdown and in HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

T = TypeVar("T")

WIDTH = 110
"""Assumed where the output is no terminal, such as a log."""


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column of a table whose rows are of type ``T``."""

    head: str
    """Its title."""
    text: Callable[[T], str]
    """From a row to the words of its cell."""
    number: Callable[[T], float] = lambda row: math.nan
    """From a row to what a reader can sort by."""
    left: bool = False
    width: int | None = None
    style: Callable[[T], str] = lambda row: ""
    """In the terminal: whether its words stand at the left, its characters (as many as it needs where None), and from a
    row to the style of its cell.
    """


def texts_of(columns: Sequence[Column[T]], row: T) -> list[str]:
    """Return the cells of a row."""
    return [column.text(row) for column in columns]


def markdown_table(columns: Sequence[Column[T]], rows: Iterable[T], left: int = 1) -> str:
    """Return a Markdown table, its first ``left`` columns at the left and the others at the right."""
    lines = [[column.head for column in columns], *(texts_of(columns, row) for row in rows)]
    head, *others = ["| " + " | ".join(map(escaped, cells)) + " |" for cells in lines]
    ruler = "| " + " | ".join(["---"] * left + ["---:"] * (len(columns) - left)) + " |"
    return "\n".join([head, ruler, *others])


def markdown_text(blocks: Iterable[str]) -> str:
    """Return headings, paragraphs and tables as one text, an empty line between them; empty blocks are left out."""
    return "\n\n".join(filter(None, blocks)) + "\n"


def bullets(lines: Iterable[str]) -> str:
    """Return lines as a Markdown list."""
    return "\n".join(f"- {escaped(line)}" for line in lines)


def section(head: str, body: str) -> list[str]:
    """Return a heading and what stands below it, or nothing where that is empty."""
    return [head, body] if body else []


def terminal_table(
    columns: Sequence[Column[T]], rows: Iterable[T], style: Callable[[T], str] = lambda row: "", gap: int = 1
) -> RichTable:
    """Return a table for the terminal, each row in its style, so many more spaces than one between columns."""
    rich = RichTable(box=SIMPLE, padding=(0, gap, 0, 0), show_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "left" if column.left else "right"
        rich.add_column(Text(column.head), justify=justify, overflow="fold", width=column.width)
    for row in rows:
        rich.add_row(*(Text(column.text(row), style=column.style(row)) for column in columns), style=style(row))
    return rich


def console_of(console: Console | None, width: int = WIDTH) -> Console:
    """Return the console given, else the terminal, else one of so many columns."""
    if console is not None:
        return console
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=width)


def escaped(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is: no markup, no table borders, no line breaks."""
    flat = re.sub(r"\s+", " ", text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        flat = flat.replace(character, entity)
    return re.sub(r"([\\`*_{}\[\]|$#~])", r"\\\1", flat)


def in_parts(items: Sequence[T], size: int) -> list[list[T]]:
    """Return ``items`` cut into nearly equal parts of at most ``size``."""
    parts = max(1, -(-len(items) // size))
    step = -(-len(items) // parts) if items else 1
    return [list(items[start : start + step]) for start in range(0, len(items), step)] or [[]]
