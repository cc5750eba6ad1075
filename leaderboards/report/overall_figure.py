"""The figure of the standing across tasks: mean ranks with intervals, and where each block puts a method."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.figure import Figure

from ..across.overall import Overall
from ..standings.styles import Style, family_styles
from ..writing.ink import NAME_WIDTH, Margins, gridded, name_rows, note_at_foot, panel_grid, plain, title
from ..writing.numbers import counted
from .ranks import LEADING, PANEL_WIDTH, ROW_HEIGHT


def overall_figure(standing: Overall, looks: Mapping[str, Style]) -> Figure | None:
    """Return the mean ranks across tasks with their intervals, and a small mark for each block; None without ranks.

    Methods are drawn in the board's looks; a mean of variants, which is none of its methods, as `family_styles` has it
    for those of the standing.
    """
    rows = standing.ranked[::-1]
    if not rows:
        return None
    styles = {**family_styles(row.method for row in standing.rows), **looks}
    left = NAME_WIDTH * max(len(row.method.label) for row in rows) + 0.15
    size = (2 * PANEL_WIDTH, ROW_HEIGHT * (len(rows) + 0.6))
    figure, panels = panel_grid(1, 1, size, Margins(left, bottom=0.72))
    panel = panels[0, 0]
    for height, row in enumerate(rows):
        style = styles[row.method.id]
        if row.leads:
            panel.axhspan(height - 0.5, height + 0.5, color=LEADING, linewidth=0, zorder=0)
        panel.plot(
            row.in_blocks, [height] * len(row.in_blocks), "|", color="#999999", markersize=5, markeredgewidth=0.7
        )
        if math.isfinite(row.mean_rank_low):
            panel.plot([row.mean_rank_low, row.mean_rank_high], [height] * 2, color=style.colour, linewidth=1.2)
        panel.plot([row.mean_rank], [height], **style.mark, linestyle="", markersize=5)
    name_rows(panel, [row.method.label for row in rows])
    panel.set_ylim(-0.8, len(rows) - 0.2)
    panel.set_xlabel("mean rank (1 = best)", fontsize=7.5)
    title(panel, f"{counted(len(standing.tasks), 'task')} in {counted(len(standing.blocks), 'block')}", 8)
    gridded(panel.xaxis)
    plain(panel, 7.5)
    panel.tick_params(axis="y", length=0)
    panel.spines[["left", "bottom"]].set_color("#888888")
    lines = "Lines: 95 % interval from resampled blocks. " if math.isfinite(rows[0].mean_rank_low) else ""
    shaded = " Shaded: not told apart from the best." if any(row.leads for row in rows) else ""
    note_at_foot(figure, f"{lines}Strokes: the blocks.{shaded}")
    return figure
