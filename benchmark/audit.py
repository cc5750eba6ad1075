"""Measuring metrics: what `heatmark audit metrics` runs, and keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.base import Dataset
from ..datasets.progress import Progress
from ..datasets.registry import find_dataset, load_dataset
from ..errors import BadInput, Interrupted, NotApplicable
from ..methods.registry import METHODS, method_from
from ..metrics.registry import METRICS, Metric, metric_from
from ..models.base import Model
from ..models.devices import device_name, installed_frameworks, require_framework
from ..models.queries import FRAMEWORKS
from ..models.registry import list_models
from ..selection import parse_selections
from .audit_store import AuditStore
from .audit_units import WAYS, Entry, UnitSpec, UnitValues, Way, measured_unit, metric_key
from .cells import Task
from .messages import ModelRequest
from .named_models import check_name, identity, loaded_model
from .plugins import load_plugins
from .suite import Names, names_of

DATA = "shapes,patches,series"
METHODS_AUDITED = (
    "saliency,input_x_gradient,integrated_gradients[steps=10],guided_backprop,grad_cam,smoothgrad[samples=5]"
)
"""Methods of different kinds and quality, none of them dear: metrics that explain again do so many times."""

ORACLE, CONTROL = "oracle", "control"


@dataclass(frozen=True)
class AuditPlan:
    """What is audited, checked.

    Attributes
    ----------
    metrics
        Without those of unknown direction, which are in ``skipped`` with the reason.
    tasks
        Models on datasets.
    entries
        Methods, controls, and the oracle.
    framework, device, limit, seed
        As in a run; ``limit`` samples of each dataset.
    """

    metrics: tuple[Metric, ...]
    skipped: tuple[tuple[str, str], ...]
    tasks: tuple[Task, ...]
    entries: tuple[Entry, ...]
    framework: str
    device: str
    limit: int
    seed: int


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


def audit_plan(
    metrics: Names | None = None,
    data: Names = DATA,
    models: Names | None = None,
    methods: Names = METHODS_AUDITED,
    framework: str | None = None,
    limit: int = 32,
    seed: int = 0,
    device: str = "auto",
    plugins: Names = (),
) -> AuditPlan:
    """Return what an audit is to measure.

    Parameters
    ----------
    metrics
        Selections; every registered metric at its default protocol where None.
    data
        Datasets, best with ground-truth masks: without them there is no oracle.
    models
        One for each dataset, or one for all; by default the zoo's network for that dataset.
    methods
        Selections. heatmark's controls and the oracle are always there.
    framework
        By default the first that is installed.
    limit
        Samples of each dataset, at least 8: fewer say nothing.
    seed
        Of maps, noise and metrics.
    device
        As `load_model` takes it.
    plugins
        Modules or files that register metrics, methods, models or datasets.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used.
    """
    load_plugins([plugins] if isinstance(plugins, str) else plugins)
    if limit < 8:
        raise BadInput(f"An audit takes at least 8 samples of each dataset; got {limit}.")
    if framework is None:
        framework = (installed_frameworks() or FRAMEWORKS)[0]
    require_framework(framework)
    chosen = _metrics(metrics)
    skipped = {m.id: "its direction is unknown" for m in chosen if not isinstance(m.entry.higher_is_better, bool)}
    left = tuple(metric for metric in chosen if metric.id not in skipped)
    if not left:
        raise BadInput("No metric is left to audit. Name at least one whose direction is known.")
    return AuditPlan(
        left,
        tuple(skipped.items()),
        _tasks(names_of(data, "data"), None if models is None else names_of(models, "models"), framework),
        _entries(methods),
        framework,
        device,
        limit,
        seed,
    )


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
        identity(model, task.model),
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


def _metrics(names: Names | None) -> tuple[Metric, ...]:
    if names is None:
        return tuple(metric_from(entry.name) for entry in METRICS)
    return tuple({metric.id: metric for metric in map(metric_from, parse_selections(names))}.values())


def _entries(methods: Names) -> tuple[Entry, ...]:
    """Return the methods asked for, heatmark's controls, and the oracle."""
    chosen = [method_from(selection) for selection in parse_selections(methods)]
    entries = [Entry(method, CONTROL if method.entry.is_control else "method") for method in chosen]
    own = [e for e in METHODS if e.is_control and e.origin == "heatmark" and not e.wraps and e.name != ORACLE]
    entries += [Entry(method_from(entry.name), CONTROL) for entry in own]
    unique = {entry.method.id: entry for entry in entries if entry.method.id != ORACLE}
    return (*unique.values(), Entry(method_from(ORACLE), ORACLE))


def _tasks(data: Sequence[str], models: Sequence[str] | None, framework: str) -> tuple[Task, ...]:
    for dataset in data:
        find_dataset(dataset)
    for model in models or ():
        check_name(model)
    if models is None:
        return tuple(Task(_usual_model(dataset, framework), dataset) for dataset in data)
    if len(models) not in (1, len(data)):
        raise BadInput(f"Give one model, or one for each of the {len(data)} datasets; got {len(models)}.")
    return tuple(map(Task, models * len(data) if len(models) == 1 else models, data))


def _usual_model(dataset: str, framework: str) -> str:
    """Return the first registered network whose own data this is."""
    plain = dataset.partition("[")[0]
    fitting = [entry for entry in list_models() if plain in entry.datasets and framework in entry.frameworks]
    if not fitting:
        raise BadInput(f"No registered network goes with the dataset {dataset!r}. Name one with --models.")
    return min(fitting, key=lambda entry: entry.datasets.index(plain)).name


def _refusal(entry: Entry, model: Model, dataset: Dataset) -> str | None:
    """Return why an entry cannot be audited on a task, or None."""
    if entry.role == ORACLE and dataset.first_readable().mask is None:
        return f"{dataset.name} has no ground-truth masks"
    return entry.method.why_not(model)
