"""Finding picture files in folders: recursively, in natural order, with everything left out named."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from ...errors import BadInput
from ..decoding import SUFFIXES
from ..samples import Skipped, valid_text

# Files that operating systems strew about; hidden files (a leading dot) are ignored as well.
IGNORED = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True)
class Found:
    """What a folder holds."""

    pictures: tuple[Path, ...]
    """Files with a picture's suffix, relative to the folder, in natural order."""
    skipped: tuple[Skipped, ...]
    """Other files and folders that cannot be opened."""


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sorting key under which ``class2`` comes before ``class10``; ties fall back on the exact name."""
    pieces = re.split(r"([0-9]+)", name)
    key = [(0, int(piece), "") if piece.isdigit() else (1, 0, piece.casefold()) for piece in pieces]
    return (*key, (2, 0, name))


def existing_folder(path: str | Path, purpose: str) -> Path:
    """Return ``path`` as a folder that exists.

    Raises
    ------
    BadInput
        If there is nothing at ``path``, or a file.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    found = "it is a file" if folder.exists() else "there is no such folder"
    raise BadInput(f"Cannot read {purpose} from {folder}: {found}. Give the path of a folder.")


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders directly inside, in natural order, without hidden ones."""
    return sorted(
        (item.name for item in folder.iterdir() if item.is_dir() and not _ignored(item.name)), key=natural_key
    )


def find_pictures(folder: Path) -> Found:
    """Search a folder and all folders in it; links to folders are followed, each folder once."""
    pictures: list[Path] = []
    skipped: list[Skipped] = []
    seen: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        skipped.append(Skipped(str(error.filename), f"cannot be opened: {error.strerror or error}"))

    for place, names, files in os.walk(folder, onerror=note, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            names.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        names[:] = sorted((name for name in names if not _ignored(name)), key=natural_key)
        for name in sorted(files, key=natural_key):
            path = Path(place, name)
            if _ignored(name):
                continue
            if _is_no_file(path):
                skipped.append(Skipped(str(path), "a pipe or device, not a file"))
            elif path.suffix.lower() in SUFFIXES:
                pictures.append(path.relative_to(folder))
            else:
                skipped.append(Skipped(str(path), "not a picture by its suffix"))
    pictures.sort(key=lambda path: [natural_key(part) for part in path.parts])
    return Found(tuple(pictures), tuple(skipped))


def file_id(relative: Path) -> str:
    """Return a relative path as a sample id, also where its name is not valid text."""
    return valid_text(relative.as_posix())


def no_pictures(folder: Path, found: Found) -> BadInput:
    """Return the error for a folder without pictures."""
    others = f" It holds {len(found.skipped)} other file(s), such as {found.skipped[0].path}." if found.skipped else ""
    return BadInput(f"No pictures in {folder}.{others} Known suffixes: {' '.join(sorted(SUFFIXES))}.")


def _is_no_file(path: Path) -> bool:
    """Whether something is there that is no file; a link to nothing is a picture that cannot be read."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.casefold() in IGNORED
