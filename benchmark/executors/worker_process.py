"""The parent's side of a worker process: it is started when it is needed, and ended with all that it started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, Self

from ..store.outcomes import Failed, Finished, NotMeant
from ..work.messages import Call
from ..work.worker import Job
from .keeper import keep
from .worker_main import Done, Ready

GRACE_SECONDS = 5.0
"""A worker that is told to end gets this long before it is killed."""
ATTEMPTS = 3
"""So many workers may die with a job, or one after another before they are ready, until it is given up."""


@dataclass(frozen=True)
class Died(Failed):
    """A job that had no answer because its worker died."""


Message = Failed | Done | int

_HIDING = threading.Lock()


@dataclass(frozen=True)
class _Running:
    """A started process and our end of the pipe to it."""

    process: BaseProcess
    connection: Connection


class WorkerProcess:
    """The parent's side of one framework's worker; starts it when it is needed, and again after it died.

    Parameters
    ----------
    framework
        ``torch`` or ``tensorflow``.
    threads
        The threads of the framework.
    plugins
        Modules or files that the worker imports first.
    on_cpu
        Whether it shall see no GPU.
    title
        What it is called in messages.

    Attributes
    ----------
    broken
        Why the worker cannot be started at all, or None.
    """

    def __init__(
        self, framework: str, threads: int, plugins: Sequence[str], *, on_cpu: bool = False, title: str = ""
    ) -> None:
        self.framework = framework
        self.broken: Failed | None = None
        self._title = title or f"{framework} worker process"
        self._on_cpu = on_cpu
        self._threads = threads
        self._plugins = tuple(plugins)
        self._running: _Running | None = None
        self._ready = False
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.end()

    @property
    def connection(self) -> Connection | None:
        """What to wait on for the worker's next message, or None while there is no worker."""
        return self._running.connection if self._running is not None else None

    @property
    def ready(self) -> bool:
        """Whether it runs and has imported its framework and plugins."""
        return self._running is not None and self._ready

    def start(self) -> None:
        """Start the process unless it runs or cannot be started."""
        if self.broken is not None or self._running is not None:
            return
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=keep,
            args=(theirs, self.framework, self._threads, self._plugins, self._on_cpu),
            name=f"heatmark-{self.framework}",
            daemon=True,
        )
        with main_module_hidden():
            process.start()
        theirs.close()
        self._running, self._ready = _Running(process, ours), False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any | Failed | NotMeant:
        """Return what a function of a module's top level returns in the process, or why it returned nothing.

        The process dying, from lack of memory for example, is a `Died`; the next call starts another.
        """
        self.send(Call(function, arguments))
        while not isinstance(found := self.take(), (Done, Failed)):
            pass
        answer = found.answer if isinstance(found, Done) else found
        return answer.value if isinstance(answer, Finished) else answer

    def send(self, message: Job | Call) -> None:
        """Start the worker where need be and send it a message; `take` tells whether it was alive to read it."""
        self.start()
        if self._running is not None:
            with suppress(OSError):
                self._running.connection.send(message)

    def take(self) -> Message | None:
        """Return the worker's next message, waiting for it; a `Died` if it died, None if it has just got ready."""
        if self._running is None:
            return self.broken or Failed("The worker is not running.")
        try:
            message = self._running.connection.recv()
        except (EOFError, OSError):
            return self._death()
        if isinstance(message, Ready):
            self._ready, self._deaths = True, 0
            return None
        if not self._ready:
            self.broken = message
            self.end()
        if isinstance(message, Done) and message.spoiled:
            self.end()  # the next job starts another
        return message  # type: ignore[no-any-return]

    def end(self) -> None:
        """End the process with all that it started, by force if it does not listen."""
        if self._running is None:
            return
        process, connection = self._running.process, self._running.connection
        self._running = None
        if sys.platform != "linux":  # where there is no keeper
            _kill_group(process)
        process.terminate()
        process.join(GRACE_SECONDS)
        if process.is_alive():
            _kill_group(process)
            process.kill()
            process.join()
        connection.close()

    def _death(self) -> Failed:
        """Return how the worker died, ready to be started again."""
        assert self._running is not None
        process = self._running.process
        process.join(GRACE_SECONDS)
        how, ready, killed = manner(process.exitcode), self._ready, (process.exitcode or 0) < 0
        _kill_group(process)
        self.end()
        if ready:
            return Died(f"The {self._title} died ({how}).")
        self._deaths += 1
        death = Died(
            f"The {self._title} ended before it was ready ({how}). "
            "`heatmark doctor` tells whether the framework works here."
        )
        if not killed or self._deaths >= ATTEMPTS:
            self.broken = Failed(death.error)
        return death


def _kill_group(process: BaseProcess) -> None:
    """Kill what is in a worker's process group: where it has no keeper, or that was killed, nobody else does."""
    if hasattr(os, "killpg") and process.pid is not None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def main_module_hidden() -> Iterator[None]:
    """Keep a new process from importing the main module again, which would start an unguarded script's run anew.

    What a script registers itself reaches the workers as a plugin.
    """
    with _HIDING:  # of two threads that start processes, one would restore what the other hid
        kept = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = kept


def manner(exitcode: int | None) -> str:
    """Return in words how a process ended."""
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = str(-exitcode)
    hint = ", which is what Linux sends when memory runs out" if name == "SIGKILL" else ""
    return f"signal {name}{hint}"
