"""The ink of every figure: its colours, its words and its axes.

Figures are made without pyplot, so drawing changes no global state. Words are drawn as they are: names may hold dollar
signs, which would start a formula, or a leading underscore, which would hide them from a legend.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

INK, SOFT = "#222222", "#555555"
FRAMEWORK_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
CHARACTER_WIDTH = 0.047
"""Inches that a character of a note takes, on average."""
NAME_WIDTH = 0.058
"""Inches that a character of a name at 8 points takes, on average."""


class Margins(NamedTuple):
    """Inches around the panels of a figure, and between them."""

    left: float
    bottom: float
    right: float = 0.1
    top: float = 0.3
    across: float = 0.4
    down: float = 0.6


def sheet(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, which makes room for what is drawn."""
    return Figure(figsize=(width, height), layout="constrained")


def panel_grid(across: int, down: int, size: tuple[float, float], margins: Margins) -> tuple[Figure, np.ndarray]:
    """Return a figure of panels that are each of one size in inches, however many there are, and those panels.

    The panels are an array of axes, (down, across). Every margin is what it is asked to be, so that words have the
    same size and panels the same shape in all figures.
    """
    (wide, high), m = size, margins
    width = m.left + across * wide + (across - 1) * m.across + m.right
    height = m.top + down * high + (down - 1) * m.down + m.bottom
    figure = Figure(figsize=(width, height))
    panels = np.empty((down, across), dtype=object)
    for row in range(down):
        for column in range(across):
            x = m.left + column * (wide + m.across)
            y = height - m.top - high - row * (high + m.down)
            panels[row, column] = figure.add_axes((x / width, y / height, wide / width, high / height))
    return figure, panels


def title(axes: Axes, words: str, size: float = 9, **more: Any) -> None:
    """Write what a panel shows above it, at its left unless ``more`` says otherwise."""
    axes.set_title(words, **{"fontsize": size, "color": INK, "loc": "left", "parse_math": False, **more})


def note_below(figure: Figure, words: str, colour: str = SOFT) -> None:
    """Write small words below all panels."""
    figure.supxlabel(words, fontsize=6.5, color=colour, parse_math=False)


def note_at_foot(figure: Figure, words: str, colour: str = SOFT) -> None:
    """Write small words into the lower margin of a figure whose margins are fixed, at its left."""
    figure.text(0.06 / figure.get_figwidth(), 0.06 / figure.get_figheight(), words, fontsize=6.5, color=colour,
                va="bottom", ha="left", parse_math=False)  # fmt: skip


def wrapped(words: str, width: float) -> str:
    """Return a note in lines of at most so many inches."""
    return textwrap.fill(words, max(30, int(width / CHARACTER_WIDTH)))


def broken(name: str, width: float, size: float = 8) -> str:
    """Return a name in lines that fit into so many inches at a size in points, broken between its words."""
    most = max(8, int(width / (0.0068 * size)))
    return textwrap.fill(name, most)


def legend(place: Axes | Figure, entries: Mapping[str, Artist], size: float = 8, **more: Any) -> None:
    """Add a legend of what each name's artist stands for."""
    drawn = place.legend(list(entries.values()), ["-"] * len(entries), fontsize=size, frameon=False, **more)
    for text, name in zip(drawn.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def legend_width(names: Sequence[str], columns: int, size: float = 8) -> float:
    """Return about how many inches a legend of so many columns takes, which are filled one after the other."""
    parts = [part for part in np.array_split(np.array([len(name) for name in names]), columns) if len(part)]
    # A handle and the gaps around it are six times as wide as the words are high.
    return sum(NAME_WIDTH * size / 8 * int(part.max()) + 6.5 * size / 72 for part in parts)


def plain(axes: Axes, size: float = 8) -> None:
    """Take the upper and right line off a panel, and make its ticks small."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=size, colors=INK, length=3, width=0.6)


def bare(axes: Axes) -> None:
    """Take every line and tick mark off a panel; what they are called stays."""
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def gridded(axes: Axes | Axis, colour: str = "#dddddd", width: float = 0.6) -> None:
    """Draw lines at the ticks of a panel or of one axis, below everything else."""
    axes.grid(visible=True, which="major", color=colour, linewidth=width)
    (axes.axes if isinstance(axes, Axis) else axes).set_axisbelow(True)


def logarithmic(axis: Axis, text: Callable[[float], str], **places: Any) -> None:
    """Name the powers of ten on an axis, or what `LogLocator` makes of ``places``, and nothing between."""
    axis.set_major_locator(LogLocator(10, **places))
    axis.set_major_formatter(FuncFormatter(lambda value, position: text(value)))
    axis.set_minor_locator(NullLocator())


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a panel from the bottom; controls, whose names end in a dagger, in italics."""
    axes.set_yticks(range(len(names)))
    for label in axes.set_yticklabels(names, fontsize=8, parse_math=False):
        label.set_fontstyle("italic" if label.get_text().endswith("†") else "normal")


def data_uri(content: bytes, kind: str) -> str:
    """Return a picture's bytes as a URI that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def reproducible() -> AbstractContextManager[None]:
    """Give what is inside an SVG file the same names each time it is written."""
    return mpl.rc_context({"svg.hashsalt": "heatmark"})


def svg_uri(figure: Figure) -> str:
    """Return a figure as a data URI (SVG, the same bytes each time)."""
    buffer = io.BytesIO()
    with reproducible():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return data_uri(buffer.getvalue(), "svg+xml")
