"""The figure of mean perturbation curves: the best methods and the controls in ink, the others faint."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..standings.kept_curves import POINTS, MeanCurve
from ..standings.registered import MethodFacts, MetricFacts
from ..standings.standings import Table
from ..standings.styles import Style, family_styles, names_in_figures
from ..writing.ink import SOFT, Margins, broken, legend, panel_grid, plain, title
from ..writing.text_tables import in_parts

PANEL = (1.75, 1.5)
PANELS_ACROSS = 3
MOST_IN_INK = 5
"""So many contenders are in ink by themselves; the reader can name others."""
ALL_IN_INK = 7
"""Up to so many contenders, none is faint."""
FAINT: Mapping[str, Any] = {"linewidth": 0.6, "alpha": 0.35, "zorder": 1}
TAG_PLACES = range(8, 70, 2)
"""Where along a curve, in hundredths of the positions, its number may stand."""
ROOM_FOR_TAG = 0.16
"""Inches from a number to another curve's or number's centre beyond which more room is worth nothing."""

Curves = Mapping[str, Mapping[str, Mapping[str, MeanCurve]]]
"""By framework, metric and method."""


@dataclass(frozen=True)
class Cast:
    """Which methods of a figure stand out."""

    contenders: tuple[MethodFacts, ...]
    """In ink, from the best, each with its number on its curve."""
    controls: tuple[MethodFacts, ...]
    faint: tuple[MethodFacts, ...]

    @classmethod
    def of(cls, methods: Iterable[MethodFacts], chosen: Collection[str] | None = None) -> Cast:
        """Return the parts that methods play, given from the best; those chosen stand out, else the best."""
        everyone = list(methods)
        contenders = [method for method in everyone if not method.control]
        if chosen is not None:
            inked = [method for method in contenders if method.id in chosen]
        else:
            inked = contenders if len(contenders) <= ALL_IN_INK else contenders[:MOST_IN_INK]
        controls = tuple(method for method in everyone if method.control)
        return cls(tuple(inked), controls, tuple(method for method in contenders if method not in inked))


def curves_figure(
    tables: Sequence[Table], chosen: Collection[str] | None = None, styles: Mapping[str, Style] | None = None
) -> Figure | None:
    """Return the mean curves of one task, given its tables in every framework; None where none are stored.

    Parameters
    ----------
    tables
        Of one task.
    chosen
        The methods that stand out; where None, the best by mean rank over the tables.
    styles
        How methods are drawn; where None, as `family_styles` has it for those of the tables.
    """
    curves = {table.setting.framework_name: table.curves for table in tables}
    curves = {name: found for name, found in curves.items() if found}
    metrics = {metric.id: metric for table in tables for metric in table.metrics}
    shown = [metric for metric in metrics.values() if any(metric.id in found for found in curves.values())]
    if not shown:
        return None
    drawn = {name for found in curves.values() for by_method in found.values() for name in by_method}
    methods = [method for method in from_best(tables) if method.id in drawn]
    return draw_curves(curves, shown, Cast.of(methods, chosen), styles or family_styles(methods))


def from_best(tables: Sequence[Table]) -> list[MethodFacts]:
    """Return the methods of one task from the best, by the mean over frameworks of mean ranks; unranked ones last."""
    methods = {row.method.id: row.method for table in tables for row in table.rows}
    ranks: dict[str, list[float]] = {name: [] for name in methods}
    for table in tables:
        for row in table.rows:
            if math.isfinite(row.mean_rank):
                ranks[row.method.id].append(row.mean_rank)
    means = {name: sum(found) / len(found) if found else math.inf for name, found in ranks.items()}
    return sorted(methods.values(), key=lambda method: means[method.id])


def draw_curves(curves: Curves, metrics: Sequence[MetricFacts], cast: Cast, styles: Mapping[str, Style]) -> Figure:
    """Draw one panel per metric and framework, all of one size, three beside one another at most.

    Contenders in ink have a number on each of their curves and a band for the 95 % interval of the mean; controls are
    dashed, all other methods faint. Every framework has lines of its own; a metric has one scale in all of them.
    """
    parts = in_parts(metrics, PANELS_ACROSS)
    lines = [(framework, part) for part in parts for framework in curves]
    entries = _entries(cast, styles)
    across = max(len(part) for part in parts)
    columns = min(across, 3)
    legend_height = 0.17 * math.ceil(len(entries) / columns) + 0.1
    heads = {metric.id: broken(f"{metric.name}\u00a0{metric.arrow}", PANEL[0]) for metric in metrics}
    head_height = 0.14 * max(head.count("\n") for head in heads.values())
    margins = Margins(
        left=0.62, bottom=0.45 + legend_height, right=0.16, top=0.28 + head_height, across=0.42, down=0.5 + head_height
    )
    figure, panels = panel_grid(across, len(lines), PANEL, margins)
    for panel in panels.ravel():
        panel.set_axis_off()
    for row, (framework, part) in enumerate(lines):
        for column, metric in enumerate(part):
            panel = panels[row, column]
            panel.set_axis_on()
            _draw_panel(panel, curves[framework].get(metric.id, {}), cast, styles, _scale(curves, metric.id))
            title(panel, heads[metric.id], 8)
            if not any(column < len(other) for _, other in lines[row + 1 :]):
                panel.set_xlabel("share of positions", fontsize=7.5)
        if len(curves) > 1:
            panels[row, 0].set_ylabel(framework, fontsize=8, parse_math=False)
    legend(figure, entries, 7.5, loc="lower center", ncols=columns, borderaxespad=0.2, handlelength=2.6)
    return figure


def _scale(curves: Curves, metric: str) -> tuple[float, float]:
    """Return the ends of a metric's scale, the same in every framework."""
    found = [curve for by_metric in curves.values() for curve in by_metric.get(metric, {}).values()]
    low = min(float(np.nanmin(curve.mean)) for curve in found)
    high = max(float(np.nanmax(curve.mean)) for curve in found)
    edge = 0.05 * (high - low) or 0.5
    return low - edge, high + edge


