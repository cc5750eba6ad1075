"""One process per framework and device for runtime benchmarks, so that thread pools and allocators stay apart."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from ...errors import NotApplicable
from ..executors.processes import GRACE_SECONDS, main_module_hidden, manner
from ..executors.worker_main import Ready, make_ready
from ..work.messages import Failed, NotMeant
from ..work.worker import failed
from .rows import Place, RuntimeSettings


@dataclass(frozen=True)
class Call:
    """A function of a module's top level with its arguments, to be called in another process."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Answered:
    """What a call returned."""

    value: Any


class PlaceProcess:
    """A process that holds one framework on one device; started when it is needed, and again after it died.

    Parameters
    ----------
    place
        Framework and device.
    settings
        Threads and plugins.
    """

    def __init__(self, place: Place, settings: RuntimeSettings) -> None:
        self.place = place
        self._settings = settings
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> PlaceProcess:
        return self

    def __exit__(self, *problem: object) -> None:
        self.end()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any | Failed | NotMeant:
        """Return what the function returns in the process, or why it returned nothing.

        The process dying, from lack of memory for example, is a `Failed` too; the next call starts another.
        """
        problem = self._start()
        if problem is not None:
            return problem
        assert self._connection is not None
        try:
            self._connection.send(Call(function, arguments))
            message = self._connection.recv()
        except (EOFError, OSError):
            return self._death()
        return message.value if isinstance(message, Answered) else message

    def end(self) -> None:
        """End the process, by force if it does not listen."""
        if self._process is None or self._connection is None:
            return
        process, connection = self._process, self._connection
        self._process = self._connection = None
        process.terminate()
        process.join(GRACE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        connection.close()

    def _start(self) -> Failed | None:
        """Start the process unless it runs; return why it cannot be used, if it cannot."""
        if self._process is not None:
            return None
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=answer_calls,
            args=(theirs, self.place, self._settings.threads, self._settings.plugins),
            name=f"heatmark-runtime-{self.place.framework}",
            daemon=True,
        )
        with main_module_hidden():
            self._process.start()
        theirs.close()
        try:
            message = self._connection.recv()
        except (EOFError, OSError):
            return self._death()
        if isinstance(message, Ready):
            return None
        self.end()
        return message if isinstance(message, Failed) else Failed(f"The process answered {message!r}.")

    def _death(self) -> Failed:
        assert self._process is not None
        self._process.join(GRACE_SECONDS)
        how = manner(self._process.exitcode)
        self.end()
        return Failed(f"The {self.place.framework} process on {self.place.device} died ({how}).")


def answer_calls(connection: Connection, place: Place, threads: int, plugins: tuple[str, ...]) -> None:
    """Answer one call after another until the connection is closed; the target of a place's process."""
    if not make_ready(connection, place.framework, threads, plugins, on_cpu=place.on_cpu):
        return
    while True:
        try:
            call = connection.recv()
        except EOFError:
            return
        connection.send(_answer(call))


def _answer(call: Call) -> Answered | Failed | NotMeant:
    """Call a function; whatever goes wrong inside becomes data."""
    try:
        return Answered(call.function(*call.arguments))
    except NotApplicable as reason:
        return NotMeant(str(reason))
    except Exception as error:
        return failed(error)
