"""Galleries of heatmaps: photographs and, beside each, its heatmaps."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...errors import BadInput
from ..writing.ink import INK, SOFT, note_at_foot, title, wrapped
from .colours import SIGNED_COLOURS, UNSIGNED_COLOURS, check_percentile, colour_picture, coloured
from .given import is_series
from .layout import PANEL_SIZE, Layout, Place, lines_of
from .views import View, brightness, caption, scale_end, seen, views_of

SERIES_SHAPE = 0.5
"""Height over width of a panel with a series."""
IN_COLOURS: tuple[View, ...] = ("overlay", "map", "capped")
NOTE_LINE = 0.11
"""Inches of a line of the caption."""
BAR_HEIGHT, BAR_WIDTH, BAR_ROOM = 0.3, 1.2, 2.1


def draw_gallery(
    pictures: Sequence[np.ndarray],
    maps: Mapping[str, Sequence[np.ndarray | str]],
    signed: Mapping[str, bool],
    titles: Sequence[str],
    *,
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    across: int | None = None,
    panel_size: float = PANEL_SIZE,
    note: str = "",
    captioned: bool = True,
    colour_bar: bool = False,
) -> Figure:
    """Draw heatmaps beside the photographs that they explain.

    Panels and words have one size however many there are: the figure grows downward, and is no wider than a page.

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
        The most panels in a line, 6 by default; a picture with more goes on in the next, and several pictures with
        fewer stand beside one another.
    panel_size
        Inches across a panel.
    note
        Words before the caption.
    captioned
        Whether the note and what the views show stand below, in words.
    colour_bar
        Whether scales of colours stand below.

    Raises
    ------
    BadInput
        For an unknown view, a cap or a number of panels out of range, or where the numbers of pictures, titles and maps
        differ.
    """
    views = views_of(view)
    check_percentile(cap)
    if across is not None and across < 1:
        raise BadInput(f"So many panels cannot stand in a line: {across}. Give at least 1.")
    if not pictures or len(titles) != len(pictures) or any(len(column) != len(pictures) for column in maps.values()):
        counts = {name: len(column) for name, column in maps.items()}
        raise BadInput(
            f"A gallery needs a title and a map per picture: {len(pictures)} pictures, {len(titles)} titles, {counts}."
        )
    layout = Layout.of(lines_of(list(maps), views, across), titles, _panel(pictures, panel_size), across)
    signs = {signed[name] for name in maps}
    words = " ".join(filter(None, [note, caption(views, cap, signs)])) if captioned else ""
    words = wrapped(words, layout.width - 0.15) if words else ""
    note_height = NOTE_LINE * (words.count("\n") + 1) + 0.1 if words else 0.05
    bars = sorted(signs, reverse=True) if colour_bar and any(shown in IN_COLOURS for shown in views) else []
    in_line = max(1, int(layout.width / BAR_ROOM))
    figure, panels = layout.figure(note_height + BAR_HEIGHT * -(-len(bars) // in_line))
    for (row, place), panel in zip(layout.places, panels, strict=True):
        _draw_place(panel, place, pictures[row], {name: column[row] for name, column in maps.items()}, signed, cap)
        for heading, bold in layout.headings(row, place):
            title(panel, heading, 7, loc="center", fontweight="bold" if bold else "normal", pad=3)
    _draw_bars(figure, bars, note_height, in_line)
    if words:
        note_at_foot(figure, words)
    return figure


def _panel(pictures: Sequence[np.ndarray], width: float) -> tuple[float, float]:
    """Return the width and height of every panel, in inches: the shape of the tallest picture, within reason."""
    shapes = [SERIES_SHAPE if is_series(picture) else picture.shape[0] / picture.shape[1] for picture in pictures]
    return width, width * min(max(*shapes, 0.3), 2.0)


def _draw_place(
    panel: Axes,
    place: Place,
    picture: np.ndarray,
    maps: Mapping[str, np.ndarray | str],
    signed: Mapping[str, bool],
    cap: float | None,
) -> None:
    panel.set_axis_off()
    if place.name is not None:
        draw_map(panel, picture, maps[place.name], signed[place.name], place.view, cap)
    elif place.shows_photograph:
        draw_picture(panel, picture)
    if place.side:
        panel.text(
            -0.03, 0.5, place.side, transform=panel.transAxes, rotation=90, ha="right", va="center", fontsize=7,
            color=INK,
        )  # fmt: skip


def _draw_bars(figure: Figure, signs: Sequence[bool], above: float, in_line: int) -> None:
    """Draw a scale of colours for signed and unsigned maps; each map has its own ends, so the ends are words."""
    width, height = figure.get_size_inches()
    for number, sign in enumerate(signs):
        line, column = divmod(number, in_line)
        left, bottom = 0.4 + column * BAR_ROOM, above + line * BAR_HEIGHT + 0.17
        bar = figure.add_axes((left / width, bottom / height, BAR_WIDTH / width, 0.08 / height))
        scale = Normalize(-1 if sign else 0, 1)
        colours = SIGNED_COLOURS if sign else UNSIGNED_COLOURS
        figure.colorbar(ScalarMappable(scale, colours), cax=bar, orientation="horizontal")
        ticks, names = ([-1, 0, 1], ["against", "0", "for the class"]) if sign else ([0, 1], ["little", "much"])
        bar.set_xticks(ticks, names, fontsize=6, color=INK)
        bar.tick_params(length=1.5, width=0.5, pad=1.5)
        bar.spines[:].set_visible(False)


def draw_picture(panel: Axes, picture: np.ndarray) -> None:
    """Draw a photograph, or a series as a line."""
    if is_series(picture):
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
        words = textwrap.fill(heatmap, 25)
        panel.text(0.5, 0.5, words, ha="center", va="center", fontsize=5.5, color=SOFT, parse_math=False)
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1)
    elif is_series(picture):
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
    halo = [withStroke(linewidth=2.0, foreground="white")]  # dark colours would hide the line
    panel.plot(series.reshape(len(series), -1), color="black", linewidth=0.8, path_effects=halo)
    panel.set_box_aspect(SERIES_SHAPE)


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
    panel.set_box_aspect(SERIES_SHAPE)
