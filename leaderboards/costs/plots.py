"""Bars of what methods cost, with intervals: one figure for each network, device and precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ..report.plots import FRAMEWORK_COLOURS, INK, write_text
from ..standings.registered import MethodFacts
from ..statistics.timed import Estimate
from .tables import CostRow, CostTable

Reading = Callable[[CostRow], Estimate]


def figures_by_device(tables: Sequence[CostTable], facts: Mapping[str, MethodFacts]) -> dict[str, Figure]:
    """Return one figure for each network, device and precision, its frameworks beside one another, by title.

    Parameters
    ----------
    tables
        From `runtime_tables.cost_tables`.
    facts
        What is known of the methods, by their text.
    """
    places: dict[tuple[str, str, str], list[CostTable]] = {}
    for table in tables:
        places.setdefault((table.group.model, table.group.device, table.group.precision), []).append(table)
    found = {}
    for (model, device, precision), mine in places.items():
        unusual = "" if precision == "float32" else f" · {precision}"
        title = f"{model} · {device}{unusual}"
        found[title] = costs_figure(mine, facts, title)
    return found


def costs_figure(tables: Sequence[CostTable], facts: Mapping[str, MethodFacts], title: str) -> Figure:
    """Draw the time per image and the relative cost of every method as bars on logarithmic scales.

    A bar is the row with the most images a call, its line the quartiles (time) or the 95 % interval (cost); a ring is
    a single image a call.
    """
    rows = [table.by_method for table in tables]
    names = list(dict.fromkeys(name for found in rows for name in found))
    names.sort(key=lambda name: min(found[name].relative.value for found in rows if name in found), reverse=True)
    height = 0.9 + (0.16 + 0.17 * len(tables)) * len(names)
    figure = Figure(figsize=(9.0, height), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_bars(left, tables, names, _time)
    _draw_bars(right, tables, names, lambda row: row.relative)
    left.set_xlabel("time per image, quartiles", fontsize=8)
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, position: tick_text(value)))
    right.set_xlabel("cost in bare forward passes, 95 % interval", fontsize=8)
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}x"))
    left.set_yticks(range(len(names)))
    labels = [f"{name} †" if name in facts and facts[name].control else name for name in names]
    for label in left.set_yticklabels(labels, fontsize=8, parse_math=False):
        label.set_fontstyle("italic" if label.get_text().endswith("†") else "normal")
    left.set_ylim(-0.6, len(names) - 0.4)
    write_text(figure.suptitle("-", fontsize=9, color=INK), title)
    handles: list[Patch | Line2D] = [
        Patch(color=FRAMEWORK_COLOURS[number % 4], label=table.group.framework_name)
        for number, table in enumerate(tables)
    ]
    if any(row.measurement.images == 1 for table in tables for row in table.rows):
        single = Line2D([], [], color=INK, marker="o", markerfacecolor="white", linestyle="", label="one image a call")
        handles.append(single)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False)
    return figure


def _draw_bars(axes: Axes, tables: Sequence[CostTable], names: Sequence[str], reading: Reading) -> None:
    axes.set_xscale("log")
    values = [reading(row).value for table in tables for row in table.rows if reading(row).value > 0]
    least = 10 ** math.floor(math.log10(min(values))) if values else 0.1
    thickness = 0.8 / len(tables)
    for number, table in enumerate(tables):
        colour, found = FRAMEWORK_COLOURS[number % 4], table.by_method
        single = {row.method: row for row in table.rows if row.measurement.images == 1}
        for place, name in enumerate(names):
            if name not in found:
                continue
            height = place + 0.4 - (number + 0.5) * thickness
            estimate = reading(found[name])
            axes.barh(height, estimate.value - least, left=least, height=0.9 * thickness, color=colour, alpha=0.75)
            axes.plot([estimate.low, estimate.high], [height, height], color=INK, linewidth=1.1, solid_capstyle="butt")
            if name in single:
                axes.plot(
                    [reading(single[name]).value], [height], "o", color=colour, markerfacecolor="white", markersize=4
                )
    axes.set_xlim(least, 2.0 * max(values) if values else 1.0)
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK, length=3, width=0.6)


def tick_text(seconds: float) -> str:
    """Return a time for an axis, without digits that say nothing: ``10 ms``."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.999 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _time(row: CostRow) -> Estimate:
    spread = row.measurement.latency
    return Estimate(spread.median, spread.low, spread.high)
