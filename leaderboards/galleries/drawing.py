"""Galleries of heatmaps: photographs and, beside each, its heatmaps."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ...errors import BadInput
from ..writing.ink import INK, SOFT, note_below, sheet, title, wrapped
from ..writing.text_tables import in_parts
from .colours import check_percentile, colour_picture, coloured
from .views import View, brightness, caption, scale_end, seen, views_of

FEWEST_ACROSS, MOST_ACROSS = 7, 12
TITLE_CHARACTERS = 30
"""So many characters of a column's title fit above a panel."""


def draw_gallery(
    pictures: Sequence[np.ndarray],
    maps: Mapping[str, Sequence[np.ndarray | str]],
    signed: Mapping[str, bool],
    titles: Sequence[str],
    *,
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    across: int | None = None,
    panel_size: float = 1.6,
    note: str = "",
) -> Figure:
    """Draw heatmaps beside the photographs that they explain.

    Parameters
    ----------
    pictures
        (height, width, channels) photographs, or (length, channels) or (length,) series; uint8 or float in [0, 1].
    maps
        By column title, one per picture: the heatmap over the picture's spatial axes (of any size), or the reason why
        there is none.
    signed
        By column title: drawn centred at zero, or from low to high.
    titles
        One per picture.
    view
        One or several of the views of `views.VIEWS`, in the order in which they stand side by side.
    cap
        The percentile at which scales end; see `views.seen`.
    across
        The most panels in a line; a picture with more goes on in the next. By default 7, and more for many maps.
    panel_size
        Inches.
    note
        Words before the caption.

    Raises
    ------
    BadInput
        For an unknown view, a cap out of range, or where the numbers of pictures, titles and maps differ.
    """
    views = views_of(view)
    check_percentile(cap)
    if not pictures or len(titles) != len(pictures) or any(len(column) != len(pictures) for column in maps.values()):
        counts = {name: len(column) for name, column in maps.items()}
        raise BadInput(
            f"A gallery needs a title and a map per picture: {len(pictures)} pictures, {len(titles)} titles, {counts}."
        )
    lines = _lines(list(maps), views, across)
    width = max(len(line) for line in lines)
    signs = {signed[name] for name in maps}
    words = wrapped(" ".join(filter(None, [note, caption(views, cap, signs)])), panel_size * width)
    figure = sheet(panel_size * width, _height(lines, len(pictures), panel_size) + 0.12 * (words.count("\n") + 2))
    panels = figure.subplots(len(lines) * len(pictures), width, squeeze=False)
    for panel in panels.ravel():
        panel.set_axis_off()
    for row, picture in enumerate(pictures):
        own = panels[row * len(lines) : (row + 1) * len(lines)]
        for places, line in zip(lines, own, strict=True):
            for place, panel in zip(places, line, strict=False):
                if place.name is not None:
                    draw_map(panel, picture, maps[place.name][row], signed[place.name], place.view, cap)
                elif place.shows_photograph:
                    draw_picture(panel, picture)
                    weight = "bold" if len(lines) > 1 else "normal"
                    title(panel, titles[row], 7, loc="center", fontweight=weight)
                if place.heading and (row == 0 or len(lines) > 1):
                    title(panel, place.heading, 7, loc="center")
                if place.side:
                    panel.text(
                        -0.04, 0.5, place.side, transform=panel.transAxes, rotation=90, ha="right", va="center",
                        fontsize=7, color=INK,
                    )  # fmt: skip
    note_below(figure, words)
    return figure


@dataclass(frozen=True)
class _Place:
    """What one panel of a picture shows: a map in a view, the photograph, or nothing; and the words around it."""

    name: str | None = None
    view: View = "overlay"
    heading: str = ""
    side: str = ""
    shows_photograph: bool = False


def _lines(names: Sequence[str], views: Sequence[View], across: int | None) -> list[list[_Place]]:
    """Return the lines of panels that every picture gets.

    Several views of several methods are a table with methods as columns and views as lines. Else the maps follow the
    photograph from line to line.
    """
    photograph = _Place(shows_photograph=True)
    if len(views) == 1 or len(names) == 1:
        places = [photograph]
        for name in names:
            headings = [_heading(name, view if len(views) > 1 else "") for view in views]
            places += [_Place(name, view, heading) for view, heading in zip(views, headings, strict=True)]
        return in_parts(places, _most(len(places), across))
    lines: list[list[_Place]] = []
    for part in in_parts(names, _most(len(names) + 1, across) - 1):
        for number, view in enumerate(views):
            head = _Place() if lines else photograph
            columns = [
                _Place(name, view, "" if number else _heading(name, ""), "" if column else view)
                for column, name in enumerate(part)
            ]
            lines.append([head, *columns])
    return lines


