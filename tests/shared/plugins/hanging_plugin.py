"""Methods that bring their process down or never come back, on demand, for the network of the tiny plugin.

Files in the folder named by TINY_FOLDER say what happens; each call leaves its process number there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from heatmark.methods.registry import register_method

OWN_SESSION = "import os, time; os.setsid(); time.sleep(600)"


def _folder() -> Path:
    return Path(os.environ["TINY_FOLDER"])


def _note(name: str, *pids: int) -> int:
    """Write process numbers down; return how many were there before."""
    path = _folder() / name
    before = path.read_text().split() if path.exists() else []
    path.write_text("\n".join([*before, *map(str, pids)]))
    return len(before)


@register_method("hanging", family="test", signed=True)
def hanging(request: Any) -> Any:
    """Never come back, in code that lets no other thread of this process run."""
    _note("hanging", os.getpid(), *_children())
    import ctypes

    ctypes.PyDLL(None).sleep(600)  # unlike CDLL, it keeps the interpreter's lock
    return request.x


@register_method("forking", family="test", signed=True)
def forking(request: Any) -> Any:
    """Leave children behind, one of them in a session of its own and without a parent, and give a map."""
    _note("forking", *_children())
    return request.x * 1.0


@register_method("forked_and_killed", family="test", signed=True)
def forked_and_killed(request: Any) -> Any:
    """Leave such children behind and die."""
    _note("forked_and_killed", *_children())
    os.kill(os.getpid(), signal.SIGKILL)
    return request.x


@register_method("returning_twice", family="test", signed=True)
def returning_twice(request: Any) -> Any:
    """Fork, and come back in both processes: in the child with another map."""
    return request.x * (5.0 if os.fork() == 0 else 1.0)


@register_method("dying", family="test", signed=True)
def dying(request: Any) -> Any:
    """Die as often as the file ``deaths`` says."""
    number = _note("dying", os.getpid())
    if number < int((_folder() / "deaths").read_text()):
        os.kill(os.getpid(), signal.SIGSEGV)
    return request.x * 1.0


@register_method("losing_the_gpu", family="test", signed=True)
def losing_the_gpu(request: Any) -> Any:
    """Fail as a kernel of CUDA does that reads where nothing is."""
    _note("losing_the_gpu", os.getpid())
    raise RuntimeError("CUDA error: device-side assert triggered")


@register_method("where", family="test", signed=True)
def where(request: Any) -> Any:
    """Tell in which process it is."""
    _note("where", os.getpid())
    return request.x * 1.0


@register_method("wordy", family="test", signed=True)
def wordy(request: Any) -> Any:
    """Fail with fifty million characters."""
    raise ValueError(f"it begins here {'x' * 50_000_000} and ends here")


def _children() -> list[int]:
    """Start a child, and one that leaves its group and loses its parent; return their process numbers."""
    plain = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import subprocess, sys\n"
            f"print(subprocess.Popen([sys.executable, '-c', {OWN_SESSION!r}], stdout=subprocess.DEVNULL).pid)",
        ],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    # Until it has left the group, it has proved nothing.
    orphan, until = int(told.stdout), time.monotonic() + 60
    while os.getsid(orphan) != orphan and time.monotonic() < until:
        time.sleep(0.01)
    return [plain.pid, orphan]
