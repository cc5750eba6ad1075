"""Quality against cost: which methods no other beats in both, as a table and a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ..report.plots import INK, Style, method_styles, write_text
from ..report.tables import escaped
from ..standings.registered import MethodFacts
from ..standings.standings import Row, Standings, Table
from ..statistics.timed import Estimate
from ..writing import numbers as formatting
from .tables import CostTable, cost_text, markdown_table

CHEAPEST = 0.01
"""Costs below this many forward passes are drawn here: some controls ask nothing of the network."""

HEADS = ("method", "mean rank", "interval", "cost", "interval", "time", "on the front")
NOTE = (
    "A method is on the front if no other ranked method has both a better mean rank and a lower cost. Cost: the time "
    "per image over that of the bare network's forward pass. Controls (†) are shown but compete with no one."
)


@dataclass(frozen=True)
class ParetoPoint:
    """A ranked method with its cost.

    Attributes
    ----------
    method
        The method.
    rank
        Its mean rank with interval; 1 is best.
    cost
        Its relative cost with interval; the interval is NaN where the run's own times are all there is.
    seconds
        Its time per image.
    on_front
        Whether no other contender is better in both.
    """

    method: MethodFacts
    rank: Estimate
    cost: Estimate
    seconds: float
    on_front: bool


@dataclass(frozen=True)
class Pareto:
    """The ranked methods of one leaderboard table on one device, from the cheapest.

    Attributes
    ----------
    title
        Task, framework and device.
    points
        The methods whose rank and cost are known.
    measured
        Whether the costs are those of a runtime benchmark rather than of the run itself.
    """

    title: str
    points: tuple[ParetoPoint, ...]
    measured: bool

    @property
    def front(self) -> tuple[ParetoPoint, ...]:
        """The methods on the front, from the cheapest."""
        return tuple(point for point in self.points if point.on_front)


def on_front(ranks: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Return for each entry whether no other is at least as good in both and better in one; lower is better."""
    pairs = list(zip(ranks, costs, strict=True))
    return [not any(other != pair and other[0] <= pair[0] and other[1] <= pair[1] for other in pairs) for pair in pairs]


def paretos(standings: Standings, costs: Sequence[CostTable] = ()) -> tuple[Pareto, ...]:
    """Return the quality and cost of every leaderboard table, one for each device that costs were measured on.

    Parameters
    ----------
    standings
        A run's standings.
    costs
        Measured costs; a table without any of its network, framework and precision takes the run's own times.
    """
    found = []
    for table in standings.tables:
        measured = [_measured(table, cost) for cost in fitting_costs(table, costs)]
        found += measured or [_own(table, _device(standings, table))]
    return tuple(item for item in found if item.points)


def fitting_costs(table: Table, costs: Sequence[CostTable]) -> list[CostTable]:
    """Return the measured costs of a table's network, framework and precision, one for each device."""
    setting = table.setting
    wanted = (setting.task.shown_model, setting.framework, setting.precision)
    return [cost for cost in costs if (cost.group.model, cost.group.framework, cost.group.precision) == wanted]


def _device(standings: Standings, table: Table) -> str:
    """Return the device that a table's cells ran on."""
    setting = table.setting
    names = {
        spec.device_class
        for spec in standings.store.expected
        if (spec.task, spec.framework, spec.precision) == (setting.task, setting.framework, setting.precision)
    }
    return ", ".join(sorted(names))


def _measured(table: Table, cost: CostTable) -> Pareto:
    known = cost.by_method
    rows = [
        (row, known[row.method.id].relative, known[row.method.id].measurement.latency.median)
        for row in table.rows
        if row.method.id in known
    ]
    return Pareto(f"{table.setting.title} · {cost.group.device}", _points(rows), measured=True)


def _own(table: Table, device: str) -> Pareto:
    nan = float("nan")
    rows = [(row, Estimate(row.cost.relative, nan, nan), row.cost.seconds) for row in table.rows]
    return Pareto(f"{table.setting.title} · {device}", _points(rows), measured=False)


