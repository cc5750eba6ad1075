"""The files of a sweep: its table, the metric over the grid, and the heatmaps over the same grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from ...benchmark.sweep import MOST_PICTURES
from ...benchmark.sweep_axes import spelt
from ...errors import BadInput
from ...selection import Value
from ..galleries.colours import check_percentile
from ..galleries.drawing import draw_map, draw_picture
from ..galleries.views import View, caption, views_of
from ..standings.stored_maps import StoredRow, class_names, heatmap_over, kept_maps, seen_input
from ..writing.files import as_pictures, csv_text, write_files
from ..writing.ink import (
    FRAMEWORK_COLOURS,
    INK,
    Margins,
    bare,
    legend,
    note_at_foot,
    note_below,
    panel_grid,
    sheet,
    title,
    wrapped,
)
from ..writing.names import shown
from ..writing.numbers import number, percent, shortened
from .sweep import Sweep

CELL = (0.6, 0.36)
"""Inches of a point of the grid."""
COLOURS = "viridis"
LINE, MARK = FRAMEWORK_COLOURS[0], "#d62728"
MOST_WRITTEN = 144
"""Up to so many cells have their mean written into them."""


def write_sweep(found: Sweep, *, pictures: int = 1, view: str = "overlay", cap: float | None = None) -> list[Path]:
    """Write ``sweep.csv``, and ``sweep`` and ``maps`` as PNG and SVG, into the folder, each whole or not at all.

    Parameters
    ----------
    pictures, view, cap
        As `draw_maps` takes them.

    Returns
    -------
    paths
        The written files; without maps where no maps were kept.
    """
    return write_files(
        found.path,
        {
            "sweep.csv": csv_text(found.frame, None),
            **as_pictures({"sweep": draw_scores(found), "maps": draw_maps(found, pictures, view, cap)}),
        },
    )


def draw_scores(found: Sweep) -> Figure:
    """Draw the metric's mean over the grid: a heatmap of two parameters, or a line with its interval of one.

    The first parameter runs from left to right, the second from bottom to top. A red frame marks the best point;
    bold means cannot be told apart from it.
    """
    return _grid_figure(found) if len(found.axes) == 2 else _line_figure(found)


def grid(found: Sweep) -> pd.DataFrame:
    """Return the means with the first parameter's values as columns and the second's as rows, the last row first."""
    across, up = found.axes
    means = {point.values: point.mean for point in found.points}
    values = [[means[x, y] for x in across.values] for y in reversed(up.values)]
    return pd.DataFrame(
        values, index=[spelt(y) for y in reversed(up.values)], columns=[spelt(x) for x in across.values]
    )


def draw_maps(found: Sweep, pictures: int = 1, view: str = "overlay", cap: float | None = None) -> Figure | None:
    """Draw the heatmaps of the first samples over the grid, each sample's beside its photograph.

    Parameters
    ----------
    pictures
        So many samples at most.
    view, cap
        One view, and where its scale ends; see `views.seen`.

    Returns
    -------
    figure
        None where the run kept no maps.
    """
    shown = check_drawing(pictures, view, cap)
    maps = _maps_by_sample(found)
    if not maps:
        return None
    across, up = found.axes[0], found.axes[1] if len(found.axes) == 2 else None
    columns, lines = len(across.values) + 1, len(up.values) if up is not None else 1
    size = 1.15
    height, width = (size + 0.03) * lines + 0.55, size * columns + 0.6
    samples = list(maps)[:pictures]
    figure = sheet(width, height * len(samples) + 0.35)
    parts = figure.subfigures(len(samples), 1, squeeze=False)[:, 0]
    for part, sample in zip(parts, samples, strict=True):
        _draw_sample(part, found, sample, maps[sample], shown, cap)
    words = caption([shown], cap, [found.signed]) + " Red frame: the best setting on all samples."
    note_below(figure, wrapped(words, width))
    return figure


def check_drawing(pictures: int, view: str, cap: float | None) -> View:
    """Return the one view that ``view`` names; BadInput for anything that `draw_maps` could not draw."""
    shown, *more = views_of(view)
    check_percentile(cap)
    if more:
        raise BadInput(f"The maps of a sweep are drawn in one view; got {view!r}.")
    if not 1 <= pictures <= MOST_PICTURES:
        raise BadInput(f"The maps of 1 to {MOST_PICTURES} samples can be drawn; got {pictures}.")
    return shown


def _grid_figure(found: Sweep) -> Figure:
    across, up = found.axes
    means = grid(found)
    written = means.size <= MOST_WRITTEN
    size = (CELL[0] * len(across.values), CELL[1] * len(up.values))
    figure, panels = panel_grid(1, 1, size, Margins(0.75, bottom=0.75, right=1.1, top=0.6))
    axes = panels[0, 0]
    scale = figure.add_axes(_beside(figure, axes))
    colours = COLOURS if found.metric.higher_is_better else f"{COLOURS}_r"  # bright is better, whatever the direction
    sns.heatmap(
        means.to_numpy(np.float64),
        ax=axes,
        cmap=colours,
        annot=np.vectorize(number)(means.to_numpy(np.float64)) if written else False,
        fmt="",
        annot_kws={"fontsize": 7.5},
        linewidths=0.6,
        linecolor="white",
        cbar_ax=scale,
        cbar_kws={"label": f"mean {shown(found.metric.id, 'metric')} {found.metric.arrow}"},
        xticklabels=list(means.columns),
        yticklabels=list(means.index),
    )
    axes.set_facecolor("#e6e6e6")
    tied = {point.values for point in found.tied} | ({found.best.values} if found.best is not None else set())
    # Seaborn writes into the cells that have a value, row by row.
    for text, (y, x) in zip(axes.texts, np.argwhere(np.isfinite(means.to_numpy(np.float64))), strict=True):
        values = (across.values[x], up.values[len(up.values) - 1 - y])
        text.set_fontweight("bold" if values in tied else "normal")
    if found.best is not None:
        x, y = across.values.index(found.best.values[0]), len(up.values) - 1 - up.values.index(found.best.values[1])
        frame = Rectangle((x, y), 1.0, 1.0, fill=False, edgecolor=MARK, linewidth=2.2, clip_on=False, zorder=5)
        axes.add_patch(frame)
    note_at_foot(figure, "Red frame: the best. Bold: cannot be told apart from it.")
    axes.tick_params(length=0, labelsize=7.5)
    axes.tick_params(axis="y", rotation=0)
    scale.tick_params(labelsize=7)
    scale.yaxis.label.set_fontsize(7.5)
    _label(axes, found, across.name, up.name)
    return figure


def _beside(figure: Figure, axes: Axes) -> tuple[float, float, float, float]:
    """Return where the scale of colours stands at the right of a panel."""
    box, width = axes.get_position(), figure.get_figwidth()
    return box.x1 + 0.08 / width, box.y0, 0.1 / width, box.height


def _line_figure(found: Sweep) -> Figure:
    (axis,) = found.axes
    figure, panels = panel_grid(1, 1, (3.4, 2.1), Margins(0.75, bottom=0.55, right=0.2, top=0.6))
    axes = panels[0, 0]
    numeric = axis.is_numeric
    order = sorted(found.points, key=lambda point: float(point.values[0] or 0)) if numeric else list(found.points)
    places = [float(point.values[0]) if numeric else float(n) for n, point in enumerate(order)]  # type: ignore[arg-type]
    values = [point.row.values[0] if point.row is not None else None for point in order]
    low, mean, high = (
        np.array([getattr(value, name) if value is not None else math.nan for value in values], dtype=np.float64)
        for name in ("low", "mean", "high")
    )
    if numeric:
        axes.fill_between(places, low, high, color=LINE, alpha=0.18, linewidth=0)
        axes.plot(places, mean, "-o", color=LINE, linewidth=1.4, markersize=4)
    else:
        axes.errorbar(places, mean, np.stack([mean - low, high - mean]), fmt="o", color=LINE, markersize=4)
        axes.set_xticks(places, [spelt(point.values[0]) for point in order])
    if found.best is not None:
        best = order.index(found.best)
        (mark,) = axes.plot(
            [places[best]], [mean[best]], "o", markersize=9, markerfacecolor="none", markeredgecolor=MARK,
            markeredgewidth=1.6,
        )  # fmt: skip
        legend(axes, {f"best: {found.words(found.best)}": mark}, 7.5)
    note_at_foot(figure, f"{'Band' if numeric else 'Lines'}: 95 % interval of the mean.")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7.5)
    _label(axes, found, axis.name, f"mean {shown(found.metric.id, 'metric')} {found.metric.arrow}")
    return figure


def _label(axes: Axes, found: Sweep, x: str, y: str) -> None:
    """Write what is drawn above a panel and along its axes."""
    title(axes, f"{shown(found.method, 'method')}\n{found.table.setting.title}", 8)
    axes.set_xlabel(x, fontsize=7.5, parse_math=False)
    axes.set_ylabel(y, fontsize=7.5, parse_math=False)


def _maps_by_sample(found: Sweep) -> dict[str, dict[tuple[Value, ...], StoredRow]]:
    """Return the rows that hold a map, by sample in the dataset's order and by the values of the point."""
    kept = kept_maps(found.table)
    rows = {point.values: kept.get(point.row.method.id, {}) for point in found.points if point.row is not None}
    places = {sample: row["index"] for own in rows.values() for sample, row in own.items()}
    return {
        sample: {values: own[sample] for values, own in rows.items() if sample in own}
        for sample in sorted(places, key=lambda sample: places[sample])
    }


