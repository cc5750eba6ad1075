"""Figures of the leaderboard: mean perturbation curves, and mean ranks with intervals.

Figures are made without pyplot, so drawing changes no global state.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..standings.curves import MeanCurve, mean_curves
from ..standings.registered import MethodFacts, MetricFacts
from ..standings.standings import Row, Standings, Table
from .tables import in_parts

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
CONTROL_GREYS = ("#2b2b2b", "#6f6f6f", "#a3a3a3")
CONTROL_MARKERS = ("x", "+", "1", "2", "3", "4")
FRAMEWORK_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
FRAMEWORK_MARKERS = ("o", "s", "^", "D")
INK = "#222222"
PANELS_ACROSS = 4
CURVE_RESAMPLES = 500


@dataclass(frozen=True)
class Style:
    """How one method is drawn in every panel."""

    colour: Any
    marker: str
    line: Literal["-", "--"]


def method_styles(methods: Sequence[MethodFacts]) -> dict[str, Style]:
    """Return one colour and marker per method: hues for contenders, dashed greys for controls."""
    contenders = [method for method in methods if not method.control]
    controls = [method for method in methods if method.control]
    if len(contenders) <= 8:
        # Without the palette's grey, which controls use, and its yellow, which is too light on white.
        colours = [colour for number, colour in enumerate(sns.color_palette("colorblind", 10)) if number not in (7, 8)]
    else:
        hues = sns.husl_palette(len(contenders), s=0.95, l=0.52)
        # Neighbours in the legend get hues that are far apart.
        step = next(s for s in range(len(hues) // 3 + 1, len(hues) + 2) if math.gcd(s, len(hues)) == 1)
        colours = [hues[number * step % len(hues)] for number in range(len(hues))]
    styles = {
        method.id: Style(colours[number], MARKERS[number % len(MARKERS)], "-")
        for number, method in enumerate(contenders)
    }
    for number, method in enumerate(controls):
        grey = CONTROL_GREYS[number % len(CONTROL_GREYS)]
        styles[method.id] = Style(grey, CONTROL_MARKERS[number % len(CONTROL_MARKERS)], "--")
    return styles


def curves_figures(tables: Sequence[Table], standings: Standings) -> list[Figure]:
    """Return the mean curves of one task: metrics as columns, at most four to a figure, and frameworks as rows.

    Parameters
    ----------
    tables
        Tables of the same task in different frameworks.
    """
    curves = {
        table.setting.framework_name: mean_curves(table.results, CURVE_RESAMPLES, standings.seed) for table in tables
    }
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
    """Draw one panel per framework (rows) and metric (columns), with one legend beside them.

    A method has the same colour and marker in all panels, and a band for the 95 % interval of its mean.

    Parameters
    ----------
    curves
        By framework, metric and method (see `curves.mean_curves`).
    methods
        From best to worst: the order of the legend.
    metrics
        The metrics to draw.
    """
    styles = method_styles(methods)
    across, down = len(metrics), len(curves)
    figure = Figure(
        figsize=(2.75 * across + 2.1, max(2.5 * down + 0.3, 0.17 * len(methods) + 0.6)), layout="constrained"
    )
    panels = figure.subplots(down, across, squeeze=False, sharey="col", sharex=True)
    for row, (framework, by_metric) in enumerate(curves.items()):
        for column, metric in enumerate(metrics):
            panel, found = panels[row, column], by_metric.get(metric.id, {})
            for number, method in enumerate(methods):
                if method.id in found:
                    _draw_curve(panel, found[method.id], styles[method.id], number)
            if row == 0:
                write_text(panel.set_title("-", fontsize=9, color=INK, loc="left"), f"{metric.id} {metric.arrow}")
            if row == down - 1:
                panel.set_xlabel("share of positions", fontsize=8)
            panel.set_xlim(0, 1)
            _plain(panel)
        write_text(panels[row, 0].set_ylabel("-", fontsize=9), framework)
    drawn = [m for m in methods if any(m.id in found for by in curves.values() for found in by.values())]
    _legend(figure, drawn, styles)
    return figure


def ranks_figure(tables: Sequence[Table]) -> Figure | None:
    """Draw the mean ranks with intervals of the methods of one task, its frameworks beside one another.

    Parameters
    ----------
    tables
        Tables of the same task in different frameworks.
    """
    placed = [{row.method.id: row for row in table.rows if row.place is not None} for table in tables]
    names = list(dict.fromkeys(name for rows in placed for name in rows))
    if not names:
        return None
    # Best at the top, by the mean over frameworks.
    known = {name: [rows[name] for rows in placed if name in rows] for name in names}
    names.sort(key=lambda name: sum(row.mean_rank for row in known[name]) / len(known[name]), reverse=True)
    figure = Figure(figsize=(7.0, 0.9 + 0.27 * len(names)), layout="constrained")
    axes = figure.subplots()
    spread = 0.32 * (len(tables) > 1)
    handles = []
    for number, (table, rows) in enumerate(zip(tables, placed, strict=True)):
        colour, marker = FRAMEWORK_COLOURS[number % 4], FRAMEWORK_MARKERS[number % 4]
        offset = spread * (0.5 - number / max(len(tables) - 1, 1))
        for height, name in enumerate(names):
            if name in rows:
                _draw_rank(axes, rows[name], height + offset, colour, marker)
        handles.append(Line2D([], [], color=colour, marker=marker, markersize=5, label=table.setting.framework_name))
    axes.set_yticks(range(len(names)))
    labels = [f"{name} †" if known[name][0].method.control else name for name in names]
    for label in axes.set_yticklabels(labels, fontsize=8, parse_math=False):
        label.set_fontstyle("italic" if label.get_text().endswith("†") else "normal")
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlabel("mean rank over metrics (1 = best), 95 % interval; filled: not separable from the best", fontsize=8)
    axes.xaxis.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    _plain(axes)
    axes.legend(handles=handles, fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4)
    return figure


def svg_uri(figure: Figure) -> str:
    """Return a figure as a data URI (SVG, the same bytes each time)."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "heatmark"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _draw_curve(panel: Axes, curve: MeanCurve, style: Style, number: int) -> None:
    panel.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.08, linewidth=0)
    panel.plot(
        curve.x,
        curve.mean,
        style.line,
        color=style.colour,
        linewidth=1.3,
        marker=style.marker,
        markersize=3.6,
        markevery=(number % 12, 12),
    )


