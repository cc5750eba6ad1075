"""Measuring metrics: what `heatmark audit metrics` runs, and keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...datasets.base import Dataset
from ...datasets.progress import Progress
from ...datasets.registry import load_dataset
from ...errors import BadInput, Interrupted, NotApplicable
from ...metrics.registry import Metric
from ...models.base import Model
from ...models.devices import device_name
from ..store.cell import Task
from ..work.messages import ModelRequest
from ..work.named_models import identity, loaded_model
from .plan import ORACLE, AuditPlan
from .store import AuditStore
from .units import WAYS, Entry, UnitSpec, UnitValues, Way, measured_unit, metric_key


@dataclass(frozen=True, eq=False)
class TaskValues:
    """Every value of one task.

    Attributes
    ----------
    task, accuracy
        The task, and the share of its samples whose explained class the network predicts.
    entries
        Those that apply, with their roles.
    metrics
        Those that apply.
    samples
        Sample ids.
    values
        By way: float64 (metrics, entries, samples); NaN where undefined, and for entries not scored in that way.
    not_applicable
        Metric id or entry id to the reason.
    """

    task: Task
    accuracy: float
    entries: tuple[Entry, ...]
    metrics: tuple[Metric, ...]
    samples: tuple[str, ...]
    values: Mapping[Way, np.ndarray]
    not_applicable: Mapping[str, str]

    def places(self, *roles: str) -> list[int]:
        """Return the positions of the entries with these roles."""
        return [place for place, entry in enumerate(self.entries) if entry.role in roles]


@dataclass(frozen=True, eq=False)
class Measured:
    """What an audit measured.

    Attributes
    ----------
    plan
        What was to be measured.
    path
        Its folder.
    tasks
        The values of each task.
    failures
        (what, error): metrics or entries that ended with an error on some task.
    """

    plan: AuditPlan
    path: Path
    tasks: tuple[TaskValues, ...]
    failures: tuple[tuple[str, str], ...]


def measure_audit(plan: AuditPlan, out: str | Path = "results/audit", *, progress: bool = True) -> Measured:
    """Measure what a plan says, but for what the folder holds already, and keep it there.

    Parameters
    ----------
    plan
        From `audit_plan`.
    out
        The folder.
    progress
        Whether to show progress on standard error.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    Interrupted
        If stopped by Ctrl-C; what is finished is kept.
    BadInput
        If nothing could be measured.
    """
    store = AuditStore(Path(out))
    failures: list[tuple[str, str]] = []
    total = len(plan.tasks) * plan.limit * sum(len(entry.ways) for entry in plan.entries)
    title = f"Auditing {len(plan.metrics)} metric{'s' if len(plan.metrics) > 1 else ''}"
    try:
        with Progress(title, total, "scorings", shown=progress) as bar:
            tasks = tuple(_measured_task(plan, task, store, bar, failures) for task in plan.tasks)
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped. What is finished is kept in {out}; the same command goes on from there.") from None
    measured = tuple(task for task in tasks if task.entries and task.metrics)
    if not measured:
        reasons = [f"{name}: {reason}" for task in tasks for name, reason in task.not_applicable.items()]
        errors = [f"{name}: {error}" for name, error in failures]
        raise BadInput(f"Nothing could be audited. {'; '.join([*errors, *reasons][:4])}")
    return Measured(plan, store.path, measured, tuple(failures))


def _measured_task(
    plan: AuditPlan, task: Task, store: AuditStore, bar: Progress, failures: list[tuple[str, str]]
) -> TaskValues:
    bar.working_on(f"loading {task}")
    model = loaded_model(ModelRequest(task.model, plan.framework, plan.device, "float32"))
    task = replace(task, weights=identity(model, task.model))
    dataset = load_dataset(task.dataset)
    samples = range(min(plan.limit, len(dataset)))
    found: list[tuple[Entry, UnitValues]] = []
    refused: dict[str, str] = {}
    for entry in plan.entries:
        reason, unit = _refusal(entry, model, dataset), None
        if reason is None:
            bar.working_on(f"{entry.method.id} on {task.dataset}")
            try:
                unit = _unit(plan, task, model, dataset, samples, entry, store, bar)
            except NotApplicable as error:
                reason = str(error)
        if unit is None:
            refused[entry.method.id] = reason or ""
            bar.update(len(samples) * len(entry.ways))
        else:
            found.append((entry, unit))
            failures += [(f"{name}, {entry.method.id}, {task}", text) for name, text in unit.failures.items()]
    return _gathered(plan, task, found, refused)


def _unit(
    plan: AuditPlan,
    task: Task,
    model: Model,
    dataset: Dataset,
    samples: Sequence[int],
    entry: Entry,
    store: AuditStore,
    bar: Progress,
) -> UnitValues:
    """Return the values of one entry: what the store lacks is measured and written."""
    spec = UnitSpec(
        task.model,
        task.weights,
        task.dataset,
        dataset.revision_of(samples),
        entry.method.id,
        entry.method.identity(),
        entry.role,
        plan.framework,
        device_name(model.framework, model.device),
        plan.seed,
    )
    known = store.read(spec)
    missing = [metric for metric in plan.metrics if known is None or not known.has(metric_key(metric))]
    if known is not None and not missing:
        bar.update(len(samples) * len(entry.ways))
        return known
    fresh = measured_unit(model, dataset, samples, entry, missing, plan.seed, bar.update)
    whole = fresh if known is None else known.joined(fresh)
    store.write(spec, whole, {metric_key(metric): metric.id for metric in plan.metrics})
    return whole


def _gathered(
    plan: AuditPlan, task: Task, found: Sequence[tuple[Entry, UnitValues]], refused: dict[str, str]
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
    return TaskValues(
        task,
        float(found[0][1].right.mean()) if found else float("nan"),
        tuple(entry for entry, _ in found),
        tuple(metric for metric, _ in present),
        samples,
        values,
        refused,
    )


def _refusal(entry: Entry, model: Model, dataset: Dataset) -> str | None:
    """Return why an entry cannot be audited on a task, or None."""
    if entry.role == ORACLE and dataset.first_readable().mask is None:
        return f"{dataset.name} has no ground-truth masks"
    return entry.method.why_not(model)
