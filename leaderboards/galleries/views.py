"""The ways of looking at a heatmap: over the photograph, alone, capped, as a point cloud, and as a binary mask."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, cast, get_args

import numpy as np
from scipy import ndimage

from ...errors import BadInput, suggestion
from .colours import BAD_COLOUR, PERCENTILE, check_percentile, colour_picture, coloured, overlaid, resized, unit_scale

View = Literal["overlay", "map", "capped", "points", "mask"]
VIEWS: tuple[View, ...] = get_args(View)
TOGETHER: dict[str, tuple[View, ...]] = {"both": ("overlay", "map"), "all": VIEWS}
"""Names that stand for several views."""

WHOLE_RANGE = 100.0
MASK_BLUR = 2.0
"""Standard deviation, in the picture's pixels, of the Gaussian that joins the points of a mask."""

MASK_LEVEL = 0.2
"""A position is kept where the blurred positive part is above this share of its largest value."""

MASK_DIMMING = 0.1
"""The brightness of what a mask does not keep."""

_COLOURS = {
    True: "Signed maps: red speaks for the class, blue against it.",
    False: "Unsigned maps: from dark (little) to yellow (much).",
}


def views_of(text: str | Iterable[str]) -> tuple[View, ...]:
    """Return the views that ``text`` names: one or several with commas, ``both`` (overlay and map) or ``all``.

    Raises
    ------
    BadInput
        For an unknown view, or none.
    """
    names = [name.strip() for part in ([text] if isinstance(text, str) else text) for name in part.split(",")]
    found: dict[View, None] = {}
    for name in filter(None, names):
        if name not in VIEWS and name not in TOGETHER:
            known = (*VIEWS, *TOGETHER)
            raise BadInput(f"view is one of {', '.join(known)}; got {name!r}.{suggestion(name, known)}")
        found.update(dict.fromkeys(TOGETHER.get(name, (cast(View, name),))))
    if not found:
        raise BadInput(f"No view named. Choose from {', '.join(VIEWS)}.")
    return tuple(found)


def scale_end(view: View, cap: float | None) -> float:
    """Return the percentile at which a view's scale ends: what is asked for, else the view's own.

    Overlays and capped maps end at the 99th percentile, points at the largest value; maps always show their whole
    range, and masks have a scale of their own.
    """
    if view == "map":
        return WHOLE_RANGE
    if cap is not None:
        return cap
    return WHOLE_RANGE if view == "points" else PERCENTILE


def caption(views: Sequence[View], cap: float | None = None, signs: Collection[bool] = (True, False)) -> str:
    """Return in words what the views show, for maps of these signs (True: signed)."""
    in_colours = any(view in ("overlay", "map", "capped") for view in views)
    parts = [words for sign, words in _COLOURS.items() if in_colours and sign in signs]
    for view in views:
        percentile = scale_end(view, cap)
        end = "largest value" if percentile == WHOLE_RANGE else f"{ordinal(percentile)} percentile"
        if view == "overlay":
            parts.append(f"Overlays show strong values only; each scale ends at the map's {end}.")
        elif view in ("map", "capped"):
            parts.append(f"{view.capitalize()}: each scale ends at the map's {end}.")
        elif view == "points":
            parts.append(f"Points: every pixel as bright as its positive attribution, relative to the {end}.")
        else:
            parts.append(
                f"Mask: kept where the positive attribution, blurred by {MASK_BLUR:g} pixels, is above {MASK_LEVEL:g} "
                f"of its largest value; the rest at {MASK_DIMMING:g} of its brightness."
            )
    return " ".join(parts)


def seen(picture: np.ndarray, heatmap: np.ndarray, signed: bool, view: View, cap: float | None = None) -> np.ndarray:
    """Return a heatmap over a photograph in one view; neither array is changed.

    Parameters
    ----------
    picture
        uint8 or float in [0, 1], (height, width) or (height, width, channels).
    heatmap
        (rows, columns), brought to the picture's size for every view that shows the picture.
    signed
        Whether negative values speak against the class.
    view
        What to show.
    cap
        The percentile at which the scale of ``overlay``, ``capped`` or ``points`` ends, above 50 and at most 100; by
        default the view's own (see `scale_end`).

    Returns
    -------
    array
        uint8: (rows, columns, 3) for ``map`` and ``capped``, else (height, width, 3). What is not finite has the
        colour `heat_colours.BAD_COLOUR`.
    """
    if view == "overlay":
        return overlaid(picture, heatmap, signed, scale_end(view, cap))
    if view in ("map", "capped"):
        return coloured(heatmap, signed, scale_end(view, cap))
    colours = colour_picture(picture)
    values = resized(unit_scale(heatmap, True, WHOLE_RANGE), (colours.shape[0], colours.shape[1]))
    shown: np.ndarray = np.round(255.0 * colours * brightness(values, view, cap)[..., None]).astype(np.uint8)
    shown[np.isnan(values)] = BAD_COLOUR
    return shown


def brightness(heatmap: np.ndarray, view: View, cap: float | None = None) -> np.ndarray:
    """Return how much of each position ``points`` or ``mask`` shows: float64 in [0, 1], of the map's shape."""
    if view == "points":
        return opacity(heatmap, scale_end(view, cap))
    return np.where(kept(heatmap), 1.0, MASK_DIMMING)


def opacity(heatmap: np.ndarray, percentile: float = WHOLE_RANGE) -> np.ndarray:
    """Return the positive part relative to its percentile, the largest value by default; 1 beyond it.

    Float64 in [0, 1], 0 where a value is not finite; a map without positive values is 0 everywhere.
    """
    check_percentile(percentile)
    positive = np.maximum(np.where(np.isfinite(heatmap), heatmap, 0.0).astype(np.float64), 0.0)
    largest = float(np.percentile(positive, percentile)) or float(positive.max(initial=0.0))
    return np.minimum(positive / largest, 1.0) if largest > 0 else positive


def kept(heatmap: np.ndarray) -> np.ndarray:
    """Return where the blurred positive part is above a fifth of its largest value: boolean, of the map's shape."""
    return opacity(ndimage.gaussian_filter(opacity(heatmap), MASK_BLUR)) > MASK_LEVEL


def ordinal(number: float) -> str:
    """Return ``99th``, ``99.5th``, ``92nd``."""
    text = f"{number:g}"
    endings = {"1": "st", "2": "nd", "3": "rd"}
    teen = text[-2:] in ("11", "12", "13")
    return text + ("th" if teen or "." in text else endings.get(text[-1], "th"))
