"""Isolated worker processes, each for one framework: a crash costs one job, and frameworks' threads do not fight."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import perf_counter
from types import ModuleType
from typing import Any, Self

from ..setting.environment import gpu_possible, usable_cores
from ..store.outcomes import Failed, Finished, NotMeant
from ..work.messages import Advanced, Call, Ended, Event, Piece, Started
from ..work.worker import Job
from .queue import Group, JobQueue, group_of
from .suitable import suitable_workers
from .worker_main import Done, Ready, serve

GRACE_SECONDS = 5.0
"""A worker that is told to end gets this long before it is killed."""
FURTHER_SECONDS = 8.0
"""A further worker of a framework is started when work has gone on for so long: its own start takes some seconds."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.end()

    @property
    def connection(self) -> Connection | None:
        """What to wait on for the worker's next message, or None while there is no worker."""
        return self._running.connection if self._running is not None else None

    def start(self) -> None:
        """Start the process unless it runs or cannot be started."""
        if self.broken is not None or self._running is not None:
            return
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve,
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

        The process dying, from lack of memory for example, is a `Failed` too; the next call starts another.
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
        """Return the worker's next message, waiting for it; a `Failed` if it died, None if it has just got ready."""
        if self._running is None:
            return self.broken or Failed("The worker is not running.")
        try:
            message = self._running.connection.recv()
        except (EOFError, OSError):
            return self._death()
        if isinstance(message, Ready):
            self._ready = True
            return None
        if not self._ready:
            self.broken = message
            self.end()
        if isinstance(message, Done) and message.spoiled:
            self.end()  # the next job starts another
        return message  # type: ignore[no-any-return]

    def end(self) -> None:
        """End the process, by force if it does not listen."""
        if self._running is None:
            return
        process, connection = self._running.process, self._running.connection
        self._running = None
        process.terminate()
        process.join(GRACE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        connection.close()

    def _death(self) -> Failed:
        """Return how the worker died, ready to be started again."""
        assert self._running is not None
        process = self._running.process
        process.join(GRACE_SECONDS)
        how, ready = manner(process.exitcode), self._ready
        self.end()
        if ready:
            return Failed(f"The {self._title} died ({how}).")
        self.broken = Failed(
            f"The {self._title} ended before it was ready ({how}). "
            "`heatmark doctor` tells whether the framework works here."
        )
        return self.broken


class ProcessExecutor:
    """Does jobs in worker processes, some for each framework, side by side.

    The workers end with this process, however that ends. A further worker of a framework is started only when the work
    goes on for longer than its start takes, unless their number is given.

    Parameters
    ----------
    frameworks
        The frameworks that will be needed; the cores are shared among them.
    plugins
        Modules or files that the workers import first.
    on_cpu
        Whether they shall see no GPU.
    workers
        How many each framework has; None for as many as suit the machine (`suitable_workers`), of which a GPU has one.
    threads
        The threads of each; None for an equal share of the cores.
    most
        There will not be more jobs at a time than so many for a framework; None where that is not known.
    """

    def __init__(
        self,
        frameworks: Sequence[str],
        plugins: Sequence[str] = (),
        *,
        on_cpu: bool = False,
        workers: int | None = None,
        threads: int | None = None,
        most: int | None = None,
    ) -> None:
        self.gpu_possible = not on_cpu and gpu_possible()
        suitable = 1 if self.gpu_possible else suitable_workers(max(1, len(frameworks)), most)
        count = workers or suitable
        self.side_by_side = len(frameworks) * count > 1
        self._at_once = workers is not None
        threads = threads or max(1, usable_cores() // (max(1, len(frameworks)) * count))
        self._workers = [
            WorkerProcess(framework, threads, plugins, on_cpu=on_cpu) for framework in frameworks for _ in range(count)
        ]

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens in all workers; a worker goes on with the next job while what it did is kept."""
        queues = {worker.framework: JobQueue(()) for worker in self._workers}
        queues |= {name: JobQueue(job for job in jobs if job.spec.framework == name) for name in queues}
        current: dict[WorkerProcess, tuple[Job, float]] = {}
        last: dict[WorkerProcess, Group] = {}
        began = perf_counter()

        def given(worker: WorkerProcess) -> Iterator[Event]:
            """Give a worker its next job; one that cannot be started ends all that are its framework's."""
            while worker not in current and (job := queues[worker.framework].take(last.get(worker))) is not None:
                worker.send(job)
                yield Started(job.spec)
                if worker.broken is None:
                    current[worker], last[worker] = (job, perf_counter()), group_of(job)
                else:
                    yield Ended(job.spec, worker.broken, 0.0)

        while True:
            for worker in self._workers:
                if self._is_wanted(worker, current, began):
                    yield from given(worker)
            if not current:
                return
            waiting = any(map(len, queues.values())) and len(current) < len(self._workers)
            busy = {worker.connection: worker for worker in current}
            for connection in wait([one for one in busy if one is not None], FURTHER_SECONDS if waiting else None):
                worker = busy[connection]  # type: ignore[index]
                job, since = current[worker]
                event = _event(job.spec, worker.take(), since)
                if isinstance(event, Ended):
                    del current[worker]
                    yield from given(worker)
                if event is not None:
                    yield event

    def close(self) -> None:
        """End all workers, also in the middle of a job."""
        for worker in self._workers:
            worker.end()

    def _is_wanted(self, worker: WorkerProcess, current: Container[WorkerProcess], began: float) -> bool:
        """Return whether a worker is to have a job: it runs, or is its framework's first, or its start is worth it."""
        if self._at_once or worker.connection is not None:
            return True
        others = [one for one in self._workers if one.framework == worker.framework and one is not worker]
        return not any(one in current for one in others) or perf_counter() - began > FURTHER_SECONDS


def _event(piece: Piece, message: Message | None, began: float) -> Event | None:
    """Return what a worker's message means for its job."""
    if isinstance(message, Done):
        return Ended(piece, message.answer, message.seconds)
    if isinstance(message, Failed):
        return Ended(piece, message, perf_counter() - began)
    return Advanced(piece, message) if isinstance(message, int) else None


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
