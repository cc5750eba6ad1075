"""The figure of mean ranks with intervals: a panel per framework, the best at the top."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..standings.standings import Row, Table
from ..standings.styles import Style, family_styles, names_in_figures
from ..writing.ink import NAME_WIDTH, Margins, gridded, name_rows, note_at_foot, panel_grid, plain, title
from .curves import from_best

PANEL_WIDTH = 2.1
ROW_HEIGHT = 0.2
PANELS_ACROSS = 2
LEADING = "#dfe9f5"
"""Behind the methods that cannot be told apart from the best."""


def ranks_figure(tables: Sequence[Table], styles: Mapping[str, Style] | None = None) -> Figure | None:
    """Return one task's mean ranks with intervals, its frameworks side by side; None where no rank is known.

    Parameters
    ----------
    tables
        Of one task.
    styles
        How methods are drawn; where None, as `family_styles` has it for those of the tables.
    """
    placed = [{row.method.id: row for row in table.rows if row.place is not None} for table in tables]
    methods = [method for method in from_best(tables) if any(method.id in rows for rows in placed)][::-1]
    if not methods:
        return None
    looks = styles or family_styles(methods)
    across = min(len(tables), PANELS_ACROSS)
    size = (PANEL_WIDTH if len(tables) > 1 else 2 * PANEL_WIDTH, ROW_HEIGHT * (len(methods) + 0.6))
    names = list(names_in_figures(methods).values())
    left = NAME_WIDTH * max(map(len, names)) + 0.15
    figure, panels = panel_grid(
        across, math.ceil(len(tables) / across), size, Margins(left, bottom=0.62, across=0.25, down=0.75)
    )
    for panel in panels.ravel()[len(tables) :]:
        panel.set_axis_off()
    worst = max(_reach(row) for rows in placed for row in rows.values())
    for place, (panel, table, rows) in enumerate(zip(panels.ravel(), tables, placed, strict=False)):
        for height, method in enumerate(methods):
            if method.id in rows:
                draw_rank(panel, rows[method.id], height, looks[method.id])
        name_rows(panel, names if place % across == 0 else [""] * len(names))
        panel.set_ylim(-0.8, len(methods) - 0.2)
        panel.set_xlim(min(0.8, worst - 0.5), worst + 0.3)
        panel.set_xlabel("mean rank (1 = best)", fontsize=7.5)
        title(panel, table.setting.framework_name if len(tables) > 1 else table.setting.title, 8)
        gridded(panel.xaxis)
        plain(panel, 7.5)
        panel.tick_params(axis="y", length=0)
        panel.spines[["left", "bottom"]].set_color("#888888")
    note_at_foot(figure, "Lines: 95 % interval on this board. Shaded: not told apart from the best.")
    return figure


def _reach(row: Row) -> float:
    return row.mean_rank_high if math.isfinite(row.mean_rank_high) else row.mean_rank


def draw_rank(panel: Axes, row: Row, height: float, style: Style) -> None:
    """Draw one method's mean rank with its interval, on a shade where it is not told apart from the best."""
    if row.leads:
        panel.axhspan(height - 0.5, height + 0.5, color=LEADING, linewidth=0, zorder=0)
    if math.isfinite(row.mean_rank_low) and math.isfinite(row.mean_rank_high):
        panel.plot([row.mean_rank_low, row.mean_rank_high], [height, height], color=style.colour, linewidth=1.2)
    panel.plot([row.mean_rank], [height], **style.mark, linestyle="", markersize=5)
