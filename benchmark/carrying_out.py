"""Carrying out a run: models are described, cells planned, and what is left is done and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from ..errors import HeatmarkError, NotApplicable
from .environment import versions
from .executors import Executor, SerialExecutor
from .messages import Ended, Failed, Finished, Job, ModelRequest, NotMeant
from .plan import Answer, Plan, PlannedCell, Work, known_without_loading, planned
from .plugins import main_plugin, plugin_module
from .progress import View, view_of
from .store import Failure, RunStore
from .worker_processes import ProcessExecutor


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes
    ----------
    path
        Its folder.
    store
        What the folder holds.
    expected
        The number of cells in the plan.
    finished
        Of these, how many are done.
    cached
        Of the finished, how many were done before.
    not_applicable
        How many have no meaning.
    failures
        The cells that failed.
    seconds
        How long this call took.
    notes
        What the user should know, such as a framework that is not installed.
    """

    path: Path
    store: RunStore
    expected: int
    finished: int
    cached: int
    not_applicable: int
    failures: tuple[Failure, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every cell that has a meaning is done."""
        return self.finished + self.not_applicable == self.expected

    @property
    def summary(self) -> str:
        """One line: cells done, cached, not applicable, failed and left, and where they are."""
        parts = [f"{self.finished} of {self.expected} cells done"]
        parts += [f"{self.cached} of them before"] if self.cached else []
        parts += [f"{self.not_applicable} not applicable"] if self.not_applicable else []
        parts += [f"{len(self.failures)} failed"] if self.failures else []
        left = self.expected - self.finished - self.not_applicable - len(self.failures)
        parts += [f"{left} left for other shards"] if left else []
        return f"{', '.join(parts)}; {self.seconds:.0f} s; results in {self.path}"


def carried_out(
    work: Work,
    store: RunStore,
    engine: str,
    plugins: tuple[str, ...],
    part: tuple[int, int] | None,
    progress: bool,
    notes: tuple[str, ...],
    began: float,
) -> Run:
    """Describe the models, plan, do what is left of one part of the cells (all where None), and return the run.

    ``engine``, ``plugins`` and ``progress`` are as `run` takes them; ``notes`` become the run's, and its time is
    counted from ``began`` (`time.monotonic`).
    """
    executor = _executor(engine, work, plugins)
    try:
        answers = _answers(work, executor)
        plan = planned(work, answers, store)
        store.begin(_record(work), plan.specs)
        mine = plan.part(part)
        _write_failed(mine, store)
        jobs = [_job(cell, work) for cell in mine.of("to do")]
        with view_of(jobs, side_by_side=engine == "processes", shown=progress) as view:
            _execute(jobs, executor, store, view)
    finally:
        executor.close()
    absent = sorted({answer.reason for answer in answers.values() if isinstance(answer, NotMeant)})
    return _ended(store, plan, (*notes, *absent), monotonic() - began)


def _executor(engine: str, work: Work, plugins: tuple[str, ...]) -> Executor:
    """Return the executor; worker processes also import the modules that registered what the suite names."""
    if engine == "serial":
        return SerialExecutor(plugins)
    known = {plugin_module(plugin) for plugin in plugins}
    further = [main_plugin() if origin == "__main__" else origin for origin in work.origins if origin not in known]
    return ProcessExecutor(work.suite.frameworks, (*plugins, *further))


def _answers(work: Work, executor: Executor) -> dict[ModelRequest, Answer]:
    """Return what every model is; HeatmarkError where not one of them can be used."""
    known: dict[ModelRequest, Answer | None] = {r: known_without_loading(r) for r in work.requests}
    answers: dict[ModelRequest, Answer] = {request: answer for request, answer in known.items() if answer is not None}
    answers |= executor.describe([request for request, answer in known.items() if answer is None])
    if all(isinstance(answer, (Failed, NotMeant)) for answer in answers.values()):
        problems = [answer for answer in answers.values() if isinstance(answer, Failed)]
        for problem in problems:
            raise HeatmarkError(problem.error if problem.known else f"{problem.error}\n{problem.traceback}")
        raise NotApplicable("; ".join(sorted({a.reason for a in answers.values() if isinstance(a, NotMeant)})))
    return answers


def _execute(jobs: Sequence[Job], executor: Executor, store: RunStore, view: View) -> None:
    """Do the jobs, keeping every outcome as soon as it is there."""
    with view:
        for event in executor.execute(jobs):
            if isinstance(event, Ended):
                _keep(event, store)
            view.hear(event)


def _keep(event: Ended, store: RunStore) -> None:
    spec, outcome = event.job.spec, event.outcome
    if isinstance(outcome, Finished):
        for sample, picture in outcome.thumbnails.items():
            store.write_thumbnail(spec.task, sample, picture)
        store.write(spec, outcome.rows, outcome.provenance)
    elif isinstance(outcome, Failed):
        store.write_failure(spec, outcome.error, outcome.traceback)
    else:
        store.write_reason(spec, outcome.reason)


def _write_failed(plan: Plan, store: RunStore) -> None:
    """Record the cells whose model could not be loaded."""
    for cell in plan.of("failed"):
        store.write_failure(cell.spec, cell.reason, cell.traceback)


def _ended(store: RunStore, plan: Plan, notes: tuple[str, ...], seconds: float) -> Run:
    reasons = store.reasons()
    finished = sum(store.has(spec.key) for spec in plan.specs)
    cached = len(plan.of("done"))
    return Run(
        store.path, store, len(plan.cells), finished, cached, len(reasons), tuple(store.failures()), seconds, notes
    )


def _job(cell: PlannedCell, work: Work) -> Job:
    return Job(cell.spec, work.device, work.suite.batch_size, work.suite.gallery)


def _record(work: Work) -> dict[str, Any]:
    """Return what ``run.json`` says."""
    return {
        "suite": work.suite.plain(),
        "name": work.suite.name,
        "seeds": list(work.suite.seeds),
        "device": work.device,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": versions()["heatmark"],
    }