def _height(lines: Sequence[Sequence[_Place]], pictures: int, panel_size: float) -> float:
    """Return the inches that the panels of all pictures take, with the room for their headings."""
    titled = [any(place.heading or place.shows_photograph for place in line) for line in lines]
    each = panel_size * len(lines) + 0.34 * sum(titled) + 0.05 * (len(lines) - sum(titled))
    return each * pictures


def _most(panels: int, across: int | None) -> int:
    """Return the most panels in a line: as asked, or so many that many panels come near to a square."""
    return max(across or min(max(FEWEST_ACROSS, math.ceil(math.sqrt(1.6 * panels))), MOST_ACROSS), 2)


def draw_picture(panel: Axes, picture: np.ndarray) -> None:
    """Draw a photograph, or a series as a line."""
    if _is_series(picture):
        _draw_line(panel, picture)
    elif picture.ndim == 3 and picture.shape[-1] == 3:
        panel.imshow(picture)
    else:
        panel.imshow(colour_picture(picture))


def draw_map(
    panel: Axes, picture: np.ndarray, heatmap: np.ndarray | str, signed: bool, view: View, cap: float | None = None
) -> None:
    """Draw one heatmap in one view, or the words that stand for it."""
    if isinstance(heatmap, str):
        words = textwrap.fill(heatmap, 34)
        panel.text(0.5, 0.5, words, ha="center", va="center", fontsize=6, color=SOFT, parse_math=False)
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1)
        panel.set_box_aspect(1)
    elif _is_series(picture):
        _draw_series_map(panel, picture, heatmap, signed, view, cap)
    else:
        panel.imshow(seen(picture, heatmap, signed, view, cap))


def _draw_series_map(
    panel: Axes, series: np.ndarray, heatmap: np.ndarray, signed: bool, view: View, cap: float | None
) -> None:
    low, high = float(series.min()), float(series.max())
    margin = 0.05 * (high - low) or 0.5
    extent = (-0.5, len(series) - 0.5, low - margin, high + margin)
    if view in ("points", "mask"):
        _draw_faint_line(panel, series, brightness(heatmap.ravel(), view, cap))
        panel.set_xlim(extent[0], extent[1])
        panel.set_ylim(extent[2], extent[3])
        return
    colours = coloured(heatmap.reshape(1, -1), signed, scale_end(view, cap))
    panel.imshow(colours, aspect="auto", extent=extent, interpolation="nearest")
    if view == "overlay":
        _draw_line(panel, series)


def _draw_line(panel: Axes, series: np.ndarray) -> None:
    panel.plot(series.reshape(len(series), -1), color="black", linewidth=1.0)
    panel.set_box_aspect(1)


def _draw_faint_line(panel: Axes, series: np.ndarray, opacity: np.ndarray) -> None:
    """Draw a series whose positions are as opaque as ``opacity`` says."""
    places = np.arange(len(series), dtype=np.float64)
    for values in series.reshape(len(series), -1).T:
        points = np.stack([places, values], axis=1)
        segments = np.stack([points[:-1], points[1:]], axis=1)
        strength = np.maximum(opacity[:-1], opacity[1:])
        colours = np.zeros((len(segments), 4))
        colours[:, 3] = strength
        panel.add_collection(LineCollection(list(segments), colors=colours, linewidths=1.3))
    panel.set_box_aspect(1)


def _is_series(picture: np.ndarray) -> bool:
    return picture.ndim == 1 or (picture.ndim == 2 and picture.shape[1] <= 4)


def _heading(name: str, view: str) -> str:
    """Return a column's title in lines that fit: the name, its parameters, the view."""
    parts = name.replace("[", "\n[").split("\n")
    if len(parts[0]) > TITLE_CHARACTERS:
        parts[0] = parts[0].replace(":", ": ", 1)  # a long name of another library's method breaks after the library
    lines = [
        line
        for part in parts
        for line in textwrap.wrap(part.replace(",", ", "), TITLE_CHARACTERS, break_on_hyphens=False) or [""]
    ]
    return "\n".join([*lines, view] if view else lines)
