"""A process that is not trusted, seen from this one: started, asked, watched and ended."""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import psutil

from ...errors import HeatmarkError
from .launching import Launched, Level, launched
from .limits import Limits
from .texts import MESSAGE
from .wire import Accept, Channel, Ended, Message

_SCRATCH_SECONDS = 0.5
"""Between two looks at a scratch folder."""


class OverLimit(HeatmarkError):
    """A process that used more than it may, and was ended."""


class IsolatedProcess:
    """A process of some level that has imported a file which is not trusted.

    It runs only while it is asked something: between questions it is stopped, so that it does nothing unseen, and takes
    no time from what is measured meanwhile.

    Parameters
    ----------
    level
        How it is kept apart.
    file, name
        The file, and what its module is called.
    limits
        What it may use.
    readable
        What it may read besides code and the file.
    gpu
        Whether it may use an accelerator.
    """

    def __init__(
        self,
        level: Level,
        file: Path,
        name: str,
        limits: Limits,
        readable: Sequence[Path] = (),
        *,
        gpu: bool = False,
    ) -> None:
        self._level, self._limits = level, limits
        self._launched = launched(level, ["serve", str(file), name], readable=[file, *readable], limits=limits, gpu=gpu)
        self._end = weakref.finalize(self, _ended, self._launched)
        process = self._launched.process
        assert process.stdin and process.stdout and process.stderr
        self._tail = bytearray()
        threading.Thread(target=_drain, args=(process.stderr.fileno(), self._tail), daemon=True).start()
        self._channel = Channel(process.stdout.fileno(), process.stdin.fileno(), self._watch)
        self._members: list[psutil.Process] = []
        self._stopped = False
        self._used = 0.0
        self._looked = 0.0

    def ask(
        self, body: Mapping[str, Any], arrays: Sequence[np.ndarray] = (), *, accept: Accept, seconds: float
    ) -> Message:
        """Return what it answers in at most so many seconds; whatever goes wrong on the way ends it.

        Raises
        ------
        BadMessage, Ended, TooLate, OverLimit
            As `Channel` does, and if it uses more than it may.
        """
        try:
            self._let_run(True)
            self._used = self._processor_seconds()
            self._channel.send(body, arrays, seconds)
            message = self._channel.receive(accept, seconds)
            self._let_run(False)
            return message
        except Ended as error:
            how = self._how_it_ended()
            self.end()
            raise Ended(f"{error} {how}".strip()) from None
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End it with all that it started."""
        self._end()

    @property
    def alive(self) -> bool:
        """Whether it can be asked something."""
        return self._end.alive and self._launched.process.poll() is None

    @property
    def said(self) -> str:
        """The end of what it wrote to standard error."""
        return self._tail.decode("utf-8", "replace").strip()

    def _let_run(self, runs: bool) -> None:
        """Let it go on, or stop it; one that is not kept apart can do as it likes, and is left alone."""
        if self._level == "none" or runs != self._stopped:
            return
        if not runs:
            self._members = self._family()
        for member in self._members:
            with suppress(psutil.Error, OSError):
                os.kill(member.pid, signal.SIGCONT if runs else signal.SIGSTOP)
        self._stopped = not runs

    def _family(self) -> list[psutil.Process]:
        """Return the processes that it consists of; where it is kept apart, they do not change once it has answered."""
        if self._members and self._level != "none":
            return self._members
        with suppress(psutil.Error):
            first = psutil.Process(self._launched.process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def _processor_seconds(self) -> float:
        total = 0.0
        for member in self._family():
            with suppress(psutil.Error):
                times = member.cpu_times()
                total += times.user + times.system
        return total

    def _watch(self) -> None:
        """Raise OverLimit if it uses more than it may."""
        limits, memory, threads = self._limits, 0, 0
        for member in self._family():
            with suppress(psutil.Error):
                memory += member.memory_info().rss
                threads += member.num_threads()
        if memory > limits.memory_bytes:
            raise OverLimit(f"It took more than {limits.memory_bytes / 2**30:.3g} GiB of memory and was ended.")
        if threads > limits.threads:
            raise OverLimit(f"It had more than {limits.threads} threads and was ended.")
        if self._processor_seconds() - self._used > limits.cpu_seconds:
            raise OverLimit(f"It computed for more than {limits.cpu_seconds:g} s and was ended.")
        if self._launched.scratch is not None and monotonic() - self._looked > _SCRATCH_SECONDS:
            _check_scratch(self._launched.scratch, limits)
            self._looked = monotonic()

    def _how_it_ended(self) -> str:
        """Return in words how it ended, if it is known; bubblewrap tells a signal as a shell does."""
        with suppress(Exception):
            self._launched.process.wait(5)
        code = self._launched.process.returncode
        number = 0 if code is None else -code if code < 0 else code - 128 if self._level == "bubblewrap" else 0
        if code is None or code == 0:
            return ""
        try:
            return f"({signal.Signals(number).name})"
        except ValueError:
            return f"(exit status {code})"


def _check_scratch(folder: Path, limits: Limits) -> None:
    """Raise OverLimit if a scratch folder of this machine holds more than it may."""
    size = files = 0
    for place, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        for name in names:
            with suppress(OSError):
                size += Path(place, name).lstat().st_blocks * 512
        if size > limits.scratch_bytes or files > limits.scratch_files:
            raise OverLimit(
                f"Its scratch folder held more than {limits.scratch_bytes / 2**30:.3g} GiB or {limits.scratch_files} "
                "files, and it was ended."
            )


def _ended(running: Launched) -> None:
    running.end()


def _drain(pipe: int, tail: bytearray) -> None:
    """Keep the end of what comes out of a pipe, so that whoever writes into it never waits."""
    own = os.dup(pipe)
    with suppress(OSError), os.fdopen(own, "rb", buffering=0) as stream:
        while data := stream.read(1 << 16):
            tail += data
            del tail[:-MESSAGE]
