"""Bars of what methods cost, with intervals: one figure for each network, device and precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ...benchmark.timing.rows import ENGINE, WORKS
from ..standings.registered import MethodFacts, method_facts
from ..statistics.timed import Estimate
from ..writing.ink import (
    FRAMEWORK_COLOURS,
    INK,
    NAME_WIDTH,
    Margins,
    gridded,
    legend,
    logarithmic,
    name_rows,
    panel_grid,
    plain,
)
from ..writing.ink import title as heading
from .tables import CostRow, CostTable

PANEL_WIDTH, BAR_HEIGHT = 2.3, 0.15
"""Inches across the bars, and of each."""


def figures_by_device(tables: Sequence[CostTable]) -> dict[str, Figure]:
    """Return one figure for each network, device and precision, its frameworks beside one another, by title."""
    places: dict[tuple[str, str, str], list[CostTable]] = {}
    for table in tables:
        places.setdefault((table.setting.model, table.setting.device, table.setting.precision), []).append(table)
    found = {}
    for (model, device, precision), mine in places.items():
        unusual = "" if precision == "float32" else f" · {precision}"
        title = f"{model} · {device}{unusual}"
        found[title] = costs_figure(mine, title)
    return found


def costs_figure(tables: Sequence[CostTable], title: str) -> Figure:
    """Draw the time per image and the relative cost of every method as bars on logarithmic scales.

    A bar is the row with the most images a call, its line the quartiles (time) or the 95 % interval (cost); a ring is
    a single image a call.
    """
    rows = [table.by_method for table in tables]
    names = list(dict.fromkeys(name for found in rows for name in found))
    names.sort(key=lambda name: min(found[name].relative.value for found in rows if name in found), reverse=True)
    labels = [facts.label for facts in facts_of(names)]
    size = (PANEL_WIDTH, (0.1 + BAR_HEIGHT * len(tables)) * len(names))
    figure, panels = panel_grid(2, 1, size, Margins(NAME_WIDTH * max(map(len, labels)) + 0.15, bottom=0.7, across=0.3))
    left, right = panels[0]
    _draw_bars(left, tables, names, lambda row: row.time)
    _draw_bars(right, tables, names, lambda row: row.relative)
    left.set_xlabel("time per image, quartiles", fontsize=7.5)
    logarithmic(left.xaxis, tick_text)
    right.set_xlabel("cost in bare forward passes, 95 % interval", fontsize=7.5)
    logarithmic(right.xaxis, cost_tick)
    name_rows(left, labels)
    right.set_yticks(range(len(names)), [""] * len(names))
    for panel in (left, right):
        panel.set_ylim(-0.6, len(names) - 0.4)
        panel.tick_params(axis="y", length=0)
    heading(left, title, 8)
    entries: dict[str, Artist] = {
        table.setting.framework_name: Patch(color=FRAMEWORK_COLOURS[number % 4]) for number, table in enumerate(tables)
    }
    if any(row.measurement.images == 1 for table in tables for row in table.rows):
        entries["one image a call"] = Line2D([], [], color=INK, marker="o", markerfacecolor="white", linestyle="")
    legend(figure, entries, 7.5, loc="lower center", ncols=len(entries), borderaxespad=0.1)
    return figure


def _draw_bars(
    axes: Axes, tables: Sequence[CostTable], names: Sequence[str], reading: Callable[[CostRow], Estimate]
) -> None:
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
    gridded(axes.xaxis)
    plain(axes, 7)


def facts_of(methods: Iterable[str]) -> list[MethodFacts]:
    """Return what is known of each method, by its text; an engine's work has its meaning as summary."""
    return [
        MethodFacts(text, "engine", summary=WORKS.get(text, "")) if text.startswith(ENGINE) else method_facts(text, {})
        for text in dict.fromkeys(methods)
    ]


def tick_text(seconds: float) -> str:
    """Return a time for an axis, without digits that say nothing: ``10 ms``."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.999 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def cost_tick(cost: float) -> str:
    """Return a relative cost for an axis."""
    return f"{cost:g}x"
