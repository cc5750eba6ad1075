"""Isolated worker processes, each for one framework: a crash costs one job, and frameworks' threads do not fight.

A worker that dies, or takes longer over a job than it may, is ended with all that it started, and another one takes its
place. A job with which it died is tried again; one that has cost `ATTEMPTS` workers is given up, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from multiprocessing.connection import wait
from time import perf_counter

from ..setting.environment import gpu_possible, usable_cores
from ..store.outcomes import Failed
from ..work.messages import Advanced, Ended, Event, Started
from ..work.worker import Job
from .queue import Group, JobQueue, group_of
from .suitable import suitable_workers
from .worker_main import Done
from .worker_process import ATTEMPTS, Died, WorkerProcess

START_SECONDS = 1800.0
"""A worker that has not imported its framework and plugins after so long never will."""
FURTHER_SECONDS = 8.0
"""A further worker of a framework is started when the first was at work for so long: its start takes some seconds."""

Limit = Callable[[Job], float | None]
"""How many seconds a job may take, None for any number."""


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
    limit
        How long a job may take from when its worker is ready; by default as long as it takes.
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
        limit: Limit = lambda job: None,
        workers: int | None = None,
        threads: int | None = None,
        most: int | None = None,
    ) -> None:
        self.gpu_possible = not on_cpu and gpu_possible()
        count = workers or (1 if self.gpu_possible else suitable_workers(max(1, len(frameworks)), most))
        self.side_by_side = len(frameworks) * count > 1
        threads = threads or max(1, usable_cores() // max(1, len(frameworks) * count))
        self._workers = [
            WorkerProcess(framework, threads, plugins, on_cpu=on_cpu) for framework in frameworks for _ in range(count)
        ]
        self._at_once = workers is not None
        self._limit = limit

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens in all workers; each goes on with its next job while what it did is kept."""
        queues = {
            name: JobQueue(job for job in jobs if job.spec.framework == name)
            for name in dict.fromkeys(worker.framework for worker in self._workers)
        }
        current: dict[WorkerProcess, _InWork] = {}
        last: dict[WorkerProcess, Group] = {}
        at_work: dict[str, float] = {}

        def given(worker: WorkerProcess) -> Iterator[Event]:
            """Give a worker that is free its next job; where there can be no worker, its framework's jobs end."""
            while worker not in current and (job := queues[worker.framework].take(last.get(worker))) is not None:
                last[worker] = group_of(job)
                work = self._given(worker, job)
                yield Started(job.spec)
                if work is None:
                    yield Ended(job.spec, worker.broken or Failed("The worker is not running."), 0.0)
                else:
                    current[worker] = work

        while True:
            for worker in self._workers:
                if worker.ready:
                    at_work.setdefault(worker.framework, perf_counter())
                if self._is_wanted(worker, current, at_work):
                    yield from given(worker)
            if not current:
                return
            idle = any(len(queues[worker.framework]) for worker in self._workers if worker not in current)
            for worker in _speaking(current, FURTHER_SECONDS if idle else None):
                event = self._event(worker, current)
                following = list(given(worker)) if isinstance(event, Ended) else []  # before what ended is kept
                if event is not None:
                    yield event
                yield from following
            for worker in [worker for worker, work in current.items() if _overdue(worker, work)]:
                work = current.pop(worker)
                yield Ended(work.job.spec, self._stopped(worker, work.job), perf_counter() - work.began)

    def close(self) -> None:
        """End all workers, also in the middle of a job."""
        for worker in self._workers:
            worker.end()

    def _is_wanted(
        self, worker: WorkerProcess, current: Container[WorkerProcess], at_work: Mapping[str, float]
    ) -> bool:
        """Return whether a worker is to have a job: it runs, or is its framework's first, or its start is worth it.

        ``at_work`` has the time at which each framework's first worker was ready.
        """
        if self._at_once or worker.connection is not None:
            return True
        others = [one for one in self._workers if one.framework == worker.framework and one is not worker]
        since = at_work.get(worker.framework, inf)
        return not any(one in current for one in others) or perf_counter() - since > FURTHER_SECONDS

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


def _speaking(current: dict[WorkerProcess, _InWork], longest: float | None) -> list[WorkerProcess]:
    """Wait until workers have something to say, one is overdue, or so long; return those that have."""
    busy = {worker.connection: worker for worker in current}
    ends = [work.until - perf_counter() for work in current.values() if work.until is not None]
    ends += [] if longest is None else [longest]
    timeout = max(0.0, min(ends)) if ends else None
    ready = wait([connection for connection in busy if connection is not None], timeout)
    return [busy[connection] for connection in ready]  # type: ignore[index]


def _overdue(worker: WorkerProcess, work: _InWork) -> bool:
    """Return whether a worker has taken too long; what it has said while others were heard counts."""
    late = work.until is not None and perf_counter() >= work.until
    return late and worker.connection is not None and not worker.connection.poll()


def _in_words(seconds: float) -> str:
    """Return a time in words, by its largest unit."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}{'' if seconds == size else 's'}"
    return f"{seconds:.3g} seconds"
