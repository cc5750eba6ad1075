"""Per-sample scatter pictures: every sample at its score on the first side and on the second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..standings.styles import Style, family_styles
from ..writing.ink import FRAMEWORK_COLOURS, INK, SOFT, legend, plain, sheet, title
from ..writing.names import shown
from ..writing.text_tables import in_parts
from .comparison import Compared, ComparedTable, Comparison

PANELS_ACROSS, PANELS = 3, 9
"""So many panels stand beside one another, and in one figure."""
NAMED = 3
"""So many of the samples that differ most are named in a panel."""
LONGEST_NAME = 18
WINS = {"first": FRAMEWORK_COLOURS[0], "second": FRAMEWORK_COLOURS[1], "neither": "#999999"}


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
        entries = {
            shown(name, "method") + (" †" if method.control else ""): styles[name].handle(linestyle="none")
            for name, method in methods.items()
        }
    else:
        entries = {
            words: Line2D([], [], color=colour, marker="o", linestyle="none", markersize=5)
            for words, colour in ((f"{first} better", WINS["first"]), (f"{second} better", WINS["second"]))
        }
    legend(
        figure, entries, loc="outside right center" if of_runs else "outside lower center", ncols=1 if of_runs else 2
    )
    return figure


def _draw_panel(panel: Axes, compared: Sequence[Compared], styles: Mapping[str, Style] | None) -> None:
    metric = compared[0].metric
    every = np.concatenate([one.scores.ravel() for one in compared])
    low, high = float(every.min()), float(every.max())
    reach = 0.06 * (high - low) or 0.05 * max(abs(high), 1.0)
    ends = (low - reach, high + reach)
    panel.plot(ends, ends, color="#bbbbbb", linewidth=0.8, zorder=0)
    for one in compared:
        if styles is None:
            panel.scatter(*one.scores, c=_colours(one), s=18, linewidths=0)
        else:
            panel.plot(*one.scores, **{**styles[one.methods[0].id].mark, "markersize": 4}, linestyle="none")
    for one in compared if styles is None else ():
        for apart in one.furthest(NAMED):
            name = apart.sample if len(apart.sample) <= LONGEST_NAME else f"…{apart.sample[1 - LONGEST_NAME :]}"
            right = apart.first > (low + high) / 2
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
    panel.set_xlim(*ends)
    panel.set_ylim(*ends)
    panel.set_aspect("equal")
    title(panel, f"{shown(metric.id, 'metric')} {metric.arrow}", size=8)
    plain(panel, 7)


def _colours(one: Compared) -> list[str]:
    """Return for each sample the colour of who is better on it."""
    if one.metric.higher_is_better is None:
        return [WINS["neither"]] * len(one.samples)
    lead = (one.scores[0] - one.scores[1]) * (1 if one.metric.higher_is_better else -1)
    return [WINS["first"] if value > 0 else WINS["second"] if value < 0 else WINS["neither"] for value in lead.tolist()]
