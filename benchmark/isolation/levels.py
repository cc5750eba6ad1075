"""How far code that is not trusted is kept apart here: found out by a canary that tries what is forbidden."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import HeatmarkError
from . import bubblewrap, landlock, reading, system_calls
from .launching import LEVELS as LEVELS
from .launching import Level as Level
from .launching import launched
from .limits import Limits
from .texts import LINE, cleaned
from .trying import ALLOWED, FORBIDDEN

_SECONDS = 60
_RUN = "run another program"
_SEE = "see the environment of who started it"
_MEMORY = 1 << 29


class NotIsolated(HeatmarkError):
    """Code that is not trusted, where nothing keeps it apart."""


@dataclass(frozen=True)
class Finding:
    """What came of one thing that a canary tried."""

    attempt: str
    """What was tried, in words."""
    right: bool
    """Whether it went as it must: prevented what is forbidden, done what is needed."""
    told: str
    """The error that it met, or that it was done."""


def strongest_level() -> Level:
    """Return the strongest level that keeps its promises here; ``none`` where none does."""
    return next((level for level in LEVELS if level != "none" and not why_not(level)), "none")


@cache
def why_not(level: Level) -> str:
    """Return why a level does not keep its promises here; empty where it does. It is tried once a process."""
    if missing := _missing(level):
        return missing
    try:
        wrong = [f"{found.attempt} ({found.told})" for found in canary(level) if not found.right]
    except (HeatmarkError, OSError) as error:
        return str(error)
    return f"a canary could or could not, against the rules: {'; '.join(wrong[:4])}" if wrong else ""


def require(level: Level | None) -> Level:
    """Return the level asked for, or the strongest, if it keeps its promises here.

    Raises
    ------
    NotIsolated
        If it does not, with the reasons and the remedy.
    """
    tried = [level] if level is not None else [one for one in LEVELS if one != "none"]
    for one in tried:
        if one == "none" or not why_not(one):
            return one
    reasons = "; ".join(f"{one}: {why_not(one).rstrip('.')}" for one in tried)
    raise NotIsolated(
        f"Code that is not trusted cannot be kept apart here ({reasons}). Install bubblewrap (apt-get install "
        "bubblewrap), or, if you trust the file as you trust your own, give it with --trust, or as --plugin FILE."
    )


def canary(level: Level) -> tuple[Finding, ...]:
    """Return what came of everything that must not be possible at a level, tried by a process of that level.

    Raises
    ------
    HeatmarkError
        If there is no such process to be had.
    """
    with _outside() as outside:
        answer, last = _answer(level, outside)
        unharmed = _unharmed(outside)
    came = answer["tried"]
    known = {*reading.environment("", on_cpu=True), "PWD"}
    seen = [name for name in answer["environment"] if name not in known and not name.startswith("LC_")]
    return (
        *(Finding(name, came[name] is None, came[name] or "done") for name in ALLOWED),
        *(Finding(name, came[name] is not None, came[name] or "done") for name in FORBIDDEN),
        Finding(_RUN, bool(last), last or "done"),
        Finding(_SEE, not seen, f"it saw {', '.join(seen[:4])}" if seen else "it saw what it was given"),
        Finding("leave a trace outside", not unharmed, unharmed or "the files outside are as they were"),
    )


def _missing(level: Level) -> str:
    """Return what a level needs and is not there; empty where it may be tried."""
    if os.name != "posix" or not system_calls.known_machine():
        return "system calls cannot be filtered on this system"
    if level == "bubblewrap" and bubblewrap.program() is None:
        return "it is not installed"
    if level == "landlock" and landlock.version() < landlock.LEAST_VERSION:
        return f"the kernel has no Landlock of version {landlock.LEAST_VERSION} (Linux 6.2)"
    return ""


def _answer(level: Level, outside: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what the canary printed, and the error that running another program ended in."""
    own = Path(outside["own"])
    running = launched(level, ["try", json.dumps(outside)], readable=[own], limits=Limits(memory_bytes=_MEMORY))
    said = b"it took too long"
    try:
        out, said = running.process.communicate(timeout=_SECONDS)
        lines = out.decode().splitlines()
        return json.loads(lines[0]), str(json.loads(lines[1])) if len(lines) > 1 else ""
    except (subprocess.TimeoutExpired, ValueError, LookupError) as error:
        last = said.decode("utf-8", "replace").strip()[-LINE:]
        raise HeatmarkError(f"a process of this level does not start: {cleaned(last)}") from error
    finally:
        running.end()


@contextmanager
def _outside() -> Iterator[dict[str, Any]]:
    """Make what a canary must not reach, and yield where it is."""
    name = f"heatmark-canary-{secrets.token_hex(8)}"
    with (
        tempfile.TemporaryDirectory(prefix="heatmark-canary-") as folder,
        closing(socket.create_server(("127.0.0.1", 0))) as server,
        closing(socket.socket(socket.AF_UNIX)) as service,
        closing(socket.socket(socket.AF_UNIX)) as hidden,
    ):
        place = Path(folder)
        for file in ("file", "removable", "own"):
            (place / file).write_text("here", encoding="ascii")
        (place / "file").chmod(0o600)
        service.bind(str(place / "socket"))
        service.listen()
        hidden.bind("\0" + name)
        hidden.listen()
        secret = next((f"{key}={value}" for key, value in os.environ.items() if key in ("PATH", "HOME")), "=")
        yield {
            "folder": folder,
            "file": str(place / "file"),
            "removable": str(place / "removable"),
            "own": str(place / "own"),
            "socket": str(place / "socket"),
            "abstract": name,
            "port": server.getsockname()[1],
            "process": os.getpid(),
            "secret": secret,
            "memory": _MEMORY,
        }


def _unharmed(outside: dict[str, Any]) -> str:
    """Return what a canary changed outside; empty where all is as it was."""
    file, folder = Path(outside["file"]), Path(outside["folder"])
    if not file.is_file() or file.read_text(encoding="ascii") != "here" or file.stat().st_mode & 0o777 != 0o600:
        return "a file was changed"
    if not Path(outside["removable"]).is_file():
        return "a file was removed"
    return "a file was written" if (folder / "written").exists() else ""