def _points(rows: Sequence[tuple[Row, Estimate, float]]) -> tuple[ParetoPoint, ...]:
    usable = [item for item in rows if math.isfinite(item[0].mean_rank) and math.isfinite(item[1].value)]
    contenders = [(row, cost) for row, cost, _ in usable if not row.method.control]
    best = on_front([row.mean_rank for row, _ in contenders], [cost.value for _, cost in contenders])
    front = {row.method.id for (row, _), chosen in zip(contenders, best, strict=True) if chosen}
    points = [
        ParetoPoint(
            row.method,
            Estimate(row.mean_rank, row.mean_rank_low, row.mean_rank_high),
            cost,
            seconds,
            row.method.id in front,
        )
        for row, cost, seconds in usable
    ]
    return tuple(sorted(points, key=lambda point: (point.cost.value, point.rank.value)))


def pareto_texts(point: ParetoPoint) -> tuple[str, ...]:
    """Return a method's cells under `HEADS`."""
    low, high = point.cost.low, point.cost.high
    return (
        f"{point.method.id} †" if point.method.control else point.method.id,
        formatting.mean_rank(point.rank.value),
        formatting.mean_rank_interval(point.rank.low, point.rank.high),
        cost_text(point.cost.value),
        f"{cost_text(low)} to {cost_text(high)}" if math.isfinite(low) else "",
        formatting.seconds(point.seconds),
        "yes" if point.on_front else "",
    )


def paretos_markdown(found: Sequence[Pareto]) -> str:
    """Return quality against cost as Markdown tables."""
    parts = ["## Quality against cost", "", NOTE, ""]
    for item in found:
        source = "a runtime benchmark" if item.measured else "the run's own times"
        parts += [f"### {escaped(item.title)} (costs of {source})", ""]
        parts += [*markdown_table(HEADS, map(pareto_texts, item.points)), ""]
    return "\n".join(parts)


def draw_pareto(found: Pareto) -> Figure:
    """Draw mean rank (best at the top) over relative cost (logarithmic) with intervals, and the front as a line."""
    methods = [point.method for point in found.points]
    styles = method_styles(methods)
    figure = Figure(figsize=(7.6, max(3.6, 0.2 * len(methods) + 1.0)), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    for point in found.points:
        _draw_point(axes, point, styles[point.method.id])
    _draw_front(axes, found.front)
    axes.invert_yaxis()
    axes.set_xlabel("cost: time per image in bare forward passes of the network, 95 % interval", fontsize=8)
    axes.set_ylabel("mean rank over metrics (1 = best), 95 % interval", fontsize=8)
    write_text(axes.set_title("-", fontsize=9, color=INK, loc="left"), found.title)
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}x"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(visible=True, color="#e4e4e4", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK, length=3, width=0.6)
    _legend(figure, found, styles)
    return figure


def _draw_point(axes: Axes, point: ParetoPoint, style: Style) -> None:
    cost, rank = max(point.cost.value, CHEAPEST), point.rank.value
    colour = style.colour
    if math.isfinite(point.rank.low):
        axes.plot([cost, cost], [point.rank.low, point.rank.high], color=colour, linewidth=0.9, alpha=0.6)
    if math.isfinite(point.cost.low):
        ends = [max(end, CHEAPEST) for end in (point.cost.low, point.cost.high)]
        axes.plot(ends, [rank, rank], color=colour, linewidth=0.9, alpha=0.6)
    face = colour if point.on_front or point.method.control else "white"
    axes.plot([cost], [rank], style.marker, color=colour, markerfacecolor=face, markersize=6.5, zorder=3)


def _draw_front(axes: Axes, front: Sequence[ParetoPoint]) -> None:
    """Draw the staircase of what the front makes possible."""
    if len(front) < 2:
        return
    costs = np.array([max(point.cost.value, CHEAPEST) for point in front])
    ranks = np.array([point.rank.value for point in front])
    axes.step(costs, ranks, where="post", color="#444444", linewidth=1.1, linestyle=":", zorder=1)


def _legend(figure: Figure, found: Pareto, styles: dict[str, Style]) -> None:
    ordered = sorted(found.points, key=lambda point: point.rank.value)
    handles = []
    for point in ordered:
        style = styles[point.method.id]
        face = style.colour if point.on_front or point.method.control else "white"
        handles.append(
            Line2D([], [], color=style.colour, marker=style.marker, markerfacecolor=face, linestyle="", markersize=6)
        )
    legend = figure.legend(
        handles,
        ["-"] * len(handles),
        loc="outside right center",
        fontsize=8,
        frameon=False,
        title="filled: on the front",
        title_fontsize=8,
    )
    for text, point in zip(legend.get_texts(), ordered, strict=True):
        write_text(text, f"{point.method.id} †" if point.method.control else point.method.id)
