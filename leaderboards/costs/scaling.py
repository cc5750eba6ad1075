"""How cost grows, fitted: exponents with intervals, as a table and as a log-log plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ...benchmark.timing.files import RuntimeRecord
from ...benchmark.timing.rows import Measurement, RuntimeCase
from ...benchmark.timing.scaling import AXES, AXIS_UNITS, Axis, ScalingPoint
from ..report.plots import INK, Style, method_styles, write_text
from ..standings.registered import MethodFacts
from ..statistics.bootstrap import CONFIDENCE, RESAMPLES
from ..statistics.timed import NOTHING, Estimate
from ..writing import numbers as formatting
from .plots import tick_text
from .tables import WIDTH, Group, group_of, markdown_table

EXPECTED: Mapping[Axis, float] = {"images": 1.0, "steps": 1.0, "size": 2.0}
"""The exponents that one would expect of a network whose work is proportional to the positions."""

MOST_TICKS = 6
"""So many places are named on an axis; curves may have different ones."""

LINEAR = 0.05
"""Cost counts as linear where the exponent is within this of 1."""

PANEL_POINTS, LABEL_POINTS = 145.0, 8.0
"""How high a panel and a line of small text are in the plot, in points."""
HEADS = ("method", "varied", "points", "smallest", "largest", "exponent", "95 % interval")


@dataclass(frozen=True)
class ScalingCurve:
    """One method on one axis.

    Attributes
    ----------
    axis, method
        What is varied, of which method.
    group
        Network, device, framework and precision.
    x
        The points.
    seconds
        The median time at each: of a whole call where images are varied, per image else.
    quartiles
        The quartiles of those times, (points, 2).
    exponent
        k of time = a x^k, by least squares on logarithms, with a bootstrap interval over rounds.
    noisy
        Whether any point was.
    """

    axis: Axis
    method: str
    group: Group
    x: tuple[int, ...]
    seconds: tuple[float, ...]
    quartiles: np.ndarray
    exponent: Estimate
    noisy: bool

    @property
    def is_linear(self) -> bool:
        """Whether the exponent is within `LINEAR` of 1."""
        return abs(self.exponent.value - 1) <= LINEAR


def scaling_curves(points: Sequence[ScalingPoint], record: RuntimeRecord) -> tuple[ScalingCurve, ...]:
    """Return the curves of the points that were measured; those with a single point have no exponent."""
    measured = {row.case.key: row for row in record.measurements}
    found: dict[tuple[Axis, RuntimeCase], list[tuple[int, Measurement]]] = {}
    for point in points:
        row = measured.get(point.case.key)
        if row is not None:
            x = row.images if point.x is None else point.x
            found.setdefault((point.axis, point.curve), []).append((x, row))
    return tuple(_curve(axis, base.method, rows) for (axis, base), rows in found.items())


def _curve(axis: Axis, method: str, rows: Sequence[tuple[int, Measurement]]) -> ScalingCurve:
    x = tuple(place for place, _ in rows)
    times = [_times(axis, row) for _, row in rows]
    spreads = np.array([np.percentile(values, [25, 50, 75]) for values in times])
    return ScalingCurve(
        axis,
        method,
        group_of(rows[0][1]),
        x,
        tuple(float(value) for value in spreads[:, 1]),
        spreads[:, [0, 2]],
        exponent(x, times),
        any(row.noisy for _, row in rows),
    )


def _times(axis: Axis, row: Measurement) -> list[float]:
    whole = axis == "images"
    return [seconds / (1 if whole else row.images) for seconds in row.calls]


def exponent(
    x: Sequence[float], times: Sequence[Sequence[float]], resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Return the slope of log(median time) over log(x), and its interval when rounds are resampled at each point.

    Parameters
    ----------
    x
        At least two different points, else there is no slope.
    times
        The rounds of each point, in seconds.
    """
    if len(set(x)) < 2:
        return NOTHING
    logarithms = np.log(np.asarray(x, np.float64))
    weights = logarithms - logarithms.mean()
    weights /= (weights**2).sum()
    generator = np.random.default_rng(seed)
    medians = np.array(
        [np.median(generator.choice(rounds, (resamples, len(rounds))), axis=1) for rounds in map(np.asarray, times)]
    )
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(weights @ np.log(medians), [tail, 100.0 - tail])
    value = float(weights @ np.log([float(np.median(rounds)) for rounds in times]))
    return Estimate(value, float(low), float(high))


