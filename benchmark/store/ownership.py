"""One folder, one run at a time: who writes into a folder of results says so there; two different works are refused.

``.owners/`` holds a file for each process that works in the folder: what it does, since when, on which machine. A file
is removed when its process has ended properly. That of a process which was killed is found out and removed by the next
one: on the same machine by asking for the process (a number that was given again is told apart by the time of its
start), elsewhere by the file's time, which a living owner renews.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...errors import StorageError
from ...owners import Owner
from ...storage import swept
from .keyed import read_json, write_json

FOLDER = ".owners"
BEAT_SECONDS = 30.0
"""How often an owner renews its file."""
SILENT_SECONDS = 600.0
"""After so long without that, an owner on another machine is taken for dead; network folders may lag by minutes."""
_TRIES = 5
_TOGETHER_SECONDS = 1.0
"""Two that come at the same moment see each other and both give way; then each tries again after a while of its own."""


@dataclass(frozen=True)
class Work:
    """What a process does in a folder."""

    digest: str
    """Of all that makes it this work; only processes of the same work share a folder."""
    words: str
    """What it is called in messages."""
    part: str = ""
    """Which share of the work it does, such as ``2/8``; two that do the same share, or all, do not go together."""
    in_shares: bool = True
    """Whether it can be done in shares at all."""

    def goes_with(self, record: dict[str, Any]) -> bool:
        """Whether another process may do what its record says in the same folder at the same time."""
        part = str(record.get("part", ""))
        return record.get("digest") == self.digest and bool(self.part) and bool(part) and part != self.part


@contextmanager
def owned(folder: Path, work: Work) -> Iterator[None]:
    """Let nothing but the same work's other shares into a folder while the block runs; tidy after killed processes.

    Raises
    ------
    StorageError
        If another process is at work in the folder, with its number, machine and command; or if nothing can be
        written there.
    """
    mine = folder / FOLDER / f"{Owner.here().text}-{uuid4().hex[:8]}.json"
    _taken(mine, work)
    stop = threading.Event()
    beating = threading.Thread(target=_beat, args=(mine, stop), name="heatmark-owner", daemon=True)
    beating.start()
    try:
        swept(folder)
        yield
    finally:
        stop.set()
        with suppress(OSError):
            mine.unlink()


def owners_of(folder: Path) -> list[str]:
    """Return in words which processes are at work in a folder, without those that are known to be dead."""
    now = time.time()
    return [_words(record) for path, record in _others(folder / FOLDER, None) if _lives(path, now)]


def _taken(mine: Path, work: Work) -> None:
    """Write an owner's file and look at the others', in this order: of two that come together one sees the other."""
    record = {
        "digest": work.digest,
        "part": work.part,
        "work": work.words,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    for left in reversed(range(_TRIES)):
        write_json(mine, record)
        now = mine.stat().st_mtime  # the folder's own clock, which may not be this machine's
        others = _others(mine.parent, mine)
        living = [(path, other) for path, other in others if _lives(path, now)]
        for path, _ in others:
            if path not in dict(living):
                with suppress(OSError):
                    path.unlink()
        against = next(((path, other) for path, other in living if not work.goes_with(other)), None)
        if against is None:
            return
        mine.unlink(missing_ok=True)
        with suppress(OSError):
            if left and now - against[0].stat().st_mtime < _TOGETHER_SECONDS:
                time.sleep(random.uniform(0.05, 0.5))
                continue
        raise StorageError(_refusal(*against, work))


def _others(folder: Path, mine: Path | None) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in sorted(folder.glob("*.json")):
        if path != mine and isinstance(record := read_json(path), dict):
            found.append((path, record))
    return found


def _owner(path: Path) -> Owner | None:
    return Owner.parsed(path.stem.rpartition("-")[0])


def _lives(path: Path, now: float) -> bool:
    """Whether an owner is there, as far as can be told; ``now`` by the clock of the folder."""
    owner = _owner(path)
    alive = owner.alive if owner is not None else None
    if alive is not None:
        return alive
    try:
        return now - path.stat().st_mtime < SILENT_SECONDS
    except OSError:  # it has just ended
        return False


def _words(record: dict[str, Any]) -> str:
    return (
        f"process {record.get('pid')} on {record.get('host')}, since {record.get('since')} (UTC), with: "
        f"{record.get('work')}"
    )


def _refusal(path: Path, record: dict[str, Any], work: Work) -> str:
    folder, owner = path.parent.parent, _owner(path)
    same = record.get("digest") == work.digest
    what = "The same is being done" if same else "Something else is being done"
    remedy = "Wait until it has ended or end it"
    remedy += (
        ", or do shares of the work side by side with --shard." if same else ", or choose another folder with --out."
    )
    if owner is None or owner.alive is None:
        remedy += (
            f" It cannot be asked from here: if it is dead, its place is taken over {SILENT_SECONDS / 60:.0f} minutes "
            f"after its last sign of life, or at once if you delete {path}."
        )
    return f"{what} in {folder} by {_words(record)}. {remedy}"


def _beat(path: Path, stop: threading.Event) -> None:
    """Renew the time of a file until told to stop; one that was removed stays so."""
    while not stop.wait(BEAT_SECONDS):
        with suppress(OSError):
            os.utime(path)
