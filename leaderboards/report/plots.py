"""Figures of the leaderboard: mean perturbation curves, and mean ranks with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..standings.curves import MeanCurve, mean_curves
from ..standings.registered import MethodFacts, MetricFacts
from ..standings.standings import Row, Table
from ..standings.styles import Style, family_styles
from ..writing.ink import FRAMEWORK_COLOURS, gridded, legend, name_rows, plain, sheet, title
from ..writing.text_tables import in_parts

FRAMEWORK_MARKERS = ("o", "s", "^", "D")
PANELS_ACROSS = 4


def curves_figures(tables: Sequence[Table]) -> list[Figure]:
    """Return the mean curves of one task, given its tables in every framework.

    Metrics are columns, at most four to a figure, and frameworks are rows.
    """
    curves = {table.setting.framework_name: mean_curves(table.results) for table in tables}
    curves = {name: found for name, found in curves.items() if found}
    metrics = {metric.id: metric for table in tables for metric in table.metrics}
    methods = list({row.method.id: row.method for table in tables for row in table.rows}.values())
    shown = [metric for metric in metrics.values() if any(metric.id in found for found in curves.values())]
    return [draw_curves(curves, methods, part) for part in in_parts(shown, PANELS_ACROSS) if part]


def draw_curves(
    curves: Mapping[str, Mapping[str, Mapping[str, MeanCurve]]],
    methods: Sequence[MethodFacts],
    metrics: Sequence[MetricFacts],
) -> Figure:
    """Draw one panel per framework (rows) and metric (columns), with one legend beside them, from best to worst.

    A method has the same colour and marker in all panels, and a band for the 95 % interval of its mean. The curves are
    given by framework, metric and method.
    """
    styles = family_styles(methods)
    across, down = len(metrics), len(curves)
    figure = sheet(2.75 * across + 2.1, max(2.5 * down + 0.3, 0.17 * len(methods) + 0.6))
    panels = figure.subplots(down, across, squeeze=False, sharey="col", sharex=True)
    for row, (framework, by_metric) in enumerate(curves.items()):
        for column, metric in enumerate(metrics):
            panel, found = panels[row, column], by_metric.get(metric.id, {})
            for number, method in enumerate(methods):
                if method.id in found:
                    _draw_curve(panel, found[method.id], styles[method.id], number)
            if row == 0:
                title(panel, f"{metric.id} {metric.arrow}")
            if row == down - 1:
                panel.set_xlabel("share of positions", fontsize=8)
            panel.set_xlim(0, 1)
            _plain(panel)
        panels[row, 0].set_ylabel(framework, fontsize=9, parse_math=False)
    drawn = [m for m in methods if any(m.id in found for by in curves.values() for found in by.values())]
    legend(figure, {m.label: styles[m.id].handle() for m in drawn}, loc="outside right center")
    return figure


def ranks_figures(tables: Sequence[Table]) -> list[Figure]:
    """Return a figure of one task's mean ranks with intervals, its frameworks beside one another, if any are known."""
    placed = [{row.method.id: row for row in table.rows if row.place is not None} for table in tables]
    names = list(dict.fromkeys(name for rows in placed for name in rows))
    if not names:
        return []
    # Best at the top, by the mean over frameworks.
    known = {name: [rows[name] for rows in placed if name in rows] for name in names}
    names.sort(key=lambda name: sum(row.mean_rank for row in known[name]) / len(known[name]), reverse=True)
    figure = sheet(7.0, 0.9 + 0.27 * len(names))
    axes = figure.subplots()
    spread = 0.32 * (len(tables) > 1)
    entries = {}
    for number, (table, rows) in enumerate(zip(tables, placed, strict=True)):
        colour, marker = FRAMEWORK_COLOURS[number % 4], FRAMEWORK_MARKERS[number % 4]
        offset = spread * (0.5 - number / max(len(tables) - 1, 1))
        for height, name in enumerate(names):
            if name in rows:
                _draw_rank(axes, rows[name], height + offset, colour, marker)
        entries[table.setting.framework_name] = Line2D([], [], color=colour, marker=marker, markersize=5)
    name_rows(axes, [known[name][0].method.label for name in names])
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlabel(
        "mean rank on this board (1 = best), 95 % interval; filled: not separable from the best", fontsize=8
    )
    gridded(axes.xaxis)
    _plain(axes)
    legend(axes, entries, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4)
    return [figure]


def _draw_curve(panel: Axes, curve: MeanCurve, style: Style, number: int) -> None:
    panel.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.08, linewidth=0)
    panel.plot(curve.x, curve.mean, **style.look, linewidth=1.3, markersize=3.6, markevery=(number % 12, 12))


def _draw_rank(axes: Axes, row: Row, height: float, colour: str, marker: str) -> None:
    if math.isfinite(row.mean_rank_low) and math.isfinite(row.mean_rank_high):
        axes.plot([row.mean_rank_low, row.mean_rank_high], [height, height], color=colour, linewidth=1.3)
    face = colour if row.leads else "white"
    axes.plot([row.mean_rank], [height], marker, color=colour, markerfacecolor=face, markersize=5)


def _plain(axes: Axes) -> None:
    plain(axes)
    axes.spines[["left", "bottom"]].set_color("#888888")
