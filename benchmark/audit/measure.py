"""Measuring metrics: what `heatmark audit metrics` runs, and keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from ...datasets.registry import load_dataset
from ...errors import BadInput, Interrupted
from ...metrics.registry import Metric, metric_from
from ..executors.engine import Engine
from ..running.jobs import described, do, executor_of, facts_of, known_outcome, origins_outside
from ..running.progress import view_of
from ..running.stopping import stopped_by_signals
from ..setting.plugins import refuse_in_worker
from ..store.cell import Task
from ..store.outcomes import Failed, Finished, NotMeant, Outcome
from ..store.ownership import Work, owned
from ..work.messages import Described, NamedModel
from .plan import CONTROL, LOCALISATION, ORACLE, AuditPlan
from .store import AuditStore
from .units import WAYS, AuditedMethod, UnitJob, UnitSpec, UnitValues, Way, metric_key


@dataclass(frozen=True, eq=False)
class TaskValues:
    """Every value of one task."""

    task: Task
    accuracy: float
    """The task, and the share of its samples whose explained class the network predicts."""
    entries: tuple[AuditedMethod, ...]
    """Those that apply, with their roles."""
    metrics: tuple[Metric, ...]
    """Those that apply."""
    samples: tuple[str, ...]
    """Sample ids."""
    values: Mapping[Way, np.ndarray]
    """By way: float64 (metrics, entries, samples); NaN where undefined, and for entries not scored in that way."""
    not_applicable: Mapping[str, str]
    """Metric id or entry id to the reason."""
    found_truth: Mapping[str, float]
    """Control id to how well its map finds the truth: the area under the ROC curve, mean over samples; empty where no
    truth is known.
    """

    def places(self, *roles: str) -> list[int]:
        """Return the positions of the entries with these roles."""
        return [place for place, entry in enumerate(self.entries) if entry.role in roles]


@dataclass(frozen=True, eq=False)
class Measured:
    """What an audit measured."""

    plan: AuditPlan
    """What was to be measured."""
    path: Path
    """Its folder."""
    tasks: tuple[TaskValues, ...]
    """The values of each task."""
    failures: tuple[tuple[str, str], ...]
    """(what, error): metrics or entries that ended with an error on some task."""


def measure_audit(
    plan: AuditPlan,
    out: str | Path = "results/audit",
    *,
    engine: str | Engine = "processes",
    cell_timeout: float | None = None,
    progress: bool = True,
) -> Measured:
    """Measure what a plan says, but for what the folder holds already, and keep it there.

    ``engine``, ``cell_timeout`` (of one method's maps on one task) and ``progress`` are as `run` takes them.

    Raises
    ------
    UnknownName
        For an unknown engine.
    StorageError
        If the folder cannot be written, or another audit is at work there.
    Interrupted
        If stopped by Ctrl-C or a signal; what is finished is kept.
    BadInput
        If nothing could be measured.
    HeatmarkError
        If no model can be loaded.
    """
    refuse_in_worker()
    engine = Engine.of(engine, cell_timeout)
    store = AuditStore(Path(out))
    models = {task: NamedModel(task.model, plan.framework, plan.device) for task in plan.tasks}
    errors: dict[str, Mapping[str, str]] = {}

    def keep(spec: UnitSpec, outcome: Outcome) -> None:
        store.keep(spec, outcome)
        if isinstance(outcome, Finished):
            errors[spec.key] = outcome.value.failures

    origins = origins_outside(
        [*plan.metrics, *(entry.method for entry in plan.entries)],
        [task.model for task in plan.tasks],
        [task.dataset for task in plan.tasks],
    )
    try:
        with (
            owned(store.path, Work("audit", f"heatmark audit metrics --out {out}", in_shares=False)),
            stopped_by_signals(),
            executor_of(
                engine,
                (plan.framework,),
                plan.device,
                plan.plugins,
                origins,
                store.path,
                len(models) * len(plan.entries),  # at the most
            ) as executor,
        ):
            answers = described(list(dict.fromkeys(models.values())), executor)
            cells = {task: _cells(plan, task, answers[models[task]], store) for task in plan.tasks}
            jobs = []
            for spec, known in chain(*cells.values()):
                if isinstance(known, Failed):
                    store.keep(spec, known)
                elif known is None:
                    jobs.append(UnitJob(spec, plan.device, plan.rule, _missing(plan, spec, store)))
            do(executor.execute(jobs), view_of([job.spec for job in jobs], executor.side_by_side, progress), keep)
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped. What is finished is kept in {out}; the same command goes on from there.") from None
    return _measured(plan, store, cells, errors)


def _cells(plan: AuditPlan, task: Task, answer: Described, store: AuditStore) -> list[tuple[UnitSpec, Outcome | None]]:
    """Return the cells of one task, in the order of the plan's methods, with their `known_outcome`."""
    dataset, model = plan.rule.of(load_dataset(task.dataset), task.model), facts_of(answer, plan.device)
    revision = dataset.revision_of(range(len(dataset)))
    found: list[tuple[UnitSpec, Outcome | None]] = []
    for entry in plan.entries:
        spec = UnitSpec(
            model=task.model,
            model_weights=model.weights,
            dataset=task.dataset,
            dataset_revision=revision,
            method=entry.method.id,
            method_identity=entry.method.identity(),
            role=entry.role,
            framework=plan.framework,
            device_class=model.device_class,
            seed=plan.seed,
        )
        if entry.role == ORACLE and dataset.first_readable().mask is None:
            found.append((spec, NotMeant(f"{dataset.name} has no ground-truth masks")))
        else:
            found.append((spec, known_outcome(spec, answer, store, not _missing(plan, spec, store))))
    return found


def _missing(plan: AuditPlan, spec: UnitSpec, store: AuditStore) -> tuple[str, ...]:
    """Return the metrics that a unit has no values of."""
    known, asked = store.read(spec), list(plan.metrics)
    if spec.role == CONTROL and all(metric.id != LOCALISATION for metric in asked):
        asked.append(metric_from(LOCALISATION))
    return tuple(metric.id for metric in asked if known is None or not known.has(metric_key(metric)))


def _measured(
    plan: AuditPlan,
    store: AuditStore,
    cells: Mapping[Task, Sequence[tuple[UnitSpec, Outcome | None]]],
    errors: Mapping[str, Mapping[str, str]],
) -> Measured:
    """Return what the folder holds of a plan, and what went wrong this time: ``errors`` of metrics by cell."""
    tasks: list[TaskValues] = []
    failures: list[tuple[str, str]] = []
    for task, planned_here in cells.items():
        weights = next((spec.model_weights for spec, _ in planned_here), "")
        found: list[tuple[AuditedMethod, UnitValues]] = []
        refused: dict[str, str] = {}
        for entry, (spec, known) in zip(plan.entries, planned_here, strict=True):
            key, name = spec.key, entry.method.id
            failures += [(f"{metric}, {name}, {task}", text) for metric, text in errors.get(key, {}).items()]
            failure, values = store.failure(key), store.read(spec)
            if failure is not None:
                failures.append((f"{name}, {task}", failure.error))
            if values is not None:
                found.append((entry, values))
            elif failure is None:
                reason = known.reason if isinstance(known, NotMeant) else store.reason(key)
                refused[name] = reason or "nothing was measured"
        tasks.append(_gathered(plan, replace(task, weights=weights), found, refused))
    with_values = tuple(task for task in tasks if task.entries and task.metrics)
    if not with_values:
        refusals = [(name, reason) for task in tasks for name, reason in task.not_applicable.items()]
        raise BadInput(f"Nothing could be audited. {_each_once([*failures, *refusals])}")
    return Measured(plan, store.path, with_values, tuple(failures))


def _each_once(told: Sequence[tuple[str, str]]) -> str:
    """Return the first few of what was told, each with the first that it was told of and how many more."""
    about: dict[str, list[str]] = {}
    for what, words in told:
        about.setdefault(words, []).append(what)
    more = {words: f" and {len(names) - 1} more" if len(names) > 1 else "" for words, names in about.items()}
    return "; ".join(f"{names[0]}{more[words]}: {words}" for words, names in list(about.items())[:4])


def _gathered(
    plan: AuditPlan, task: Task, found: Sequence[tuple[AuditedMethod, UnitValues]], refused: dict[str, str]
) -> TaskValues:
    """Return one array for each way."""
    keys = [(metric, metric_key(metric)) for metric in plan.metrics]
    present = [(metric, key) for metric, key in keys if any(key in unit.values for _, unit in found)]
    for metric, key in keys:
        reasons = [unit.reasons[key] for _, unit in found if key in unit.reasons]
        if reasons and all(key not in unit.values for _, unit in found):
            refused[metric.id] = reasons[0]
    samples = found[0][1].samples if found else ()
    values = {way: np.full((len(present), len(found), len(samples)), np.nan) for way in WAYS}
    for place, (entry, unit) in enumerate(found):
        for row, (_, key) in enumerate(present):
            for number, way in enumerate(entry.ways if key in unit.values else ()):
                values[way][row, place] = unit.values[key][number]
    localisation = metric_key(metric_from(LOCALISATION))
    found_truth = {
        entry.method.id: float(np.nanmean(unit.values[localisation][0]))
        for entry, unit in found
        if entry.role == CONTROL and localisation in unit.values and np.isfinite(unit.values[localisation][0]).any()
    }
    return TaskValues(
        task,
        float(found[0][1].right.mean()) if found else float("nan"),
        tuple(entry for entry, _ in found),
        tuple(metric for metric, _ in present),
        samples,
        values,
        refused,
        found_truth,
    )
