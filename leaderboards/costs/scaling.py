"""How cost grows, fitted: exponents with intervals, as a table and as a log-log plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from rich.console import Console
from rich.text import Text

from ...benchmark.timing.files import RuntimeRecord
from ...benchmark.timing.rows import Measurement, RuntimeCase
from ...benchmark.timing.scaling import AXES, AXIS_UNITS, Axis, ScalingPoint
from ..standings.styles import Style, family_styles, names_in_figures
from ..statistics.bootstrap import RESAMPLES
from ..statistics.timed import NOTHING, Estimate, drawn_medians
from ..writing.ink import Margins, gridded, legend, logarithmic, panel_grid, plain, title
from ..writing.numbers import decimals, seconds
from ..writing.text_tables import Column, console_of, in_parts, markdown_table, markdown_text, terminal_table
from .plots import facts_of, tick_text
from .tables import CostSetting, setting_of

EXPECTED: Mapping[Axis, float] = {"images": 1.0, "steps": 1.0, "size": 2.0}
"""The exponents that one would expect of a network whose work is proportional to the positions."""

MOST_TICKS = 6
"""So many places are named on an axis; curves may have different ones."""

PANEL, PANELS_ACROSS = (1.55, 1.6), 3
PANEL_POINTS, LABEL_POINTS = 72 * PANEL[1], 7.5
"""How high a panel and a line of small text are in the plot, in points."""


@dataclass(frozen=True)
class ScalingCurve:
    """One method on one axis."""

    axis: Axis
    method: str
    """What is varied, of which method."""
    setting: CostSetting
    """Network, device, framework and precision."""
    x: tuple[int, ...]
    """The points."""
    seconds: tuple[float, ...]
    """The median time at each: of a whole call where images are varied, per image else."""
    quartiles: np.ndarray
    """The quartiles of those times, (points, 2)."""
    exponent: Estimate
    """k of time = a x^k, by least squares on logarithms, with a bootstrap interval over rounds."""
    noisy: bool
    """Whether any point was."""


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
        setting_of(rows[0][1]),
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
    medians = np.array([drawn_medians(np.asarray(rounds), resamples, generator) for rounds in times])
    value = float(weights @ np.log([float(np.median(rounds)) for rounds in times]))
    return Estimate.of_draws(value, weights @ np.log(medians))


def scaling_frame(curves: Sequence[ScalingCurve]) -> pd.DataFrame:
    """Return one row per point, with its curve's exponent; times are in seconds."""
    return pd.DataFrame.from_records(
        [
            {
                **curve.setting._asdict(),
                "method": curve.method,
                "axis": curve.axis,
                "x": place,
                "seconds": curve.seconds[number],
                "low_quartile": curve.quartiles[number, 0],
                "high_quartile": curve.quartiles[number, 1],
                **curve.exponent.record("exponent"),
                "noisy": curve.noisy,
            }
            for curve in curves
            for number, place in enumerate(curve.x)
        ]
    )


COLUMNS: tuple[Column[ScalingCurve], ...] = (
    Column("method", lambda curve: ("~" if curve.noisy else "") + curve.method, left=True),
    Column("varied", lambda curve: curve.axis, left=True),
    Column("points", lambda curve: f"{curve.x[0]} to {curve.x[-1]} ({len(curve.x)})", left=True),
    Column("smallest", lambda curve: seconds(curve.seconds[0])),
    Column("largest", lambda curve: seconds(curve.seconds[-1])),
    Column("exponent", lambda curve: decimals(curve.exponent.value, 3)),
    Column("95 % interval", lambda curve: curve.exponent.between("{:.3f}".format)),
)


