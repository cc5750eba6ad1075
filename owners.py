"""Which process a file belongs to, and whether that process still lives.

A process number says little by itself: it is given again, and another machine or container has its own. So a process is
named by where its number means something and by when the kernel started it.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_ENDED = "ZX"
"""The states of a process in ``/proc/PID/stat`` that has ended and waits for its parent to notice."""


@dataclass(frozen=True)
class Owner:
    """A process, told from every other one on any machine."""

    place: str
    """Eight hexadecimal digits of the machine, its boot and the space of process numbers."""
    pid: int
    """Its number there."""
    start: int
    """When it was started, by the kernel's own clock, so that another process of that number is not taken for it."""

    @classmethod
    def here(cls) -> Owner:
        """Return this process."""
        return cls(_place(), os.getpid(), _start(os.getpid()) or 0)

    @property
    def text(self) -> str:
        """The process as a part of a file's name; see `Owner.parsed`."""
        return f"{self.place}-{self.pid}-{self.start}"

    @classmethod
    def parsed(cls, text: str) -> Owner | None:
        """Return the process that `text` names, None where it names none."""
        place, _, rest = text.partition("-")
        numbers = rest.split("-")
        if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
            return None
        return cls(place, int(numbers[0]), int(numbers[1]))

    @property
    def alive(self) -> bool | None:
        """Whether the process is there; None where that cannot be told.

        It cannot of a process of another machine or container, nor of another user's where those are hidden.
        """
        if self.place != _place() or not self.start:
            return None
        found = _start(self.pid)
        if found is None and sys.platform == "linux":
            try:
                os.kill(self.pid, 0)
            except PermissionError:
                return None
            except (OSError, OverflowError):
                return False
        return found == self.start


@cache
def _place() -> str:
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:8]


def _start(pid: int) -> int | None:
    """Return when a process was started, None where there is none of that number."""
    if sys.platform == "linux":
        try:
            told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            # The name, in brackets, may hold spaces and brackets of its own.
            state, *fields = told.rpartition(")")[2].split()
        except (OSError, ValueError):
            return None
        return None if state in _ENDED else int(fields[18])
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time())
    except psutil.Error:
        return None
