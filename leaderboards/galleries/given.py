"""Pictures, series and heatmaps that someone gives to be drawn: read from any layout, refused where they mislead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import BadInput

MOST_CHANNELS = 4
SMALLEST_SIDE = 8
"""Pictures have at least so many pixels on each side."""
BEYOND = 0.01
"""Pictures may leave [0, 1] by so much: noise and interpolation do."""


def pictures_given(values: Any) -> list[np.ndarray]:
    """Return pictures (height, width, channels) or (height, width), and series (length, channels) or (length,).

    Raises
    ------
    BadInput
        For what is no batch of them, or may be a single picture as well, or whose values say nothing of how light it
        is.
    """
    found = _array(values, "pictures")
    _refuse_single(found)
    return [_in_range(_channels_last(picture)) for picture in found]


def maps_given(values: Any, pictures: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Return the heatmaps of every method.

    Raises
    ------
    BadInput
        For what is no batch of maps by method, or maps that do not lie over the pictures: those of another length, with
        channels, or turned on their side.
    """
    if not isinstance(values, Mapping):
        raise BadInput(
            f"maps holds a batch of heatmaps by method, such as {{'grad_cam': a}}; got {type(values).__name__}."
        )
    found = {str(name): list(_array(maps, f"maps[{name!r}]")) for name, maps in values.items()}
    for name, maps in found.items():
        for number, (heatmap, picture) in enumerate(zip(maps, pictures, strict=False)):
            if not _lies_over(heatmap, picture):
                shape = picture.shape[: 1 if is_series(picture) else 2]
                raise BadInput(
                    f"maps[{name!r}] number {number} has the shape {heatmap.shape}, and its picture the positions "
                    f"{shape}. A heatmap has one value per position, as `heatmark.explain` returns it, or the same "
                    "proportions."
                )
    return found


def is_series(picture: np.ndarray) -> bool:
    """Return whether what is given with its channels behind is a series."""
    return picture.ndim == 1 or (picture.ndim == 2 and picture.shape[1] <= MOST_CHANNELS)


def _array(values: Any, what: str) -> np.ndarray:
    """Return an array or a tensor of either framework as NumPy has it."""
    for call in ("detach", "cpu", "numpy"):
        values = getattr(values, call)() if hasattr(values, call) else values
    try:
        found = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{what} is a batch of numbers of one shape, (n, ...): {error}") from error
    if found.ndim < 2 or found.dtype.kind not in "biuf":
        raise BadInput(f"{what} is a batch of numbers, (n, ...); got an array of shape {found.shape}, {found.dtype}.")
    return found


def _refuse_single(found: np.ndarray) -> None:
    """Refuse what is as likely one picture as a batch of series: its lines would be drawn as series."""
    coloured = found.ndim == 3 and found.shape[2] in (3, MOST_CHANNELS)
    grey = found.ndim == 2 or (found.ndim == 3 and found.shape[2] == 1)
    large = min(found.shape[:2]) >= SMALLEST_SIDE and found.size > 0
    if not (large and (coloured or (grey and found.shape[0] == found.shape[1]))):
        return
    light = found.dtype == np.uint8 or (np.nanmin(found) >= 0 and np.nanmax(found) <= 1)
    if light:
        raise BadInput(
            f"pictures has the shape {found.shape}, which may be one picture or {found.shape[0]} series. Give one "
            "picture as a batch of one, `pictures[None]`, and its heatmaps as `map[None]`; give series as "
            "(n, channels, length)."
        )


def _channels_last(picture: np.ndarray) -> np.ndarray:
    """Return a picture or series with its channels behind, wherever they were."""
    if picture.ndim > 3:
        raise BadInput(f"Pictures have at most 3 axes and series 2; got one of shape {picture.shape}.")
    if picture.ndim == 3:
        moved = np.moveaxis(picture, 0, -1) if picture.shape[-1] > MOST_CHANNELS >= picture.shape[0] else picture
        if moved.shape[-1] > MOST_CHANNELS:
            raise BadInput(
                f"Pictures have up to {MOST_CHANNELS} channels, before or behind their positions; got one of shape "
                f"{picture.shape}."
            )
        return moved
    if picture.ndim == 2 and picture.shape[0] <= MOST_CHANNELS < picture.shape[1]:
        return picture.T
    return picture


def _in_range(picture: np.ndarray) -> np.ndarray:
    """Return a picture as uint8 or in [0, 1]; a series as it is."""
    if not np.isfinite(picture).all():
        raise BadInput("A picture has values that are no numbers (NaN or infinite). Mend it before it is drawn.")
    if is_series(picture) or picture.dtype == np.uint8 or not picture.size:
        return picture
    low, high = float(picture.min()), float(picture.max())
    if picture.dtype.kind in "iu" and low >= 0 and 1 < high <= 255:
        return picture.astype(np.uint8)
    if low < -BEYOND or high > 1 + BEYOND:
        raise BadInput(
            f"Pictures are in [0, 1], or whole numbers up to 255; one goes from {low:.3g} to {high:.3g}. Give them as "
            "they were before they were scaled for a network."
        )
    kind = np.float64 if picture.dtype.kind != "f" else picture.dtype
    clipped: np.ndarray = np.clip(picture.astype(kind), 0.0, 1.0)
    return clipped


def _lies_over(heatmap: np.ndarray, picture: np.ndarray) -> bool:
    """Return whether a map has a picture's positions, or its proportions on a coarser or finer grid."""
    if is_series(picture):
        return heatmap.shape == picture.shape[:1]
    if heatmap.ndim != 2 or not heatmap.size:
        return False
    (rows, columns), (height, width) = heatmap.shape, picture.shape[:2]
    # One step of a grid that covers the picture is between these, as the last row may reach beyond or fall short.
    highest, widest = (size / max(count - 1, 0.5) for size, count in ((height, rows), (width, columns)))
    return bool(height / (rows + 1) <= widest and width / (columns + 1) <= highest)