def scaling_frame(curves: Sequence[ScalingCurve]) -> pd.DataFrame:
    """Return one row per point, with its curve's exponent; times are in seconds."""
    return pd.DataFrame.from_records(
        [
            {
                **curve.group._asdict(),
                "method": curve.method,
                "axis": curve.axis,
                "x": place,
                "seconds": curve.seconds[number],
                "low_quartile": curve.quartiles[number, 0],
                "high_quartile": curve.quartiles[number, 1],
                "exponent": curve.exponent.value,
                "exponent_low": curve.exponent.low,
                "exponent_high": curve.exponent.high,
                "noisy": curve.noisy,
            }
            for curve in curves
            for number, place in enumerate(curve.x)
        ]
    )


def scaling_texts(curve: ScalingCurve) -> tuple[str, ...]:
    """Return a curve's cells under `HEADS`."""
    low, high = curve.exponent.low, curve.exponent.high
    return (
        ("~" if curve.noisy else "") + curve.method,
        curve.axis,
        f"{curve.x[0]} to {curve.x[-1]} ({len(curve.x)})",
        formatting.seconds(curve.seconds[0]),
        formatting.seconds(curve.seconds[-1]),
        f"{curve.exponent.value:.3f}" if math.isfinite(curve.exponent.value) else formatting.MISSING,
        f"{low:.3f} to {high:.3f}" if math.isfinite(low) else "",
    )


def scaling_markdown(curves: Sequence[ScalingCurve]) -> str:
    """Return the exponents as Markdown tables, one per group."""
    parts = [
        "# How cost grows",
        "",
        "The exponent k of time = a x^k, by least squares on the logarithms of medians, with a 95 % bootstrap interval "
        "over rounds. Times are of a whole call where images are varied, per image else. ~ marks curves with "
        "a noisy point.",
        "",
    ]
    for group, mine in _grouped(curves).items():
        parts += [f"## {group.title}", "", *markdown_table(HEADS, [scaling_texts(curve) for curve in mine]), ""]
    return "\n".join(parts)


