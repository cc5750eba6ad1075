"""From measured values to the audit of metrics: what `heatmark audit metrics` shows and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ...benchmark.audit.measure import Measured, TaskValues, measure_audit
from ...benchmark.audit.noise import DISRUPTIVE, SMALL
from ...benchmark.audit.plan import CONTROL, DATA, LIMIT, METHODS_AUDITED, ORACLE, audit_plan
from ...benchmark.audit.units import Way, metric_key, same
from ...benchmark.setting.environment import versions
from ...benchmark.suite import Names
from ...metrics.registry import Metric
from . import questions as ask
from .audit import FINDS_TRUTH, AuditedTask, Concordance, MetricAudit, MetricsAudit, TaskAudit
from .json_file import write_audit

ALL = "all"
CONSTANT = "constant"
"""The control whose map has no order: it takes no part where orders are compared."""


def audit_metrics(
    metrics: Names | None = None,
    data: Names = DATA,
    *,
    models: Names | None = None,
    methods: Names = METHODS_AUDITED,
    framework: str | None = None,
    limit: int = LIMIT,
    seed: int = 0,
    device: str = "auto",
    out: str | Path = "results/audit",
    engine: str = "processes",
    cell_timeout: float | None = None,
    plugins: Names = (),
    progress: bool = True,
) -> MetricsAudit:
    """Ask of each metric whether what it says can be trusted, and write the answers as ``audit.json``.

    What is measured is kept in the folder, so an audit that was stopped, or gets further metrics, goes on.

    Parameters
    ----------
    metrics, data, models, methods, framework, limit, seed, device, plugins
        See `benchmark.audit.plan.audit_plan`.
    out
        The folder of values and answers.
    engine
        ``processes`` (a worker process) or ``serial`` (this process).
    cell_timeout
        The seconds that all metrics of one method on one task may take, as `benchmark.run.run` takes them.
    progress
        Whether to show progress on standard error.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used.
    StorageError
        If the folder cannot be written.
    """
    plan = audit_plan(metrics, data, models, methods, framework, limit, seed, device, plugins)
    found = audit_of(measure_audit(plan, out, engine=engine, cell_timeout=cell_timeout, progress=progress))
    write_audit(found, Path(out))
    return found


def audit_of(measured: Measured) -> MetricsAudit:
    """Return the audit that follows from measured values."""
    plan, tasks = measured.plan, measured.tasks
    present = [metric for metric in plan.metrics if any(metric.id in _ids(task) for task in tasks)]
    lost = {metric.id: _why_not(metric, measured) for metric in plan.metrics if metric not in present}
    roles = {entry.method.id: entry.role for task in tasks for entry in task.entries}
    settings = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version for name, version in versions().items() if version},
        "framework": plan.framework,
        "device": plan.device,
        "seed": plan.seed,
        "noise": [SMALL, DISRUPTIVE],
        "methods": [name for name, role in roles.items() if role == "method"],
        "controls": [name for name, role in roles.items() if role == CONTROL],
        "failures": [list(failure) for failure in measured.failures],
    }
    return MetricsAudit(
        settings,
        tuple(
            AuditedTask(
                t.task.shown_model, t.task.dataset, len(t.samples), t.accuracy, t.task.weights, _second_oracles(t)
            )
            for t in tasks
        ),
        tuple(_audited(metric, tasks, plan.seed) for metric in present),
        (*plan.skipped, *lost.items()),
        tuple(one for task in tasks for one in _concordances(task)),
        tuple(tuple(float(value) for value in row) for row in _mean_taus(present, tasks)),
    )


def _audited(metric: Metric, tasks: Sequence[TaskValues], seed: int) -> MetricAudit:
    """Return what the values of all tasks say of one metric."""
    return MetricAudit(
        metric.id,
        metric.entry.family,
        metric.entry.higher_is_better,
        metric_key(metric),
        tuple(_on_task(metric, task, seed) for task in tasks if metric.id in _ids(task)),
        tuple((str(task.task), task.not_applicable[metric.id]) for task in tasks if metric.id in task.not_applicable),
    )


def _on_task(metric: Metric, task: TaskValues, seed: int) -> TaskAudit:
    """Return what the values of one task say of one metric."""
    row, sign = _ids(task).index(metric.id), _sign(metric)
    values: Mapping[Way, np.ndarray] = {way: sign * found[row] for way, found in task.values.items()}
    disturbed = task.places("method", ORACLE)
    plain, small, gone, again = (values[way][disturbed] for way in ("plain", "small", "disruptive", "retest"))
    second = dict(_second_oracles(task))
    every = values["plain"]
    controls = [place for place in task.places(CONTROL) if task.entries[place].method.id not in second]
    names = [task.entries[place].method.id for place in controls]
    leads = [ask.comparisons(every[place], every[controls], names) for place in task.places(ORACLE)]
    return TaskAudit(
        task.task.shown_model,
        task.task.dataset,
        tuple(one for found in leads for one in found),
        ask.reactivity(plain, gone),
        ask.resilience(plain, small, gone),
        ask.order_kept(plain, small),
        not same(plain, again),
        ask.retest(plain, again),
        ask.split_half(every[_ordered(task)], seed),
        int(every.size),
        int((~np.isfinite(every)).sum()),
    )


def _second_oracles(task: TaskValues) -> tuple[tuple[str, float], ...]:
    """Return the controls that find the truth by themselves, with how well: to beat them would prove nothing."""
    return tuple((name, area) for name, area in task.found_truth.items() if area >= FINDS_TRUTH)


def _concordances(task: TaskValues) -> list[Concordance]:
    """Return Kendall's W of all metrics of a task, and of each family with at least two."""
    means = _goodness(task)
    families = [metric.entry.family for metric in task.metrics]
    found = []
    for family in (ALL, *dict.fromkeys(families)):
        rows = means[[family in (ALL, own) for own in families]]
        complete = int(np.isfinite(rows).all(axis=1).sum())
        if complete >= 2:
            found.append(Concordance(task.task.dataset, family, ask.concordance(rows), complete))
    return found


def _mean_taus(metrics: Sequence[Metric], tasks: Sequence[TaskValues]) -> np.ndarray:
    """Return tau-b between every two metrics, averaged over the tasks on which both order the maps."""
    layers = np.full((len(tasks), len(metrics), len(metrics)), np.nan)
    for layer, task in zip(layers, tasks, strict=True):
        places = [number for number, metric in enumerate(metrics) if metric.id in _ids(task)]
        layer[np.ix_(places, places)] = ask.taus(_goodness(task))
    known = np.isfinite(layers)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, layers, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def _goodness(task: TaskValues) -> np.ndarray:
    """Return each metric's mean score of every map that has an order, (metrics, maps); higher is better."""
    places = _ordered(task)
    rows = [_sign(metric) * ask.means_of(task.values["plain"][row][places]) for row, metric in enumerate(task.metrics)]
    return np.stack(rows)


def _ordered(task: TaskValues) -> list[int]:
    return [place for place, entry in enumerate(task.entries) if entry.method.id != CONSTANT]


def _ids(task: TaskValues) -> list[str]:
    return [metric.id for metric in task.metrics]


def _sign(metric: Metric) -> float:
    return 1.0 if metric.entry.higher_is_better else -1.0


def _why_not(metric: Metric, measured: Measured) -> str:
    """Return why a metric has no value anywhere."""
    reasons = [task.not_applicable[metric.id] for task in measured.tasks if metric.id in task.not_applicable]
    errors = [f"failed: {error}" for what, error in measured.failures if what.startswith(f"{metric.id}, ")]
    return next(iter([*reasons, *errors]), "no map could be scored")