def _draw_sample(
    part: SubFigure,
    found: Sweep,
    sample: str,
    rows: Mapping[tuple[Value, ...], StoredRow],
    view: View,
    cap: float | None,
) -> None:
    across, up = found.axes[0], found.axes[1] if len(found.axes) == 2 else None
    lines = len(up.values) if up is not None else 1
    panels = part.subplots(lines, len(across.values) + 1, squeeze=False)
    first = next(iter(rows.values()))
    picture = seen_input(found.standings, found.table.setting.task, sample, first)
    for panel in panels.ravel():
        panel.set(xticks=[], yticks=[])
        bare(panel)
    if picture is not None:
        draw_picture(panels[0, 0], picture)
    title(panels[0, 0], _words(found, sample, first), 7, loc="center")
    for line in range(lines):
        for column, x in enumerate(across.values):
            y = up.values[lines - 1 - line] if up is not None else None
            values = (x,) if up is None else (x, y)
            panel = panels[line, column + 1]
            _draw_point(panel, rows.get(values), picture, found.signed, view, cap)
            if found.best is not None and found.best.values == values:
                panel.spines[:].set(visible=True, edgecolor=MARK, linewidth=2.2)
            small = {"fontsize": 7, "color": INK, "parse_math": False}
            if column == 0 and up is not None:
                side = f"{up.name}\n{spelt(y)}" if line == 0 else spelt(y)
                panel.set_ylabel(side, rotation=0, ha="right", va="center", **small)
            if line == lines - 1:
                panel.set_xlabel(f"{across.name} = {spelt(x)}" if column == 0 else spelt(x), **small)


def _draw_point(
    panel: Axes, row: StoredRow | None, picture: np.ndarray | None, signed: bool, view: View, cap: float | None
) -> None:
    if row is None:
        draw_map(panel, np.zeros((2, 8, 3)), "no heatmap", signed, view)
        return
    heatmap = heatmap_over(row, picture)
    if picture is None:
        # Without what the network saw (unusual channels, a dataset that is gone) only the colours can be shown.
        blank = np.zeros((*heatmap.shape, 3)) if heatmap.ndim == 2 else np.zeros((heatmap.size, 1))
        draw_map(panel, blank, heatmap, signed, "map" if view == "map" else "capped", cap)
    else:
        draw_map(panel, picture, heatmap, signed, view, cap)


def _words(found: Sweep, sample: str, row: StoredRow) -> str:
    """Return the sample's name, and the explained class with its probability."""
    name = class_names(found.table).get(row["target"], f"class {row['target']}")
    return f"{shortened(sample, 20)}\n{shortened(name, 20)}, {percent(row['target_probability'])}"
