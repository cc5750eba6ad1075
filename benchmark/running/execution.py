"""Carrying out a run: models are described, cells planned, and what is left is done and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from ...errors import HeatmarkError, NotApplicable
from ..executors.base import Executor, SerialExecutor
from ..executors.processes import ProcessExecutor
from ..setting.environment import versions
from ..setting.input_shapes import HOW_TO_STATE_IT, PHOTOGRAPH
from ..setting.plugins import main_plugin, plugin_module
from ..store.folder import Failure, RunStore
from ..suite import Suite, load_suite
from ..work.messages import Description, Ended, Failed, Finished, Job, ModelRequest, NotMeant
from .plan import Answer, Plan, PlannedCell, Work, known_without_loading, planned
from .progress import View, view_of


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
        What the user should know, such as a framework that is not installed; shown with the progress.
    left_out
        The files of datasets that this call could not use, each with the reason.
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
    left_out: tuple[str, ...] = ()

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
        answers = _answers(work, executor, notes)
        notes = (*notes, *_notes(work, answers))
        plan = planned(work, answers, store)
        store.begin(_record(work), plan.specs)
        mine = plan.part(part)
        _write_failed(mine, store)
        jobs = [_job(cell, work) for cell in mine.of("to do")]
        left_out: dict[str, str] = {}
        with view_of(jobs, side_by_side=engine == "processes", shown=progress, notes=notes) as view:
            _execute(jobs, executor, store, view, left_out)
    finally:
        executor.close()
    return _ended(store, plan, notes, left_out, monotonic() - began)


def _executor(engine: str, work: Work, plugins: tuple[str, ...]) -> Executor:
    """Return the executor; worker processes also import the modules that registered what the suite names."""
    if engine == "serial":
        return SerialExecutor(plugins)
    known = {plugin_module(plugin) for plugin in plugins}
    further = [main_plugin() if origin == "__main__" else origin for origin in work.origins if origin not in known]
    on_cpu = work.device.lower().startswith("cpu")
    return ProcessExecutor(work.suite.frameworks, (*plugins, *further), on_cpu=on_cpu)


def _answers(work: Work, executor: Executor, notes: Sequence[str]) -> dict[ModelRequest, Answer]:
    """Return what every model is; HeatmarkError where not one of them can be used, with the notes so far."""
    known: dict[ModelRequest, Answer | None] = {r: known_without_loading(r) for r in work.requests}
    answers: dict[ModelRequest, Answer] = {request: answer for request, answer in known.items() if answer is not None}
    answers |= executor.describe([request for request, answer in known.items() if answer is None])
    if all(isinstance(answer, (Failed, NotMeant)) for answer in answers.values()):
        problems = [answer for answer in answers.values() if isinstance(answer, Failed)]
        for problem in problems:
            raise HeatmarkError(problem.error if problem.known else f"{problem.error}\n{problem.traceback}")
        reasons = sorted({answer.reason for answer in answers.values() if isinstance(answer, NotMeant)})
        raise NotApplicable(". ".join([*reasons, *notes]))
    return answers


def _notes(work: Work, answers: Mapping[ModelRequest, Answer]) -> tuple[str, ...]:
    """Return in which frameworks models do not exist, and what is assumed about their inputs."""
    absent = {answer.reason for answer in answers.values() if isinstance(answer, NotMeant)}
    height, width = PHOTOGRAPH
    open_shapes = {
        (r.model, r.framework) for r, a in answers.items() if isinstance(a, Description) and not a.knows_shape
    }
    assumed = {
        f"{model} does not say which inputs it takes: the photographs of {task.dataset} are brought to "
        f"{height} x {width} pixels. For another size, {HOW_TO_STATE_IT[framework]}."
        for task in work.suite.tasks
        for model, framework in open_shapes
        if task.model == model and work.datasets[task.dataset].framing == "whole"
    }
    return (*sorted(absent), *sorted(assumed))


def _execute(jobs: Sequence[Job], executor: Executor, store: RunStore, view: View, left_out: dict[str, str]) -> None:
    """Do the jobs, keeping every outcome as soon as it is there; files left out are added to ``left_out``."""
    with view:
        for event in executor.execute(jobs):
            if isinstance(event, Ended):
                _keep(event, store)
                if isinstance(event.outcome, Finished):
                    left_out |= {file["path"]: file["reason"] for file in event.outcome.provenance["skipped"]}
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


def _ended(store: RunStore, plan: Plan, notes: tuple[str, ...], left_out: Mapping[str, str], seconds: float) -> Run:
    return Run(
        path=store.path,
        store=store,
        expected=len(plan.cells),
        finished=sum(store.has(spec.key) for spec in plan.specs),
        cached=len(plan.of("done")),
        not_applicable=len(store.reasons()),
        failures=tuple(store.failures()),
        seconds=seconds,
        notes=notes,
        left_out=tuple(f"{path}: {reason}" for path, reason in left_out.items()),
    )


def _job(cell: PlannedCell, work: Work) -> Job:
    return Job(cell.spec, work.device, work.suite.batch_size, work.suite.gallery)


def _record(work: Work) -> dict[str, Any]:
    """Return what ``run.json`` says."""
    return {
        "suite": work.suite.plain(),
        "name": _title(work.suite),
        "seeds": list(work.suite.seeds),
        "device": work.device,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": versions()["heatmark"],
    }


def _title(suite: Suite) -> str:
    """Return what a leaderboard is headed with: a packaged suite that was changed by options is not that suite."""
    try:
        packaged = load_suite(suite.name)
    except HeatmarkError:
        return suite.name
    same = replace(suite, frameworks=packaged.frameworks) == packaged
    return suite.name if same else f"{suite.name}, changed by options"
