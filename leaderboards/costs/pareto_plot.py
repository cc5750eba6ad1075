"""The plot of quality against cost: mean rank over relative cost, and the front of what no other beats in both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..standings.styles import Style, family_styles, names_in_figures
from ..writing.ink import (
    INK,
    SOFT,
    Margins,
    gridded,
    legend,
    legend_width,
    logarithmic,
    note_at_foot,
    panel_grid,
    plain,
    title,
)
from .pareto import Pareto, ParetoPoint
from .plots import cost_tick

PANEL = (2.85, 2.5)
PANELS_ACROSS = 2
LEGEND_ACROSS = 3
CHEAPEST = 0.01
"""Costs below this many forward passes are drawn here: some controls ask nothing of the network."""

OFFSETS = tuple(
    (x * 9.0 / math.hypot(x, y), y * 9.0 / math.hypot(x, y)) for x, y in product((-1, 0, 1), repeat=2) if x or y
)
"""Where a point's number may stand, in printer's points from the middle of its marker."""


def draw_paretos(found: Sequence[Pareto], styles: Mapping[str, Style] | None = None) -> Figure:
    """Draw mean rank (best at the top) over relative cost (logarithmic) with intervals, and the front as a line.

    Parameters
    ----------
    found
        At least one; those of one task belong together. Each is a panel; panels have one size, and a method has the
        same look and number in all of them. Numbers of the front are bold.
    styles
        How methods are drawn; where None, as `family_styles` has it for those of the points.
    """
    methods = {point.method.id: point.method for item in found for point in item.points}
    looks = styles or family_styles(methods.values())
    ranks = {name: [p.rank.value for item in found for p in item.points if p.method.id == name] for name in methods}
    order = sorted(methods, key=lambda name: sum(ranks[name]) / len(ranks[name]))
    numbers = {name: str(number) for number, name in enumerate(order, 1)}
    across = min(len(found), PANELS_ACROSS)
    columns = LEGEND_ACROSS if across > 1 else 2
    legend_height = 0.17 * math.ceil(len(order) / columns) + 0.1
    names = names_in_figures(methods.values())
    entries = {f"{numbers[name]}  {names[name]}": looks[name].handle(linestyle="") for name in order}
    costs = [point.cost.value for item in found for point in item.points]
    # The last tick's words may stand beyond the panel, and names be wider than it.
    width = 0.55 + across * PANEL[0] + (across - 1) * 0.5
    right = max(0.3 if max(costs) > 1e4 else 0.15, legend_width(list(entries), columns, 7.5) - width)
    margins = Margins(left=0.55, bottom=0.68 + legend_height, right=right, across=0.5, down=0.8)
    figure, panels = panel_grid(across, math.ceil(len(found) / across), PANEL, margins)
    for panel in panels.ravel()[len(found) :]:
        panel.set_axis_off()
    lowest = max(_reach(point) for item in found for point in item.points)
    for panel, item in zip(panels.ravel(), found, strict=False):
        panel.set_ylim(lowest + 0.5, 0.5)
        _draw_panel(panel, item, looks, numbers)
        title(panel, item.place if len(found) > 1 else item.title, 8)
    for row in panels:
        row[0].set_ylabel("mean rank over metrics (1 = best)", fontsize=7.5)
    legend(figure, entries, 7.5, loc="lower center", ncols=columns, bbox_to_anchor=(0.5, 0.2 / figure.get_figheight()))
    cheap = f" Costs below {cost_tick(CHEAPEST)} stand there." if min(costs) < CHEAPEST else ""
    note_at_foot(figure, f"Lines: 95 % intervals. Dotted, and numbers in bold: the front.{cheap}")
    return figure


def _reach(point: ParetoPoint) -> float:
    return point.rank.high if math.isfinite(point.rank.high) else point.rank.value


def _draw_panel(panel: Axes, found: Pareto, styles: Mapping[str, Style], numbers: Mapping[str, str]) -> None:
    panel.set_xscale("log")
    for point in found.points:
        _draw_point(panel, point, styles[point.method.id])
    _draw_front(panel, found.front)
    panel.set_xlabel("cost in bare forward passes of the network", fontsize=7.5)
    logarithmic(panel.xaxis, cost_tick)
    gridded(panel, "#e8e8e8", 0.5)
    plain(panel, 7)
    costs = [max(point.cost.value, CHEAPEST) for point in found.points]
    panel.set_xlim(min(costs) / 2.5, 2.5 * max(costs))
    _number_points(panel, found.points, styles, numbers)


def _draw_point(panel: Axes, point: ParetoPoint, style: Style) -> None:
    cost, rank = max(point.cost.value, CHEAPEST), point.rank.value
    line: dict[str, Any] = {"color": style.colour, "linewidth": 0.8, "alpha": 0.5, "zorder": 2}
    if math.isfinite(point.rank.low):
        panel.plot([cost, cost], [point.rank.low, point.rank.high], **line)
    if math.isfinite(point.cost.low):
        panel.plot([max(end, CHEAPEST) for end in (point.cost.low, point.cost.high)], [rank, rank], **line)
    panel.plot([cost], [rank], **style.mark, linestyle="", markersize=5.5, zorder=3)


def _draw_front(panel: Axes, front: Sequence[ParetoPoint]) -> None:
    """Draw the staircase of what the front makes possible."""
    if len(front) < 2:
        return
    costs = [max(point.cost.value, CHEAPEST) for point in front]
    ranks = [point.rank.value for point in front]
    panel.step(costs, ranks, where="post", color=SOFT, linewidth=1.0, linestyle=":", zorder=1, label="front")


def _number_points(
    panel: Axes, points: Sequence[ParetoPoint], styles: Mapping[str, Style], numbers: Mapping[str, str]
) -> None:
    """Write each method's number beside its point, on the side with the most room."""
    ends, ranks = [math.log(end) for end in panel.get_xlim()], panel.get_ylim()
    middles = [
        (
            72 * PANEL[0] * (math.log(max(point.cost.value, CHEAPEST)) - ends[0]) / (ends[1] - ends[0]),
            72 * PANEL[1] * (point.rank.value - ranks[0]) / (ranks[1] - ranks[0]),
        )
        for point in points
    ]
    taken = list(middles)

    def inside(x: float, y: float) -> bool:
        return 6.0 <= x <= 72 * PANEL[0] - 6.0 and 6.0 <= y <= 72 * PANEL[1] - 6.0

    for point, (x, y) in zip(points, middles, strict=True):
        others = [place for place in taken if place != (x, y)]
        room = {
            (dx, dy): min([30.0, *(math.hypot(x + dx - u, y + dy - v) for u, v in others)])
            - 6.0 * (abs(dx) < 1)
            - 30.0 * (not inside(x + dx, y + dy))
            for dx, dy in OFFSETS
        }
        dx, dy = max(room, key=lambda offset: room[offset])
        taken.append((x + dx, y + dy))
        panel.annotate(
            numbers[point.method.id],
            (max(point.cost.value, CHEAPEST), point.rank.value),
            xytext=(dx, dy),
            textcoords="offset points",
            fontsize=6.5,
            fontweight="bold" if point.on_front else "normal",
            color=INK if point.on_front else styles[point.method.id].colour,
            ha="center",
            va="center",
            zorder=4,
        )
