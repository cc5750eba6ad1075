"""Carrying out a run: models are described, cells planned, and what is left is done and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from ...notebook import table_html
from ..executors.engine import Engine
from ..setting.environment import versions
from ..setting.input_shapes import HOW_TO_STATE_IT, PHOTOGRAPH
from ..store.cell import CellSpec
from ..store.folder import Failure, RunStore
from ..store.outcomes import Failed, Finished, NotMeant, Outcome
from ..work.cell import CellJob
from ..work.messages import Described, DescribedModel, NamedModel
from .examining import examined
from .jobs import described, do, executor_of, origins_outside
from .plan import ResolvedSuite, planned_cells
from .progress import view_of
from .shards import shard_of


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    path: Path
    """Its folder."""
    store: RunStore
    """What the folder holds."""
    expected: int
    """The number of cells in the plan."""
    finished: int
    """Of these, how many are done."""
    cached: int
    """Of the finished, how many were done before."""
    not_applicable: int
    """How many have no meaning."""
    failures: tuple[Failure, ...]
    """The cells that failed."""
    seconds: float
    """How long this call took."""
    missing: int = 0
    """How many of the cells that this call was asked for, all or a shard's, are neither done nor without meaning."""
    notes: tuple[str, ...] = ()
    """What the user should know, such as a framework that is not installed; shown with the progress."""
    left_out: tuple[str, ...] = ()
    """The files of datasets that this call could not use, each with the reason."""

    def __repr__(self) -> str:
        return f"<Run: {self.summary}>"

    def _repr_html_(self) -> str:
        failed = Counter(failure.error for failure in self.failures)
        notes = [*self.notes, *(f"left out {file}" for file in self.left_out)]
        heads = ("cells failed", "with") if failed else ()
        return table_html(self.summary, heads, [(count, error) for error, count in failed.items()], notes, left=2)

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
    resolved: ResolvedSuite,
    store: RunStore,
    engine: Engine,
    plugins: tuple[str, ...],
    *,
    shard: tuple[int, int] | None,
    costs: Path | None,
    progress: bool,
    title: str,
    command: str | None,
    notes: tuple[str, ...],
    another: bool,
    force: bool,
    began: float,
) -> Run:
    """Describe the models, plan, do what is left of one shard of the cells (all where None), and return the run.

    ``engine``, ``plugins``, ``costs`` and ``progress`` are as `run` takes them; ``title``, ``command`` (None: from
    Python) and ``notes`` become the run's, and its time is counted from ``began`` (`time.monotonic`). Where the folder
    holds ``another`` run, what it says of that is replaced only at the end, so that a run that is stopped takes nothing
    away. A network that fails its examination stops the run unless ``force``.
    """
    suite, left_out = resolved.suite, dict[str, str]()

    def keep(spec: CellSpec, outcome: Outcome) -> None:
        store.keep(spec, outcome)
        if isinstance(outcome, Finished):
            left_out.update({file["path"]: file["reason"] for file in outcome.value.provenance["skipped"]})

    origins = origins_outside([*resolved.methods, *resolved.metrics], suite.models, suite.datasets)
    most = len(suite.tasks) * len(suite.seeds) * len(resolved.methods)
    with executor_of(engine, suite.frameworks, resolved.device, plugins, origins, store.path, most) as executor:
        answers = described(resolved.named_models, executor, notes)
        notes = (*notes, *_notes(resolved, answers))
        cells = planned_cells(resolved, answers, store)
        specs = [spec for spec, _ in cells]
        if not another:
            notes += _strangers(store, {spec.key for spec in specs})
            store.begin(_record(resolved, title, command), specs)
        mine = cells
        if shard is not None:  # of all cells, so that shards never overlap whatever is done already
            keys = shard_of(specs, *shard, costs)
            mine = [cell for cell in cells if cell[0].key in keys]
        for spec, known in mine:
            if isinstance(known, Failed):
                store.keep(spec, known)
        left = [spec for spec, known in mine if known is None]
        notes += examined(left, resolved, store, executor, force=force, shown=progress)
        jobs = [CellJob(spec, resolved.device, suite.batch_size, suite.gallery, suite.rule) for spec in left]
        view = view_of(left, side_by_side=executor.side_by_side, shown=progress, notes=notes)
        do(executor.execute(jobs), view, keep)
    if another:
        store.begin(_record(resolved, title, command), specs)
    reasons = store.reasons()
    return Run(
        path=store.path,
        store=store,
        expected=len(cells),
        finished=sum(store.has(spec.key) for spec in specs),
        cached=sum(isinstance(known, Finished) for _, known in cells),
        not_applicable=len(reasons),
        failures=tuple(store.failures()),
        seconds=monotonic() - began,
        missing=sum(not store.has(spec.key) and spec.key not in reasons for spec, _ in mine),
        notes=notes,
        left_out=tuple(f"{path}: {reason}" for path, reason in left_out.items()),
    )


def _strangers(store: RunStore, planned: Set[str]) -> tuple[str, ...]:
    """Return a note where finished cells of the folder's run are not of this plan, though the suite is the same."""
    earlier = {spec.key for spec in store.expected if store.has(spec.key)}
    if not earlier or earlier & planned:
        return ()
    return (
        f"The {len(earlier)} finished cells in {store.path} are of other weights, other samples, another device or "
        "another version of a method or metric: they stay there, and everything is done anew.",
    )


def _notes(resolved: ResolvedSuite, answers: Mapping[NamedModel, Described]) -> tuple[str, ...]:
    """Return in which frameworks models do not exist, and what is assumed about their inputs."""
    absent = {answer.reason for answer in answers.values() if isinstance(answer, NotMeant)}
    height, width = PHOTOGRAPH
    open_shapes = {
        (r.model, r.framework) for r, a in answers.items() if isinstance(a, DescribedModel) and not a.knows_shape
    }
    assumed = {
        f"{model} does not say which inputs it takes: the photographs of {task.dataset} are brought to "
        f"{height} x {width} pixels. For another size, {HOW_TO_STATE_IT[framework]}."
        for task in resolved.suite.tasks
        for model, framework in open_shapes
        if task.model == model and resolved.datasets[task.dataset].framing == "whole"
    }
    rule, datasets = resolved.suite.rule, resolved.datasets
    parts = {rule.note(datasets[task.dataset], task.model) for task in resolved.suite.tasks} - {""}
    return (*sorted(absent), *sorted(assumed), *sorted(parts))


def _record(resolved: ResolvedSuite, title: str, command: str | None) -> dict[str, Any]:
    """Return what ``run.json`` says."""
    return {
        "suite": resolved.suite.plain(),
        "name": title,
        "command": command,
        "seeds": list(resolved.suite.seeds),
        "device": resolved.device,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": versions()["heatmark"],
    }
