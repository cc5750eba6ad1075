"""Pictures as bytes: brought to a size and encoded in one way, wherever they are shown."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

QUALITY = 82
"""Of JPEG files: heatmaps over photographs show no blocks, and a report stays small."""


def at_size(picture: np.ndarray, longest: int) -> np.ndarray:
    """Return a picture, uint8 (height, width[, 3]), with its longer side at so many pixels.

    Small pictures (digits) are enlarged without smoothing, so that their pixels stay visible.
    """
    image = Image.fromarray(picture)
    share = longest / max(image.size)
    if share == 1:
        return picture
    resample = Image.Resampling.LANCZOS if share < 1 else Image.Resampling.NEAREST
    return np.asarray(image.resize([max(1, round(length * share)) for length in image.size], resample))


def jpeg(picture: np.ndarray) -> bytes:
    """Return a photograph as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def png(picture: np.ndarray) -> bytes:
    """Return a picture of flat colours as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
