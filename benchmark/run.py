"""Running a suite: the public `run`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from ..errors import BadInput, HeatmarkError, Interrupted, NotApplicable, UnknownName, suggestion
from ..models.devices import installed_frameworks, require_framework
from .environment import versions
from .executors import ENGINES, Executor, SerialExecutor
from .messages import Ended, Failed, Finished, Job, ModelRequest, NotMeant
from .plan import Answer, Plan, PlannedCell, Work, known_without_loading, looked_up, planned, work_of
from .plugins import load_plugins
from .progress import View, view_of
from .store import Failure, RunStore
from .suite import Names, Suite, load_suite
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


def run(
    suite: str | Path | Suite = "quick",
    *,
    models: Names | None = None,
    data: Names | None = None,
    methods: Names | None = None,
    metrics: Names | None = None,
    frameworks: Names | None = None,
    device: str = "auto",
    precision: str | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    engine: str = "processes",
    limit: int | None = None,
    shard: str | None = None,
    plugins: Iterable[str] = (),
    progress: bool = True,
) -> Run:
    """Run a suite, or the part of it that its folder does not hold yet.

    Every finished cell is kept at once, so a run that is stopped at any moment goes on where it was when it is
    started again. Failed cells are recorded and tried again next time.

    Parameters
    ----------
    suite
        A packaged suite's name, the path of a ``.toml`` file, or a `Suite`.
    models, data, methods, metrics, frameworks
        Replace these parts of the suite; a string is split at its commas. Models may be ``package.module:build`` or
        ``file.py:build`` (a function that returns a network) or ``file:net.keras``.
    device
        ``auto`` (the first GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    precision
        ``float32`` or ``bf16``.
    seed
        Replaces the suite's seeds by this one.
    out
        The folder of results; ``results/NAME`` where None.
    engine
        ``processes`` (one worker process per framework) or ``serial`` (all in this process).
    limit
        Only the first so many samples of each dataset.
    shard
        ``"i/n"``: only the i-th of n parts of the cells, for several jobs that share one folder.
    plugins
        Modules or ``.py`` files that register methods, metrics, models or datasets.
    progress
        Whether to show progress on standard error.

    Raises
    ------
    UnknownName, BadInput
        For names and values that cannot be used, before anything runs.
    MissingExtra
        If a framework that was asked for, or a package that carries data, is not installed.
    StorageError
        If the folder cannot be used.
    Interrupted
        At Ctrl-C; the message says how to resume.
    """
    began = monotonic()
    options = {
        "models": models, "data": data, "methods": methods, "metrics": metrics, "frameworks": frameworks,
        "device": device if device != "auto" else None, "precision": precision, "seed": seed, "out": out,
        "engine": engine if engine != "processes" else None, "limit": limit, "shard": shard,
        "plugin": tuple(plugins),
    }  # fmt: skip
    if engine not in ENGINES:
        raise UnknownName(
            f"Unknown engine {engine!r}.{suggestion(engine, ENGINES)} Choose one of: {', '.join(ENGINES)}."
        )
    part = _shard(shard)
    load_plugins(options["plugin"])
    chosen, notes = _available(
        (suite if isinstance(suite, Suite) else load_suite(suite)).changed(
            models=models,
            data=data,
            methods=methods,
            metrics=metrics,
            frameworks=frameworks,
            seeds=None if seed is None else (seed,),
            precision=precision,
            limit=limit,
        ),
        asked=frameworks is not None,
    )
    looked_up(chosen)  # a misspelt name leaves no folder behind
    store = RunStore.prepared(Path(out) if out is not None else Path("results") / chosen.name)
    with _resumable(store, None if isinstance(suite, Suite) else _command(str(suite), options)):
        work = work_of(chosen, device)
        return _run(work, store, engine, options["plugin"], part, progress, notes, began)


def _run(
    work: Work,
    store: RunStore,
    engine: str,
    plugins: tuple[str, ...],
    part: tuple[int, int] | None,
    progress: bool,
    notes: tuple[str, ...],
    began: float,
) -> Run:
    """Describe the models, plan, and do what is left."""
    executor = _executor(engine, work, plugins)
    try:
        answers = _answers(work, executor)
        plan = planned(work, answers, store)
        store.begin(_record(work), plan.specs)
        mine = plan.part(part)
        _write_known(mine, store)
        jobs = [_job(cell, work) for cell in mine.of("to do")]
        with view_of(jobs, side_by_side=engine == "processes", shown=progress) as view:
            _execute(jobs, executor, store, view)
    finally:
        executor.close()
    return _ended(store, plan, notes, monotonic() - began)


def _executor(engine: str, work: Work, plugins: tuple[str, ...]) -> Executor:
    """Return the executor; worker processes also import the modules that registered what the suite names."""
    if engine == "serial":
        return SerialExecutor(plugins)
    files = {f"heatmark_plugin_{Path(plugin).stem}" for plugin in plugins if plugin.endswith(".py")}
    modules = [origin for origin in work.origins if origin not in files]
    if "__main__" in modules and getattr(sys.modules["__main__"], "__file__", None) is None:
        raise BadInput(
            "A method or metric was registered in an interactive session, which worker processes cannot import. Put it "
            "in a file and pass plugins=['that_file.py'], or use engine='serial'."
        )
    return ProcessExecutor(work.suite.frameworks, (*plugins, *(name for name in modules if "__main__" not in name)))


def _answers(work: Work, executor: Executor) -> dict[ModelRequest, Answer]:
    """Return what every model is; HeatmarkError where not one of them can be used."""
    known = {request: known_without_loading(request) for request in work.requests}
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


def _write_known(plan: Plan, store: RunStore) -> None:
    """Record the cells whose model could not be loaded or is of the other framework."""
    for cell in plan.of("failed"):
        store.write_failure(cell.spec, cell.reason, cell.traceback)
    for cell in plan.of("not applicable"):
        if store.reason(cell.spec.key) != cell.reason:
            store.write_reason(cell.spec, cell.reason)


def _ended(store: RunStore, plan: Plan, notes: tuple[str, ...], seconds: float) -> Run:
    reasons = store.reasons()
    finished = sum(store.is_done(spec.key) for spec in plan.specs)
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


def _available(suite: Suite, asked: bool) -> tuple[Suite, tuple[str, ...]]:
    """Return the suite on the frameworks that are installed, with a note on each that is not.

    A framework that was asked for by name must be there; one that only the suite names may be missing as long as
    another is there.
    """
    here = tuple(framework for framework in suite.frameworks if framework in installed_frameworks())
    if asked or not here:
        for framework in suite.frameworks:
            require_framework(framework)
    notes = tuple(
        f"{framework} is not installed: running without it. Install it with: pip install 'heatmark[{framework}]'"
        for framework in suite.frameworks
        if framework not in here
    )
    return suite.changed(frameworks=here), notes


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not (slash and number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise BadInput(f"A shard is written i/n with i from 1 to n, such as 2/8; got {text!r}.")
    return int(number), int(count)


def _command(suite: str, options: Mapping[str, Any]) -> str:
    """Return the command that does the rest of a run with these options."""
    words = ["heatmark", "run", suite]
    for name, value in options.items():
        if value is None:
            continue
        repeated = value if isinstance(value, (list, tuple)) else [value]
        for item in repeated:
            words += [f"--{name}", str(item)]
    return shlex.join(words)


@contextmanager
def _resumable(store: RunStore, command: str | None) -> Iterator[None]:
    """Turn Ctrl-C into `Interrupted`, whose message says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        how = "Call heatmark.run again with the same arguments." if command is None else f"Resume with: {command}"
        done = sum(1 for _ in (store.path / "cells").glob("*.parquet"))
        raise Interrupted(f"Stopped. {done} finished cells are kept in {store.path}. {how}") from error