def scaling_markdown(curves: Sequence[ScalingCurve]) -> str:
    """Return the exponents as Markdown tables, one per setting."""
    blocks = [
        "# How cost grows",
        "The exponent k of time = a x^k, by least squares on the logarithms of medians, with a 95 % bootstrap interval "
        "over rounds. Times are of a whole call where images are varied, per image else. ~ marks curves with "
        "a noisy point.",
    ]
    for setting, mine in _grouped(curves).items():
        blocks += [f"## {setting.title}", markdown_table(COLUMNS, mine)]
    return markdown_text(blocks)


def print_scaling(curves: Sequence[ScalingCurve], console: Console | None = None) -> None:
    """Print the exponents."""
    console = console_of(console)
    for setting, mine in _grouped(curves).items():
        console.print(Text(setting.title, style="bold"))
        console.print(terminal_table(COLUMNS, mine, lambda curve: "dim" if curve.noisy else ""))


def draw_scaling(curves: Sequence[ScalingCurve]) -> Figure:
    """Draw one panel per setting and axis, both scales logarithmic, each curve with its exponent.

    Panels have one size, three beside one another at most; a setting begins a new line. A thin dashed line shows what
    is proportional to images, steps, and the square of the side.
    """
    facts = facts_of(curve.method for curve in curves)
    styles, names = family_styles(facts), names_in_figures(facts)
    lines = []
    for setting, mine in _grouped(curves).items():
        known = [axis for axis in AXES if any(curve.axis == axis for curve in mine)]
        for number, part in enumerate(in_parts(known, PANELS_ACROSS)):
            lines.append((setting.title if number == 0 else "", mine, part))
    across = max(len(part) for _, _, part in lines)
    columns = min(across, 3)
    foot = 0.17 * math.ceil(len(facts) / columns) + 0.6
    margins = Margins(left=0.72, bottom=foot, right=0.15, across=0.75, down=0.75)
    figure, panels = panel_grid(across, len(lines), PANEL, margins)
    for panel in panels.ravel():
        panel.set_axis_off()
    for row, (heading, mine, part) in enumerate(lines):
        title(panels[row, 0], heading, 8)
        for column, axis in enumerate(part):
            panel = panels[row, column]
            panel.set_axis_on()
            _draw_panel(panel, [curve for curve in mine if curve.axis == axis], styles)
            panel.set_xlabel(AXIS_UNITS[axis], fontsize=7.5)
            panel.set_ylabel("time of a call" if axis == "images" else "time per image", fontsize=7.5)
    legend(
        figure, {names[one.id]: styles[one.id].handle() for one in facts}, 7.5, loc="lower center", ncols=columns,
        borderaxespad=0.2, handlelength=2.6,
    )  # fmt: skip
    return figure


def _draw_panel(panel: Axes, curves: Sequence[ScalingCurve], styles: Mapping[str, Style]) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    for curve in curves:
        style = styles[curve.method]
        below, above = np.array(curve.seconds) - curve.quartiles[:, 0], curve.quartiles[:, 1] - np.array(curve.seconds)
        panel.errorbar(
            curve.x,
            curve.seconds,
            yerr=np.abs([below, above]),
            **style.look,
            linewidth=1.3,
            markersize=4,
            capsize=2,
        )
    ticks = sorted({place for curve in curves for place in curve.x})
    shown = ticks[:: -(-len(ticks) // MOST_TICKS)]
    panel.set_xticks(shown, [f"{tick:,}" for tick in shown])
    panel.xaxis.set_minor_locator(NullLocator())
    logarithmic(panel.yaxis, tick_text, subs=(1.0, 2.0, 5.0), numticks=8)
    panel.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.7)
    if curves[0].axis in EXPECTED:
        _guide(panel, ticks, curves, EXPECTED[curves[0].axis])
    _write_exponents(panel, curves, styles)
    plain(panel, 7)
    gridded(panel, "#e4e4e4", 0.5)


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


def _grouped(curves: Sequence[ScalingCurve]) -> dict[CostSetting, list[ScalingCurve]]:
    found: dict[CostSetting, list[ScalingCurve]] = {}
    for curve in curves:
        found.setdefault(curve.setting, []).append(curve)
    return found
