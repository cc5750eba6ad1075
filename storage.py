"""Where heatmark keeps files, and how a file comes to be there: whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from .errors import StorageError
from .owners import Owner

CACHE_VARIABLE = "HEATMARK_CACHE"
PART = re.compile(r"^\..*?(?:\.(?P<owner>[0-9a-f]{8}-\d+-\d+))?\.part$", re.DOTALL)
"""A file that is being written: hidden, and named by the process that writes it."""
FORGOTTEN_SECONDS = 24 * 3600.0
"""What another machine, or an earlier version, was writing so long ago is written no more."""


def cache_folder(*parts: str) -> Path:
    """Return (and make) a folder under the cache: ``$HEATMARK_CACHE``, else the user's cache folder.

    What killed processes left half written in it is removed: weights and data are large.

    Raises
    ------
    StorageError
        If the folder cannot be made.
    """
    root = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("heatmark")
    folder = Path(root).expanduser().joinpath(*parts)
    made_folder(folder, hint=f"Set {CACHE_VARIABLE} to a folder that you can write to.")
    with suppress(OSError):
        for path in folder.glob(".*.part"):
            _forgotten(path)
    return folder


def made_folder(folder: Path, hint: str = "Choose a folder that you can write to.") -> Path:
    """Return ``folder`` after making it and its parents; a StorageError says why where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"Cannot make the folder {folder}: {error.strerror or error}. {hint}") from error
    return folder


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on leaving without an exception, sync it and rename it to ``path``.

    A reader therefore sees the old file, no file, or the whole new file, also after a crash.

    Raises
    ------
    StorageError
        If the folder is read-only or full. The temporary file is removed on every exception.
    """
    made_folder(path.parent)
    try:
        # Short, as a name has an end: 255 bytes in most file systems.
        beginning, end = f".{path.name[:40]}.", f".{Owner.here().text}.part"
        handle, name = tempfile.mkstemp(prefix=beginning, suffix=end, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise StorageError(f"Cannot write into {path.parent}: {error.strerror or error}. {_remedy(error)}") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror or error}. {_remedy(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space there, or choose another folder."
    return "Choose a folder that you can write to."


def swept(folder: Path) -> int:
    """Remove what killed processes left half written in a folder and all folders in it; return how many files.

    Those of a process that still lives stay, and of one that cannot be asked those that changed within a day.
    """
    return sum(_forgotten(Path(place, name)) for place, _, names in os.walk(folder) for name in names)


def _forgotten(path: Path) -> bool:
    """Remove a file that somebody who is gone was writing; return whether it was one."""
    if (match := PART.match(path.name)) is None:
        return False
    owner = Owner.parsed(match["owner"]) if match["owner"] else None
    alive = owner.alive if owner is not None else None
    with suppress(OSError):
        long_ago = time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS
        if alive is False or (alive is None and long_ago):
            path.unlink()
            return True
    return False


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be read to ``NAME.corrupt[-N]`` in the same folder and return the new path."""
    number = 0
    while (aside := path.with_name(f"{path.name}.corrupt{f'-{number}' if number else ''}")).exists():
        number += 1
    path.replace(aside)
    return aside


def set_aside_aloud(path: Path, reason: str) -> Path:
    """Set a damaged cache file aside and warn of it, as making it again may take a while."""
    aside = set_aside(path)
    warnings.warn(f"{reason} It was moved to {aside} and is being made again.", RuntimeWarning, stacklevel=4)
    return aside


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
