"""A process that is not trusted, seen from this one: started, asked, watched and ended."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from . import bubblewrap, reading
from .levels import Level
from .limits import Limits
from .wire import Accept, Channel, Message

INSIDE = f"{__package__}.inside"
SCRATCH = "/scratch"
_KEPT_BYTES = 4000
"""So much of what the process wrote to standard error is kept, from its end."""


class IsolatedProcess:
    """A process of some level that has imported a file which is not trusted.

    Parameters
    ----------
    level
        How it is confined.
    file, name
        The file, and what its module is called.
    limits
        What it may use.
    readable
        What it may read besides code and the file.
    threads
        The threads that numeric libraries are to take.
    """

    def __init__(
        self,
        level: Level,
        file: Path,
        name: str,
        limits: Limits,
        readable: Sequence[Path] = (),
        threads: int | None = None,
    ) -> None:
        self.limits = limits
        paths = (*reading.code(), file, *readable)
        environment = reading.environment(SCRATCH, str(Path(SCRATCH) / "cache"), threads)
        inner = [sys.executable, "-P", "-m", INSIDE, str(file), name]
        words = bubblewrap.command(
            inner,
            readable=paths,
            devices=(),
            scratch=SCRATCH,
            scratch_bytes=limits.scratch_bytes,
            environment=environment,
        )
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._tail = bytearray()
        assert self._process.stdin and self._process.stdout and self._process.stderr
        threading.Thread(target=self._drain, name="heatmark-isolated", daemon=True).start()
        self._channel = Channel(self._process.stdout.fileno(), self._process.stdin.fileno())

    def ask(
        self, body: Mapping[str, Any], arrays: Sequence[np.ndarray] = (), *, accept: Accept, seconds: float
    ) -> Message:
        """Return what it answers; whatever goes wrong on the way ends the process."""
        try:
            self._channel.send(body, arrays, seconds)
            return self._channel.receive(accept, seconds)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End it with all that it started."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    @property
    def said(self) -> str:
        """The end of what it wrote to standard error."""
        return self._tail.decode("utf-8", "replace").strip()

    def _drain(self) -> None:
        assert self._process.stderr is not None
        with suppress(OSError, ValueError):
            while data := self._process.stderr.read(1 << 16):
                self._tail += data
                del self._tail[:-_KEPT_BYTES]
