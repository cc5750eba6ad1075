"""A leaderboard as one figure: mean ranks with intervals beside every metric's means, shaded by rank."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ..standings.standings import Row, Table
from ..standings.styles import Style, names_in_figures
from ..writing.ink import INK, NAME_WIDTH, SOFT, bare, broken, gridded, name_rows, note_at_foot, plain
from ..writing.numbers import number
from .ranks import ROW_HEIGHT, draw_rank

RANKS_WIDTH = 1.6
CELL_WIDTH = 0.46
HEAD_WIDTH = 1.1
"""Inches of a line of a metric's name, which stands upright over its column."""
MOST_WIDTH = 7.0
"""Inches across a page: metrics that have no room beside the mean ranks stand below them, under the names again."""
RIGHT, TOP, BOTTOM, BETWEEN = 0.1, 0.35, 0.6, 0.2
"""Inches around the blocks of metrics, and between two."""
SHADES = "Blues"
DARKEST = 0.6
"""Of the scale of shades, so that ink can be read on all of it."""


def draw_board(table: Table, styles: Mapping[str, Style]) -> Figure:
    """Draw one table: ranked methods from the best, then those that are not ranked.

    Cells hold means, darker for better ranks on their metric; bold: not told apart from the best there. Each metric is
    a column of its own; the figure is no wider than a page, so that many metrics stand in blocks below one another.
    """
    rows = table.rows[::-1]
    names = list(names_in_figures([row.method for row in rows]).values())
    heads = [broken(f"{metric.name}\u00a0{metric.arrow}", HEAD_WIDTH, 6.5) for metric in table.metrics]
    left = NAME_WIDTH * max(map(len, names), default=8) + 0.2
    blocks = _blocks(len(heads), left)
    head = 0.1 + 0.044 * max((len(line) for text in heads for line in text.splitlines()), default=1)
    body = ROW_HEIGHT * (len(rows) + 0.2)
    width = left + max(
        (0 if number else RANKS_WIDTH + 0.15) + CELL_WIDTH * max(len(block), 1) for number, block in enumerate(blocks)
    )
    gaps = [BOTTOM, *([BETWEEN] * (len(blocks) - 2)), *([BOTTOM] * (len(blocks) > 1))]
    size = (width + RIGHT, TOP + len(blocks) * (head + body) + sum(gaps))
    figure = Figure(figsize=size)
    top = size[1] - TOP
    for below, block in enumerate(blocks):
        bottom, start = top - head - body, left
        if below == 0:
            panel = figure.add_axes(_place((left, bottom, RANKS_WIDTH, body), size))
            _draw_ranks(panel, rows, styles)
            name_rows(panel, names)
            start += RANKS_WIDTH + 0.15
        matrix = figure.add_axes(_place((start, bottom, CELL_WIDTH * max(len(block), 1), body), size))
        for place, row in enumerate(rows):
            _draw_cells(matrix, row, place, len([one for one in rows if one.place is not None]), block)
        _head(matrix, [heads[column] for column in block], len(rows))
        if below:
            name_rows(matrix, names)
            matrix.tick_params(axis="y", length=0, colors=INK)
        top = bottom - (BETWEEN if below else BOTTOM)
    figure.text(0.08 / size[0], 1 - 0.08 / size[1], table.setting.title, fontsize=8, color=INK, va="top",
                parse_math=False)  # fmt: skip
    note_at_foot(figure, "Darker: a better rank. Bold, and shaded at the left: not told apart from the best.")
    return figure


def _blocks(metrics: int, left: float) -> list[range]:
    """Return which metrics stand beside one another: those beside the mean ranks first, then so many as have room."""
    room = MOST_WIDTH - RIGHT - left
    first, others = (max(1, int(inches / CELL_WIDTH + 1e-9)) for inches in (room - RANKS_WIDTH - 0.15, room))
    starts = [0, *range(first, metrics, others)]
    return [range(start, min(end, metrics)) for start, end in zip(starts, [*starts[1:], metrics], strict=True)]


def _place(inches: tuple[float, float, float, float], size: tuple[float, float]) -> tuple[float, float, float, float]:
    x, y, wide, high = inches
    return x / size[0], y / size[1], wide / size[0], high / size[1]


def _draw_ranks(panel: Axes, rows: Sequence[Row], styles: Mapping[str, Style]) -> None:
    for place, row in enumerate(rows):
        if row.place is not None:
            draw_rank(panel, row, place, styles[row.method.id])
    panel.set_ylim(-0.6, len(rows) - 0.4)
    panel.set_xlabel("mean rank (1 = best)", fontsize=7.5)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    gridded(panel.xaxis)
    plain(panel, 7.5)
    panel.tick_params(axis="y", length=0)


def _head(matrix: Axes, heads: Sequence[str], rows: int) -> None:
    """Name the columns of a block of cells above them."""
    matrix.set_ylim(-0.6, rows - 0.4)
    matrix.set_xlim(0, max(len(heads), 1))
    matrix.xaxis.tick_top()
    matrix.set_xticks([place + 0.5 for place in range(len(heads))])
    matrix.set_xticklabels(heads, fontsize=6.5, color=INK, parse_math=False, rotation=90, linespacing=1.0)
    matrix.set_yticks([])
    bare(matrix)


def _draw_cells(matrix: Axes, row: Row, place: int, ranked: int, block: range) -> None:
    for column, value in enumerate(row.values[block.start : block.stop]):
        known = math.isfinite(value.rank)
        share = DARKEST * (1 - (value.rank - 1) / max(ranked - 1, 1)) if known else 0.0
        colour = mpl.colormaps[SHADES](share) if known else "#f4f4f4"
        matrix.add_patch(Rectangle((column + 0.02, place - 0.47), 0.96, 0.94, facecolor=colour, linewidth=0))
        matrix.text(
            column + 0.5, place, number(value.mean), fontsize=6.5, ha="center", va="center",
            color=INK if known else SOFT, fontweight="bold" if value.best else "normal",
        )  # fmt: skip
