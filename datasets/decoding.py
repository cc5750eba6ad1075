"""Decoding picture files to arrays: grey or RGB, upright, without transparency."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..declared_sizes import regular_bytes
from ..errors import BadInput
from .samples import UnreadableSample

# The suffixes that count as pictures in a folder; what a file holds is judged by its content.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2"}
)
# Named one by one because some other readers of Pillow start outside programs (Ghostscript for EPS).
FORMATS = ("JPEG", "MPO", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")

MOST_PIXELS = 2**27
"""Larger pictures (134 megapixels) are not decoded: each pixel takes four bytes and more, however small the file."""
MOST_BYTES = 2**30
"""Nor files of more bytes."""


def decoded(data: bytes, where: str) -> np.ndarray:
    """Return a picture file's pixels.

    The orientation noted by a camera (EXIF) is applied. Transparent pictures are laid on white. CMYK, palette and
    other colour spaces become RGB. Of an animation or a file of several pages, the first picture is read.

    Parameters
    ----------
    data
        The file's bytes.
    where
        The file's name for messages.

    Returns
    -------
    array
        (height, width, channels) with 1 (grey) or 3 (RGB) channels: uint8, or for files of 16-bit grey or
        floating-point pixels float32 in [0, 1].

    Raises
    ------
    UnreadableSample
        If the file is not a picture of a known format, is damaged, or its value range is unknown.
    """
    try:
        with opened_picture(io.BytesIO(data), where) as image:
            image.load()
            array = _pixels(ImageOps.exif_transpose(image), where)
    except (UnreadableSample, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise UnreadableSample(where, "not a picture in a known format, or its beginning is damaged") from error
    except Exception as error:
        # Pillow's readers raise errors of many types on damaged files.
        raise UnreadableSample(where, str(error) or type(error).__name__) from error
    return np.ascontiguousarray(array if array.ndim == 3 else array[..., np.newaxis])


def picture_bytes(path: Path) -> bytes:
    """Return the bytes of a picture file; UnreadableSample where it is no file or too large, else OSError."""
    try:
        return regular_bytes(path, MOST_BYTES)
    except BadInput as error:
        raise UnreadableSample(str(path), str(error)) from error


@contextmanager
def opened_picture(file: Path | BinaryIO, where: str) -> Iterator[Image.Image]:
    """Open a picture whose pixels have not been read yet.

    Raises
    ------
    UnreadableSample
        If it says that it has more pixels than `MOST_PIXELS`.
    UnidentifiedImageError, OSError
        If it is no picture of a known format, or cannot be read.
    """
    with warnings.catch_warnings():
        # Pillow's own limits depend on its version, and on what a program that uses heatmark has set.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(file, formats=_formats())
        except Image.DecompressionBombError as error:
            raise UnreadableSample(where, f"it is larger than {_MOST}") from error
    with image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise UnreadableSample(where, f"it says that it has {width} x {height} pixels; at most {_MOST} are read")
        yield image


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the formats that this build of Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _pixels(image: Image.Image, where: str) -> np.ndarray:
    """Return the pixels of an upright picture, (height, width) or (height, width, 3)."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.float32) / np.float32(65535)
    if image.mode in ("I", "F"):
        return _unbounded_pixels(image, where)
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        # Dropping the transparency instead would bring out whatever colour the hidden pixels happen to have.
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return np.asarray(image.convert("L" if grey else "RGB"))


_MOST = f"{MOST_PIXELS / 1e6:.0f} million pixels"


def _unbounded_pixels(image: Image.Image, where: str) -> np.ndarray:
    """Return 32-bit pixels as float32 in [0, 1] where their range is one that can be told."""
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    top = 1.0 if image.mode == "F" else 65535.0
    # Comparisons with NaN are false, so a picture with NaN ends here too.
    if not (low >= 0 and high <= top):
        raise UnreadableSample(
            where, f"pixels from {low:g} to {high:g} where 0 to {top:g} is expected; save it with 8 or 16 bits"
        )
    return (values / np.float32(top)).astype(np.float32)