def _draw_rank(axes: Axes, row: Row, height: float, colour: str, marker: str) -> None:
    if math.isfinite(row.mean_rank_low) and math.isfinite(row.mean_rank_high):
        axes.plot([row.mean_rank_low, row.mean_rank_high], [height, height], color=colour, linewidth=1.3)
    face = colour if row.group == "a" else "white"
    axes.plot([row.mean_rank], [height], marker, color=colour, markerfacecolor=face, markersize=5)


def _legend(figure: Figure, methods: Sequence[MethodFacts], styles: Mapping[str, Style]) -> None:
    handles = [
        Line2D([], [], color=styles[m.id].colour, marker=styles[m.id].marker, linestyle=styles[m.id].line, markersize=4)
        for m in methods
    ]
    legend = figure.legend(handles, ["-"] * len(handles), loc="outside right center", fontsize=8, frameon=False)
    for text, method in zip(legend.get_texts(), methods, strict=True):
        write_text(text, f"{method.id} †" if method.control else method.id)


def write_text(text: Text, words: str) -> None:
    """Set a text as it is: names may hold dollar signs, which would start a formula, or a leading underscore."""
    text.set_parse_math(False)
    text.set_text(words)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#888888")
    axes.tick_params(labelsize=8, colors=INK, length=3, width=0.6)
