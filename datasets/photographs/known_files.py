"""What files begin with, remembered as long as a file keeps its size and time of change.

The revision of a folder of pictures covers the beginning of every file, and every worker has to work it out. Of
50,000 photographs that is 3 GiB to read before the first cell, for each worker; remembered, each reads the files of its
own cells alone. What is remembered lies in the cache and only saves time: without it files are read.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from os import stat_result
from pathlib import Path

from ...errors import BadInput, StorageError
from ...identity import digest
from ...storage import cache_folder, written_whole

WORTH = 1000
"""Of fewer files nothing is remembered: they are read in a moment."""
SETTLED_NS = 2_000_000_000
"""A file that changes again is sure to have another time of change after so many nanoseconds."""


def beginnings(paths: Sequence[Path], read: Callable[[Path], bytes]) -> list[tuple[int, str] | None]:
    """Return each file's size and the SHA-256 of what it begins with; None for one that cannot be read.

    Parameters
    ----------
    paths
        The files.
    read
        Returns what a file begins with; it may raise OSError or BadInput.
    """
    names = [str(path.absolute()) for path in paths]
    place = _place(names) if len(paths) >= WORTH else None
    known = _read(place)
    found: list[tuple[int, str] | None] = []
    facts: dict[str, list[object]] = {}
    now, new = time.time_ns(), 0
    for path, name in zip(paths, names, strict=True):
        try:
            about = path.stat()
            mark = _mark(about)
            earlier = known.get(name)
            if earlier is not None and earlier[:3] == mark:
                start = str(earlier[3])
            else:
                start = hashlib.sha256(read(path)).hexdigest()
                new += 1
            if now - about.st_mtime_ns > SETTLED_NS:
                facts[name] = [*mark, start]
            found.append((about.st_size, start))
        except (OSError, BadInput):
            found.append(None)
    if place is not None and new:
        with suppress(StorageError, OSError), written_whole(place) as temporary:
            temporary.write_text(json.dumps(facts), encoding="utf-8")
    return found


def _mark(about: stat_result) -> list[object]:
    """Return what changes with a file: its size, its time of change, and when the system last wrote of it."""
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns]


def _place(names: Sequence[str]) -> Path | None:
    """Return where these files' beginnings are remembered, None where nothing can be."""
    try:
        return cache_folder("files") / f"{digest(list(names))}.json"
    except (StorageError, OSError):
        return None


def _read(place: Path | None) -> Mapping[str, list[object]]:
    if place is None:
        return {}
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {
        name: facts
        for name, facts in (found.items() if isinstance(found, dict) else ())
        if isinstance(facts, list) and len(facts) == 4
    }
