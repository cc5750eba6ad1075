"""From attribution values to colours: signed maps centred at zero, unsigned maps from low to high."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from PIL import Image

from ...errors import BadInput

SIGNED_COLOURS = "coolwarm"
UNSIGNED_COLOURS = "inferno"
BAD_COLOUR = (255, 0, 255)
"""What is not finite."""

PERCENTILE = 99.0
"""Values beyond this percentile get the last colour, so that single extreme values don't hide all others.

100 caps nothing: the scale ends at the largest value.
"""

STRONGEST = 0.85
"""The opacity of the strongest values laid over a photograph."""


def unit_scale(heatmap: np.ndarray, signed: bool, percentile: float = PERCENTILE) -> np.ndarray:
    """Return the values on the scale that they are drawn on, NaN where they are not finite.

    Parameters
    ----------
    heatmap
        Any shape.
    signed
        True: -1 to 1, zero stays zero, and the ends are plus and minus the percentile of the absolute values.
        False: 0 to 1, between the percentiles of both ends (1st and 99th); a constant map is 0 everywhere.
    percentile
        Where the scale ends, above 50 and at most 100; whatever lies beyond gets the last value.

    Raises
    ------
    BadInput
        For a percentile out of range.
    """
    check_percentile(percentile)
    values = np.where(np.isfinite(heatmap), heatmap, np.nan).astype(np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    if signed:
        end = _end(np.abs(finite), percentile)
        return np.clip(values / end, -1.0, 1.0) if end > 0 else values
    low = float(np.percentile(finite, 100.0 - percentile))
    end = _end(finite - low, percentile)
    return np.clip((values - low) / end, 0.0, 1.0) if end > 0 else np.where(np.isnan(values), np.nan, 0.0)


def check_percentile(percentile: float | None) -> None:
    """Raise BadInput unless a scale can end at this percentile; None stands for a view's own."""
    if percentile is not None and not 50.0 < percentile <= 100.0:
        raise BadInput(f"The percentile that caps a map is above 50 and at most 100; got {percentile:g}.")


def coloured(heatmap: np.ndarray, signed: bool, percentile: float = PERCENTILE) -> np.ndarray:
    """Return a map's colours: uint8 with three channels after the map's own axes."""
    return _colours(unit_scale(heatmap, signed, percentile), signed)


def overlaid(picture: np.ndarray, heatmap: np.ndarray, signed: bool, percentile: float = PERCENTILE) -> np.ndarray:
    """Return the map's colours over the grey photograph, more opaque where values are stronger; see `views.seen`."""
    grey = grey_picture(picture)
    scaled = resized(unit_scale(heatmap, signed, percentile), (grey.shape[0], grey.shape[1]))
    # Signed maps are often spiky, so their middle values need more weight to be seen at all.
    strength = np.abs(np.nan_to_num(scaled, nan=1.0)) ** (0.5 if signed else 1.0)
    opacity = STRONGEST * strength[..., None]
    # The photograph keeps to the light half of the scale, so that dark colours stand out on it.
    base = 255.0 * (0.25 + 0.75 * grey[..., None])
    blended: np.ndarray = (1.0 - opacity) * base + opacity * _colours(scaled, signed)
    return np.round(blended).astype(np.uint8)


def grey_picture(picture: np.ndarray) -> np.ndarray:
    """Return a picture in grey: float64 (height, width) in [0, 1]."""
    values = _unit_values(picture)
    if values.ndim == 3:
        values = values @ np.array([0.299, 0.587, 0.114]) if values.shape[-1] == 3 else values.mean(axis=-1)
    return values


def colour_picture(picture: np.ndarray) -> np.ndarray:
    """Return a picture in colour: float64 (height, width, 3) in [0, 1]; grey where it has not three channels."""
    values = _unit_values(picture)
    if values.ndim == 3 and values.shape[-1] == 3:
        return values
    return np.repeat(grey_picture(picture)[..., None], 3, axis=-1)


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return (rows, columns) values at another size, float64; NaN stays NaN."""
    if values.shape == size:
        return values.astype(np.float64)
    image = Image.fromarray(np.nan_to_num(values).astype(np.float32))
    larger = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR), dtype=np.float64)
    if not np.isnan(values).any():
        return larger
    bad = Image.fromarray(np.isnan(values).astype(np.uint8)).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.where(np.asarray(bad, dtype=bool), np.nan, larger)


def _unit_values(picture: np.ndarray) -> np.ndarray:
    values = picture.astype(np.float64) / (255.0 if picture.dtype == np.uint8 else 1.0)
    return np.asarray(np.clip(values, 0.0, 1.0))


def _colours(scaled: np.ndarray, signed: bool) -> np.ndarray:
    colours = mpl.colormaps[SIGNED_COLOURS if signed else UNSIGNED_COLOURS]
    position = 0.5 + 0.5 * scaled if signed else scaled
    rgb = np.asarray(colours(np.nan_to_num(position, nan=0.0), bytes=True))[..., :3].copy()
    rgb[np.isnan(scaled)] = BAD_COLOUR
    return rgb


def _end(sizes: np.ndarray, percentile: float) -> float:
    """Return the percentile, or the largest value where so few are above zero that the percentile is zero."""
    return float(np.percentile(sizes, percentile)) or float(sizes.max())