def print_scaling(curves: Sequence[ScalingCurve], console: Console | None = None) -> None:
    """Print the exponents."""
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
    for group, mine in _grouped(curves).items():
        console.print(Text(group.title, style="bold"))
        rich = RichTable(box=SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
        for head in HEADS:
            rich.add_column(head, justify="left" if head in HEADS[:3] else "right", overflow="fold")
        for curve in mine:
            rich.add_row(*map(Text, scaling_texts(curve)), style="dim" if curve.noisy else "")
        console.print(rich)


def draw_scaling(curves: Sequence[ScalingCurve], facts: Mapping[str, MethodFacts]) -> Figure:
    """Draw one panel per group (rows) and axis (columns), both scales logarithmic, each curve with its exponent.

    A thin dashed line shows what is proportional to images, steps, and the square of the side.

    Parameters
    ----------
    curves
        What was measured.
    facts
        What is known of the methods, by their text.
    """
    groups = _grouped(curves)
    axes = [axis for axis in AXES if any(curve.axis == axis for curve in curves)]
    methods = [facts[name] for name in dict.fromkeys(curve.method for curve in curves)]
    styles = method_styles(methods)
    figure = Figure(figsize=(3.1 * len(axes) + 2.4, 2.7 * len(groups) + 0.4), layout="constrained")
    panels = figure.subplots(len(groups), len(axes), squeeze=False)
    for row, (group, mine) in enumerate(groups.items()):
        for column, axis in enumerate(axes):
            panel, here = panels[row, column], [curve for curve in mine if curve.axis == axis]
            _draw_panel(panel, here, styles)
            panel.set_xlabel(AXIS_UNITS[axis], fontsize=8)
            panel.set_ylabel("time of a call" if axis == "images" else "time per image", fontsize=8)
            if column == 0:
                title = panel.set_title("-", fontsize=9, color=INK, loc="left")
                write_text(title, group.title)
    handles = [_handle(styles[method.id]) for method in methods]
    legend = figure.legend(handles, ["-"] * len(handles), loc="outside right center", fontsize=8, frameon=False)
    for text, method in zip(legend.get_texts(), methods, strict=True):
        write_text(text, method.id)
    return figure


def _draw_panel(panel: Axes, curves: Sequence[ScalingCurve], styles: Mapping[str, Style]) -> None:
    if not curves:
        panel.set_axis_off()
        return
    panel.set_xscale("log")
    panel.set_yscale("log")
    for curve in curves:
        style = styles[curve.method]
        below, above = np.array(curve.seconds) - curve.quartiles[:, 0], curve.quartiles[:, 1] - np.array(curve.seconds)
        panel.errorbar(
            curve.x,
            curve.seconds,
            yerr=np.abs([below, above]),
            color=style.colour,
            marker=style.marker,
            linestyle=style.line,
            linewidth=1.3,
            markersize=4,
            capsize=2,
        )
    ticks = sorted({place for curve in curves for place in curve.x})
    shown = ticks[:: -(-len(ticks) // MOST_TICKS)]
    panel.set_xticks(shown, [f"{tick:,}" for tick in shown])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=8))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, position: tick_text(value)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.7)
    if curves[0].axis in EXPECTED:
        _guide(panel, ticks, curves, EXPECTED[curves[0].axis])
    _write_exponents(panel, curves, styles)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7, colors=INK, length=3, width=0.6)
    panel.grid(visible=True, which="major", color="#e4e4e4", linewidth=0.5)
    panel.set_axisbelow(True)


def _write_exponents(panel: Axes, curves: Sequence[ScalingCurve], styles: Mapping[str, Style]) -> None:
    """Write each curve's exponent behind its end, one above the other where curves end close together."""
    low, high = np.log(panel.get_ylim())
    written = -math.inf
    for curve in sorted(curves, key=lambda curve: curve.seconds[-1]):
        place = PANEL_POINTS * (math.log(curve.seconds[-1]) - low) / (high - low)
        written = max(place, written + LABEL_POINTS)
        panel.annotate(
            f"{curve.exponent.value:.2f}",
            (curve.x[-1], curve.seconds[-1]),
            xytext=(4, written - place),
            textcoords="offset points",
            fontsize=7,
            color=styles[curve.method].colour,
            va="center",
        )


def _guide(panel: Axes, ticks: Sequence[int], curves: Sequence[ScalingCurve], power: float) -> None:
    """Draw a thin dashed line of the expected slope, under all curves."""
    lowest = min(
        seconds / place**power for curve in curves for place, seconds in zip(curve.x, curve.seconds, strict=True)
    )
    ends = np.array([ticks[0], ticks[-1]], np.float64)
    panel.plot(ends, 0.7 * lowest * ends**power, "--", color="#999999", linewidth=0.8, zorder=0)


def _handle(style: Style) -> Line2D:
    return Line2D([], [], color=style.colour, marker=style.marker, linestyle=style.line, markersize=4)


def _grouped(curves: Sequence[ScalingCurve]) -> dict[Group, list[ScalingCurve]]:
    found: dict[Group, list[ScalingCurve]] = {}
    for curve in curves:
        found.setdefault(curve.group, []).append(curve)
    return found
