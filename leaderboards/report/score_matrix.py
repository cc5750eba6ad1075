"""A leaderboard as one figure: mean ranks with intervals beside every metric's means, shaded by rank."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ..standings.standings import Row, Table
from ..standings.styles import Style, names_in_figures
from ..writing.ink import (
    INK,
    NAME_WIDTH,
    SOFT,
    Margins,
    bare,
    broken,
    gridded,
    name_rows,
    note_at_foot,
    panel_grid,
    plain,
)
from ..writing.numbers import number
from .ranks import ROW_HEIGHT, draw_rank

RANKS_WIDTH = 1.7
CELL_WIDTH = 0.72
SHADES = "Blues"
DARKEST = 0.6
"""Of the scale of shades, so that ink can be read on all of it."""


def draw_board(table: Table, styles: Mapping[str, Style]) -> Figure:
    """Draw one table: ranked methods from the best, then those that are not ranked.

    Cells hold means, darker for better ranks on their metric; bold: not told apart from the best there. Each metric is
    a column of its own; a board of many metrics is as wide as they are.
    """
    rows = table.rows[::-1]
    names = list(names_in_figures([row.method for row in rows]).values())
    heads = [broken(f"{metric.name}\u00a0{metric.arrow}", 0.78 * CELL_WIDTH, 6.5) for metric in table.metrics]
    head = 0.115 * max((text.count("\n") + 1 for text in heads), default=1)
    cells = CELL_WIDTH * max(len(table.metrics), 1)
    margins = Margins(
        NAME_WIDTH * max(map(len, names), default=8) + 0.15, bottom=0.6, right=cells + 0.25, top=head + 0.4
    )
    size = (RANKS_WIDTH, ROW_HEIGHT * (len(rows) + 0.2))
    figure, panels = panel_grid(1, 1, size, margins)
    panel = panels[0, 0]
    left, bottom, _, height = panel.get_position().bounds
    width = figure.get_figwidth()
    matrix = figure.add_axes((left + (RANKS_WIDTH + 0.15) / width, bottom, cells / width, height))
    for place, row in enumerate(rows):
        if row.place is not None:
            draw_rank(panel, row, place, styles[row.method.id])
        _draw_cells(matrix, row, place, len([one for one in rows if one.place is not None]))
    name_rows(panel, names)
    for axes in (panel, matrix):
        axes.set_ylim(-0.6, len(rows) - 0.4)
    panel.set_xlabel("mean rank (1 = best)", fontsize=7.5)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    gridded(panel.xaxis)
    plain(panel, 7.5)
    panel.tick_params(axis="y", length=0)
    matrix.set_xlim(0, max(len(table.metrics), 1))
    matrix.xaxis.tick_top()
    matrix.set_xticks([place + 0.5 for place in range(len(heads))])
    matrix.set_xticklabels(heads, fontsize=6.5, color=INK, parse_math=False)
    matrix.set_yticks([])
    bare(matrix)
    figure.text(0.08 / width, 1 - 0.08 / figure.get_figheight(), table.setting.title, fontsize=8, color=INK, va="top",
                parse_math=False)  # fmt: skip
    note_at_foot(figure, "Darker: a better rank. Bold, and shaded at the left: not told apart from the best.")
    return figure


def _draw_cells(matrix: Axes, row: Row, place: int, ranked: int) -> None:
    for column, value in enumerate(row.values):
        known = math.isfinite(value.rank)
        share = DARKEST * (1 - (value.rank - 1) / max(ranked - 1, 1)) if known else 0.0
        colour = mpl.colormaps[SHADES](share) if known else "#f4f4f4"
        matrix.add_patch(Rectangle((column + 0.02, place - 0.47), 0.96, 0.94, facecolor=colour, linewidth=0))
        matrix.text(
            column + 0.5, place, number(value.mean), fontsize=6.5, ha="center", va="center",
            color=INK if known else SOFT, fontweight="bold" if value.best else "normal",
        )  # fmt: skip
