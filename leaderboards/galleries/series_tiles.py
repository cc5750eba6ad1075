"""Series as small pictures for pages: the sample as a line over its heatmap's colours."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .colours import coloured
from .views import View, brightness, scale_end

SHAPE = 0.6
"""Height over width."""
FINER = 3
"""Lines are drawn so many times larger, so that their edges are smooth."""


def series_tile(
    series: np.ndarray, heatmap: np.ndarray | None, signed: bool, view: View, size: int, cap: float | None = None
) -> np.ndarray:
    """Return a series in one view, as galleries draw it.

    Parameters
    ----------
    series
        (length, channels), any values.
    heatmap
        (length,), or None for the series alone.
    signed, view, cap
        As `views.seen` takes them.
    size
        Pixels across.

    Returns
    -------
    array
        uint8 (rows, size, 3).
    """
    wide, high = FINER * size, round(FINER * SHAPE * size)
    in_colours = heatmap is not None and view not in ("points", "mask")
    if in_colours and heatmap is not None:
        strip = coloured(heatmap.reshape(1, -1), signed, scale_end(view, cap))
        image = Image.fromarray(strip).resize((wide, high), Image.Resampling.NEAREST)
    else:
        image = Image.new("RGB", (wide, high), "white")
    if heatmap is None or view not in ("map", "capped"):
        strength = np.ones(len(series)) if heatmap is None or in_colours else brightness(heatmap.ravel(), view, cap)
        _draw_lines(ImageDraw.Draw(image), series, strength, halo=in_colours)
    return np.asarray(image.resize((size, high // FINER), Image.Resampling.LANCZOS))


def _draw_lines(draw: ImageDraw.ImageDraw, series: np.ndarray, strength: np.ndarray, *, halo: bool) -> None:
    """Draw every channel, each step as dark as the stronger of its ends; with white around it on colours."""
    wide, high = draw.im.size
    values = series.reshape(len(series), -1).astype(np.float64)
    low, spread = float(values.min()), float(np.ptp(values)) or 1.0
    x = (np.arange(len(values)) + 0.5) / len(values) * wide
    y = high * (0.95 - 0.9 * (values - low) / spread)
    shades = np.round(255 * (1.0 - np.maximum(strength[:-1], strength[1:]))).astype(int)
    for width, white in ([(3 * FINER, True)] if halo else []) + [(round(1.4 * FINER), False)]:
        for channel in y.T:
            for step, shade in enumerate(shades):
                ends = [(x[step], channel[step]), (x[step + 1], channel[step + 1])]
                draw.line(ends, fill=(255,) * 3 if white else (int(shade),) * 3, width=width)
