"""Who does the jobs: this process, or one isolated worker process per framework."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Protocol

from ..setting.plugins import load_plugins
from ..work.messages import Advanced, Ended, Event, Started
from ..work.worker import Job, Worker

ENGINES = ("processes", "serial")


class Executor(Protocol):
    """Does jobs in any order and tells what happens; `close` ends it at any time."""

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens; every job ends with exactly one `Ended`."""

    def close(self) -> None:
        """End at once, also in the middle of a job."""


class SerialExecutor:
    """Does one job after another in this process; a crash of the process ends them all."""

    def __init__(self, plugins: Sequence[str] = ()) -> None:
        load_plugins(plugins)
        self._worker = Worker()

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens, one framework after another; images are counted when their job has ended."""
        for job in sorted(jobs, key=lambda job: job.spec.framework):
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
