"""Galleries of heatmaps: photographs as rows, methods as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import BadInput, suggestion
from .heat_colours import coloured, overlaid
from .plots import INK, write_text

View = Literal["overlay", "map", "both"]
CAPTION = (
    "Signed maps: red speaks for the class, blue against it. Unsigned maps: from dark (little) to yellow (much); "
    "overlays show strong values only."
)


def draw_gallery(
    pictures: Sequence[np.ndarray],
    maps: Mapping[str, Sequence[np.ndarray | str]],
    signed: Mapping[str, bool],
    titles: Sequence[str],
    *,
    view: View = "overlay",
    across: int = 7,
    panel_size: float = 1.6,
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
        ``overlay`` on the grey photograph, the bare ``map``, or ``both``.
    across
        The most panels in a line; a picture with more goes on in the next.
    panel_size
        Inches.

    Raises
    ------
    BadInput
        For an unknown view, or where the numbers of pictures, titles and maps differ.
    """
    check_view(view)
    if not pictures or len(titles) != len(pictures) or any(len(column) != len(pictures) for column in maps.values()):
        counts = {name: len(column) for name, column in maps.items()}
        raise BadInput(
            f"A gallery needs a title and a map per picture: {len(pictures)} pictures, {len(titles)} titles, {counts}."
        )
    views = ("overlay", "map") if view == "both" else (view,)
    columns = [(name, shown) for name in maps for shown in views]
    lines = max(1, -(-len(columns) // max(across - 1, 1)))
    width = min(len(columns), -(-len(columns) // lines)) + 1
    figure = Figure(
        figsize=(panel_size * width, (panel_size + 0.32) * lines * len(pictures) + 0.3), layout="constrained"
    )
    panels = figure.subplots(lines * len(pictures), width, squeeze=False)
    for panel in panels.ravel():
        panel.set_axis_off()
    for row, picture in enumerate(pictures):
        _draw_picture(panels[row * lines, 0], picture)
        write_text(panels[row * lines, 0].set_title("-", fontsize=7, color=INK), titles[row])
        for number, (name, shown) in enumerate(columns):
            line, place = divmod(number, width - 1)
            panel = panels[row * lines + line, place + 1]
            if row == 0 or lines > 1:
                write_text(panel.set_title("-", fontsize=7, color=INK), name.replace("[", "\n["))
            _draw_map(panel, picture, maps[name][row], signed[name], shown == "overlay")
    figure.supxlabel(CAPTION, fontsize=6.5, color="#555555")
    return figure


def check_view(view: str) -> None:
    """Raise BadInput unless ``view`` is one of the known views."""
    if view not in get_args(View):
        raise BadInput(f"view is one of {', '.join(get_args(View))}; got {view!r}.{suggestion(view, get_args(View))}")


def _draw_picture(panel: Axes, picture: np.ndarray) -> None:
    if _is_series(picture):
        _draw_line(panel, picture)
    else:
        shown = picture[..., 0] if picture.ndim == 3 and picture.shape[-1] == 1 else picture
        panel.imshow(shown, cmap="gray", vmin=0, vmax=255 if picture.dtype == np.uint8 else 1)


def _draw_map(panel: Axes, picture: np.ndarray, heatmap: np.ndarray | str, signed: bool, overlay: bool) -> None:
    if isinstance(heatmap, str):
        text = panel.text(0.5, 0.5, "-", ha="center", va="center", fontsize=6, wrap=True, color="#555555")
        write_text(text, heatmap)
    elif _is_series(picture):
        low, high = float(picture.min()), float(picture.max())
        margin = 0.05 * (high - low) or 0.5
        extent = (-0.5, len(picture) - 0.5, low - margin, high + margin)
        panel.imshow(coloured(heatmap.reshape(1, -1), signed), aspect="auto", extent=extent, interpolation="nearest")
        if overlay:
            _draw_line(panel, picture)
    else:
        panel.imshow(overlaid(picture, heatmap, signed) if overlay else coloured(heatmap, signed))


def _draw_line(panel: Axes, series: np.ndarray) -> None:
    panel.plot(series.reshape(len(series), -1), color="black", linewidth=1.0)
    panel.set_box_aspect(1)


def _is_series(picture: np.ndarray) -> bool:
    return picture.ndim == 1 or (picture.ndim == 2 and picture.shape[1] <= 4)
