"""Per-sample scatter pictures: every sample at its score on the first side and on the second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..standings.styles import Style, family_styles
from ..statistics.ranks import rounded
from ..writing.ink import FRAMEWORK_COLOURS, INK, SOFT, legend, plain, sheet, title
from ..writing.names import shown
from ..writing.text_tables import in_parts
from .comparison import Compared, ComparedTable, Comparison

PANELS_ACROSS, PANELS = 3, 9
"""So many panels stand beside one another, and in one figure."""
NAMED = 3
"""So many of the samples that differ most are named in a panel."""
LONGEST_NAME = 18
WINS = {"first": (FRAMEWORK_COLOURS[0], "o"), "second": (FRAMEWORK_COLOURS[1], "D"), "neither": ("#999999", "x")}
"""Colour and marker of a sample by who is better on it."""


def scatter_figures(comparison: Comparison) -> list[Figure]:
    """Return the figures of all tables: a panel per metric, a point per sample (of two runs, per method and sample)."""
    figures = []
    for table in comparison.tables:
        metrics: dict[str, list[Compared]] = {}
        for one in table.compared:
            if one.samples:
                metrics.setdefault(one.metric.id, []).append(one)
        if metrics:
            figures += [draw_scatter(comparison, table, part) for part in in_parts(list(metrics.values()), PANELS)]
    return figures


def draw_scatter(comparison: Comparison, table: ComparedTable, metrics: Sequence[Sequence[Compared]]) -> Figure:
    """Draw one table's comparisons, given by metric; on the diagonal both sides have the same score."""
    across = min(PANELS_ACROSS, len(metrics))
    down = -(-len(metrics) // across)
    methods = {one.methods[0].id: one.methods[0] for of_metric in metrics for one in of_metric}
    styles = family_styles(methods.values())
    of_runs = comparison.kind == "runs"
    beside = 2.4 if of_runs else 0.0
    figure = sheet(2.9 * across + beside, max(2.9 * down + 0.7, (0.17 * len(methods) + 0.8) if of_runs else 0))
    panels = figure.subplots(down, across, squeeze=False)
    for place, panel in enumerate(panels.flat):
        if place >= len(metrics):
            panel.remove()
            continue
        _draw_panel(panel, metrics[place], styles if of_runs else None)
    figure.suptitle(table.title, fontsize=9, color=INK, x=0.01, ha="left", parse_math=False)
    first, second = comparison.sides if of_runs else (shown(name, "method") for name in comparison.sides)
    figure.supxlabel(first, fontsize=8, parse_math=False)
    figure.supylabel(second, fontsize=8, parse_math=False)
    if of_runs:
        marks = {method.label: styles[name].handle(linestyle="none") for name, method in methods.items()}
        legend(figure, marks, loc="outside right center")
    else:
        words = {"first": f"{first} better", "second": f"{second} better", "neither": "neither"}
        kinds = {kind for of_metric in metrics for one in of_metric for kind in _winners(one)}
        marks = {
            words[kind]: Line2D([], [], color=WINS[kind][0], marker=WINS[kind][1], linestyle="none", markersize=5)
            for kind in words
            if kind in kinds
        }
        legend(figure, marks, loc="outside upper right", ncols=len(marks))
    return figure


def _draw_panel(panel: Axes, compared: Sequence[Compared], styles: Mapping[str, Style] | None) -> None:
    metric = compared[0].metric
    every = np.concatenate([one.scores.ravel() for one in compared])
    low, high = float(every.min()), float(every.max())
    reach = 0.06 * (high - low) or 0.05 * max(abs(high), 1.0)
    ends = (low - reach, high + reach)
    panel.plot(ends, ends, color="#bbbbbb", linewidth=0.8, zorder=0)
    for one in compared:
        if styles is not None:
            panel.plot(*one.scores, **{**styles[one.methods[0].id].mark, "markersize": 4}, linestyle="none")
            continue
        winners = np.array(_winners(one))
        for kind, (colour, marker) in WINS.items():
            panel.plot(*one.scores[:, winners == kind], marker, color=colour, markersize=4, markeredgewidth=0)
        _name_furthest(panel, one, ends)
    panel.set_xlim(*ends)
    panel.set_ylim(*ends)
    panel.set_aspect("equal")
    title(panel, f"{metric.name} {metric.arrow}", size=8)
    plain(panel, 7)


def _name_furthest(panel: Axes, one: Compared, ends: tuple[float, float]) -> None:
    """Name the samples that differ most, those whose names do not fall onto another's."""
    size, named = ends[1] - ends[0], list[float]()
    for apart in one.furthest(NAMED):
        if any(abs(apart.second - height) < 0.05 * size for height in named):
            continue
        named.append(apart.second)
        name = apart.sample if len(apart.sample) <= LONGEST_NAME else f"…{apart.sample[1 - LONGEST_NAME :]}"
        right = apart.first > (ends[0] + ends[1]) / 2
        panel.annotate(
            name,
            (apart.first, apart.second),
            xytext=(-4 if right else 4, 2),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=6,
            color=SOFT,
            parse_math=False,
        )


def _winners(one: Compared) -> list[str]:
    """Return for each sample which side is better on it."""
    if one.metric.higher_is_better is None:
        return ["neither"] * len(one.samples)
    first, second = rounded(one.scores)
    lead = (first - second) * (1 if one.metric.higher_is_better else -1)
    return ["first" if value > 0 else "second" if value < 0 else "neither" for value in lead.tolist()]
