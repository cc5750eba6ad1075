"""What a file says that it holds, asked before it is read: one that would fill the memory is refused.

An archive of a megabyte can hold gigabytes of zeros. Networks, pictures and arrays do not shrink like that: their
numbers look random to a compressor. A file may therefore unpack to `TIMES` its own size, and to `FREE_BYTES` in any
case.
"""

from __future__ import annotations

import io
import math
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import BadInput

FREE_BYTES = 2**26
"""Files may unpack to 64 MiB, however small they are."""
TIMES = 20
"""Larger ones to so many times their size."""
MOST_NUMBERS = 2**28
"""A table of results of one file has at most so many values."""


class TooLarge(BadInput):
    """A file that says it holds more than its size can mean; nothing of it was read."""


def check_unpacked(what: str, unpacked: int, packed: int) -> None:
    """Raise TooLarge where a file of ``packed`` bytes says that it holds ``unpacked`` ones, far too many for it."""
    if unpacked > max(FREE_BYTES, TIMES * packed):
        raise TooLarge(
            f"{what} says that it holds {in_bytes(unpacked)} in a file of {in_bytes(packed)}: no network, picture or "
            "data shrinks like that, so it was not read. Get the file again from its source."
        )


def check_zip(path: Path) -> None:
    """Raise TooLarge where the members of a zip archive (``.keras``, ``.npz``) say that they are far too many bytes.

    What a member says is also the most that Python reads of it.

    Raises
    ------
    OSError, zipfile.BadZipFile
        If it is no zip archive.
    """
    packed = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        check_unpacked(str(path), sum(member.file_size for member in archive.infolist()), packed)
        for member in archive.infolist():
            if member.filename.endswith((".h5", ".hdf5")) and member.file_size <= TIMES * FREE_BYTES:
                # A bomb in a bomb: the member is small, and says of its own parts that they are huge.
                check_hdf5(io.BytesIO(archive.read(member)), f"{member.filename} in {path}", packed)


def check_hdf5(file: Path | BinaryIO, what: str, packed: int) -> None:
    """Raise TooLarge where the arrays of an HDF5 file say that they are far too large; OSError where it is none."""
    import h5py  # comes with Keras

    sizes: list[int] = []

    def add(name: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            sizes.append(math.prod(found.shape or ()) * found.dtype.itemsize)

    with h5py.File(file, "r") as opened:
        opened.visititems(add)
    check_unpacked(what, sum(sizes), packed)


def regular_bytes(path: Path, most: int) -> bytes:
    """Return a file's bytes where it is a file, of at most ``most`` bytes: a pipe or device might never end.

    Raises
    ------
    TooLarge, BadInput
        If it is larger, or no file.
    OSError
        If it cannot be read.
    """
    with opened_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise TooLarge(f"it has {in_bytes(size)}, and {in_bytes(most)} are the most that is read of such a file")
        return file.read(most)


@contextmanager
def opened_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file, and nothing else, for reading; see `regular_bytes`."""
    # Without waiting: whoever opens a pipe for reading waits until somebody writes.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BadInput("it is a folder, pipe or device, not a file")
        yield file


def in_bytes(size: int) -> str:
    """Return a number of bytes in words, by its largest unit."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.3g} {unit}"
    return f"{size} bytes"
