"""Who does the jobs: the interface of executors, and the one that works in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Protocol

from ..setting.environment import gpu_possible
from ..setting.plugins import load_plugins
from ..work.messages import Advanced, Ended, Event, Started
from ..work.worker import Job, Worker
from .queue import JobQueue, group_of


class Executor(Protocol):
    """Does jobs in any order and tells what happens; `close` ends it at any time."""

    @property
    def gpu_possible(self) -> bool:
        """Whether where it works there may be a GPU; when in doubt, yes."""

    @property
    def side_by_side(self) -> bool:
        """Whether it does several jobs at the same time."""

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens; every job ends with exactly one `Ended`."""

    def close(self) -> None:
        """End at once, also in the middle of a job."""


class SerialExecutor:
    """Does one job after another in this process; a crash of the process ends them all."""

    def __init__(self, plugins: Sequence[str] = ()) -> None:
        load_plugins(plugins)
        self._worker = Worker()
        self.gpu_possible = gpu_possible()
        self.side_by_side = False

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens, one framework and network after another; images count when their job has ended."""
        queue, group = JobQueue(sorted(jobs, key=lambda job: job.spec.framework)), None
        while (job := queue.take(group)) is not None:
            group = group_of(job)
            yield Started(job.spec)
            counted: list[int] = []
            began = perf_counter()
            outcome = self._worker.run(job, counted.append)
            seconds = perf_counter() - began
            if self._worker.spoiled:
                self._worker = Worker()
            yield Advanced(job.spec, sum(counted))
            yield Ended(job.spec, outcome, seconds)

    def close(self) -> None:
        """Let go of the models."""
        self._worker = Worker()
