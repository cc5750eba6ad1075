"""One isolated worker process per framework: a crash costs one job, and the frameworks' threads do not fight.

A worker that dies, or takes longer over a job than it may, is ended with all that it started, and another one takes its
place. A job with which it died is tried again; one that has cost `ATTEMPTS` workers is given up, and the rest goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import perf_counter
from types import ModuleType
from typing import Any, Self

from ..setting.environment import usable_cores
from ..store.outcomes import Failed, Finished, NotMeant
from ..work.messages import Advanced, Call, Ended, Event, Started
from ..work.worker import Job
from .keeper import keep
from .worker_main import Done, Ready

GRACE_SECONDS = 5.0
"""A worker that is told to end gets this long before it is killed."""
START_SECONDS = 1800.0
"""A worker that has not imported its framework and plugins after so long never will."""
ATTEMPTS = 3
"""So many workers may die with a job, or one after another before they are ready, until it is given up."""


@dataclass(frozen=True)
class Died(Failed):
    """A job that had no answer because its worker died."""


Message = Failed | Done | int
Limit = Callable[[Job], float | None]
"""How many seconds a job may take, None for any number."""


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


@dataclass(eq=False)
class _InWork:
    """A job that a worker does."""

    job: Job
    began: float
    until: float | None
    """When it has taken too long, None where it may take as long as it takes."""
    attempts: int = 1
    """How many workers were given it."""


class ProcessExecutor:
    """Does the jobs of each framework in a worker process of its own, side by side.

    The workers end with this process, however that ends.

    Parameters
    ----------
    frameworks
        The frameworks that will be needed; the cores are shared among them.
    plugins
        Modules or files that the workers import first.
    on_cpu
        Whether they shall see no GPU.
    limit
        How long a job may take from when its worker is ready; by default as long as it takes.
    """

    def __init__(
        self,
        frameworks: Sequence[str],
        plugins: Sequence[str] = (),
        *,
        on_cpu: bool = False,
        limit: Limit = lambda job: None,
    ) -> None:
        threads = max(1, usable_cores() // max(1, len(frameworks)))
        self._workers = [WorkerProcess(framework, threads, plugins, on_cpu=on_cpu) for framework in frameworks]
        self._limit = limit

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens in all workers."""
        queues = {
            worker.framework: deque(job for job in jobs if job.spec.framework == worker.framework)
            for worker in self._workers
        }
        current: dict[WorkerProcess, _InWork] = {}
        while True:
            for worker in self._workers:
                queue = queues[worker.framework]
                while queue and worker not in current:
                    job = queue.popleft()
                    yield Started(job.spec)
                    if (work := self._given(worker, job)) is None:
                        yield Ended(job.spec, worker.broken or Failed("The worker is not running."), 0.0)
                    else:
                        current[worker] = work
            if not current:
                return
            for worker in _speaking(current):
                event = self._event(worker, current)
                if event is not None:
                    yield event
            for worker in [worker for worker, work in current.items() if _overdue(work)]:
                work = current.pop(worker)
                yield Ended(work.job.spec, self._stopped(worker, work.job), perf_counter() - work.began)

    def close(self) -> None:
        """End all workers, also in the middle of a job."""
        for worker in self._workers:
            worker.end()

    def _given(self, worker: WorkerProcess, job: Job, attempts: int = 1) -> _InWork | None:
        """Give a worker a job; return what is known of it, None where there can be no worker."""
        worker.send(job)
        if worker.broken is not None:
            return None
        began = perf_counter()
        return _InWork(job, began, self._until(job) if worker.ready else began + START_SECONDS, attempts)

    def _until(self, job: Job) -> float | None:
        seconds = self._limit(job)
        return None if seconds is None else perf_counter() + seconds

    def _event(self, worker: WorkerProcess, current: dict[WorkerProcess, _InWork]) -> Event | None:
        """Take a worker's message; return what it means for its job, which is given again if the worker has died."""
        work, message = current[worker], worker.take()
        piece = work.job.spec
        if isinstance(message, int):
            return Advanced(piece, message)
        if message is None:  # the worker is ready, and begins
            work.until = self._until(work.job)
            return None
        del current[worker]
        if isinstance(message, Done):
            return Ended(piece, message.answer, message.seconds)
        if isinstance(message, Died) and worker.broken is None:
            if work.attempts >= ATTEMPTS:
                message = replace(message, error=f"{message.error} {_GIVEN_UP}")
            elif (again := self._given(worker, work.job, work.attempts + 1)) is not None:
                current[worker] = again
                return None
        return Ended(piece, message, perf_counter() - work.began)

    def _stopped(self, worker: WorkerProcess, job: Job) -> Failed:
        """End a worker that takes too long; return the failure of its job."""
        started = worker.ready
        worker.end()
        if started:
            return Failed(
                f"It was not done after {_in_words(self._limit(job) or 0.0)}, so its process was ended. Where that is "
                "honest work, allow more with --cell-timeout SECONDS (cell_timeout=SECONDS)."
            )
        worker.broken = Failed(
            f"The worker had not imported its framework and plugins after {_in_words(START_SECONDS)} and was ended."
        )
        return worker.broken


_GIVEN_UP = (
    f"So it did with {ATTEMPTS} processes, one after the other: this one is given up, the rest goes on. Less memory is "
    "needed with a smaller batch; what else brings a process down, its own output above may tell."
)


def _speaking(current: dict[WorkerProcess, _InWork]) -> list[WorkerProcess]:
    """Wait until workers have something to say or one is overdue; return those that have."""
    busy = {worker.connection: worker for worker in current}
    ends = [work.until for work in current.values() if work.until is not None]
    timeout = max(0.0, min(ends) - perf_counter()) if ends else None
    ready = wait([connection for connection in busy if connection is not None], timeout)
    return [busy[connection] for connection in ready]  # type: ignore[index]


def _overdue(work: _InWork) -> bool:
    return work.until is not None and perf_counter() >= work.until


def _in_words(seconds: float) -> str:
    """Return a time in words, by its largest unit."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}{'' if seconds == size else 's'}"
    return f"{seconds:.3g} seconds"


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