def _draw_panel(
    panel: Axes,
    found: Mapping[str, MeanCurve],
    cast: Cast,
    styles: Mapping[str, Style],
    scale: tuple[float, float],
) -> None:
    for method in cast.faint:
        if method.id in found:
            panel.plot(found[method.id].x, found[method.id].mean, color=styles[method.id].colour, **FAINT)
    for number, method in enumerate((*cast.controls, *cast.contenders)):
        if method.id not in found:
            continue
        curve, style = found[method.id], styles[method.id]
        if not method.control:
            panel.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.1, linewidth=0)
        every = (6 + 5 * number % 24, 24)
        panel.plot(curve.x, curve.mean, **style.look, linewidth=1.1, markersize=3.6, markevery=every, zorder=3)
    panel.set_xlim(0, 1)
    panel.set_ylim(*scale)
    numbered = {method.id: str(number) for number, method in enumerate(cast.contenders, 1) if method.id in found}
    others = [found[method.id].mean for method in cast.controls if method.id in found]
    for name, (place, height) in tag_places({n: found[n].mean for n in numbered}, others, scale).items():
        shape = {"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": styles[name].colour, "lw": 0.7}
        panel.text(
            place, height, numbered[name], fontsize=5.5, color=styles[name].colour, ha="center", va="center",
            bbox=shape, zorder=4,
        )  # fmt: skip
    plain(panel, 7)
    panel.spines[["left", "bottom"]].set_color("#888888")


def tag_places(
    curves: Mapping[str, np.ndarray], others: Sequence[np.ndarray], scale: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    """Return where the number of each curve stands on it: where it is farthest from other curves and other numbers.

    Parameters
    ----------
    curves
        Values at `standings.kept_curves.POINTS` shares from 0 to 1.
    others
        Curves without a number that numbers keep away from.
    scale
        The lowest and highest value of the panel.
    """
    inches = PANEL[1] / (scale[1] - scale[0])
    placed: dict[str, tuple[float, float]] = {}
    for name, own in curves.items():
        rest = [*(curve for other, curve in curves.items() if other != name), *others]
        best, where = -1.0, None
        for point in TAG_PLACES:
            x, y = point / (POINTS - 1), float(own[point])
            if not math.isfinite(y):
                continue
            apart = [abs(y - float(curve[point])) * inches for curve in rest]
            numbers = [math.hypot((x - u) * PANEL[0], (y - v) * inches) for u, v in placed.values()]
            # A number over another cannot be read; one near another curve still stands on its own.
            room = 2 * min([ROOM_FOR_TAG, *numbers]) + min([ROOM_FOR_TAG, *filter(math.isfinite, apart)])
            if room > best:
                best, where = room, (x, y)
        if where is not None:
            placed[name] = where
    return placed


def _entries(cast: Cast, styles: Mapping[str, Style]) -> dict[str, Line2D]:
    """Return the legend: numbers as on the curves, then controls, then what the faint lines are."""
    names = names_in_figures([*cast.contenders, *cast.controls])
    entries = {f"{n}  {names[method.id]}": styles[method.id].handle() for n, method in enumerate(cast.contenders, 1)}
    entries |= {names[method.id]: styles[method.id].handle() for method in cast.controls}
    if cast.faint:
        count = len(cast.faint)
        entries[f"{count} other method{'' if count == 1 else 's'}"] = Line2D([], [], color=SOFT, linewidth=0.6)
    return entries
