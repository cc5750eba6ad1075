"""A run's cells, gathered into one array of scores per task and framework."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...benchmark.store.added import AddedScores
from ...benchmark.store.cell import CellSpec, Task, score_column
from ...benchmark.store.finished import Cell
from ...benchmark.store.folder import Failure, RunStore

FRAMEWORK_NAMES = {"torch": "PyTorch", "tensorflow": "TensorFlow"}


def framework_text(framework: str, precision: str = "float32") -> str:
    """Return a framework as people write it, with the precision where it is not the usual one."""
    name = FRAMEWORK_NAMES.get(framework, framework)
    return name if precision == "float32" else f"{name} ({precision})"


class Setting(NamedTuple):
    """What one leaderboard table holds fixed."""

    task: Task
    precision: str
    target: str
    framework: str

    @property
    def framework_name(self) -> str:
        """The framework as people write it, with the precision where it is not the usual one."""
        return framework_text(self.framework, self.precision)

    @property
    def title(self) -> str:
        """The table's title."""
        return f"{self.task} · {self.framework_name}"


@dataclass(frozen=True)
class Coverage:
    """How much of a method's work is done: cells and samples, there and expected."""

    cells: int
    expected_cells: int
    samples: int
    expected_samples: int
    failed: int = 0

    @property
    def complete(self) -> bool:
        """Whether every expected cell is there."""
        return self.cells >= self.expected_cells > 0

    @property
    def text(self) -> str:
        """Samples there of samples expected, with the number of failed cells."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.samples}/{self.expected_samples}{failed}"


@dataclass(frozen=True)
class MethodCost:
    """What one image costs a method."""

    seconds: float
    """Wall time of explaining, per image: the median over images, each with its share of its batch's time."""
    relative: float
    """The same in bare forward passes of the same network in the same worker."""
    forward: float
    backward: float
    """Exact passes per image."""
    score_seconds: float
    """Wall time of scoring, per image, all metrics together; the median as well."""


@dataclass(frozen=True, eq=False)
class MethodRun:
    """One method in one setting: its rows (one per sample, of all its cells), provenances and coverage."""

    method: str
    identity: Mapping[str, Any]
    rows: pd.DataFrame
    provenances: tuple[Mapping[str, Any], ...]
    coverage: Coverage
    cost: MethodCost

    @property
    def refused(self) -> dict[str, str]:
        """The metrics that have no meaning for its maps in any cell, with the reason."""
        return _in_all([one.get("metrics_not_applicable") or {} for one in self.provenances])

    def __repr__(self) -> str:
        return f"<MethodRun of {self.method}: {self.coverage.text} samples>"


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that was measured in one setting."""

    setting: Setting
    """Task, precision, target and framework."""
    methods: tuple[MethodRun, ...]
    """In the plan's order, without those that do not apply."""
    metrics: tuple[str, ...]
    """Canonical texts, in the order of first appearance, with ``metric_identities`` beside them."""
    metric_identities: tuple[Mapping[str, Any], ...]
    samples: tuple[str, ...]
    """Sample ids, in the dataset's order."""
    scores: np.ndarray
    """float64 (metrics, methods, samples), NaN where missing or undefined; averaged over seeds."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """The metrics that have no meaning here, with the reason; they are not among ``metrics``."""

    def __repr__(self) -> str:
        metrics, methods, samples = self.scores.shape
        return f"<Results of {self.setting.title}: {methods} methods, {metrics} metrics, {samples} samples>"


def open_store(run: object) -> RunStore:
    """Return the store of ``run``: a folder, or anything with a ``path``."""
    path = getattr(run, "path", run)
    return RunStore(Path(str(path)))


def gather(store: RunStore) -> list[Results]:
    """Return the results of every setting in the run's plan, in the plan's order."""
    added = store.added_scores()
    cells = {cell.key: _with_added(cell, added) for cell in store.cells()}
    failures = {failure.key: failure for failure in store.failures()}
    inapplicable = set(store.reasons())
    planned: dict[Setting, dict[str, list[CellSpec]]] = {}
    for spec in store.expected:
        methods = planned.setdefault(Setting(spec.task, spec.precision, spec.target, spec.framework), {})
        # A method with some cells that do not apply and others that do would be a contradiction; any result counts.
        if spec.key not in inapplicable or spec.key in cells:
            methods.setdefault(spec.method, []).append(spec)
    return [
        _results(setting, [_method_run(specs, cells, failures) for specs in methods.values()], methods.values(), added)
        for setting, methods in planned.items()
    ]


def _with_added(cell: Cell, added: Iterable[AddedScores]) -> Cell:
    """Return the cell with the scores that were computed later from its curves."""
    columns = {score_column(one.metric): one.values[cell.key] for one in added if cell.key in one.values}
    fitting = {name: values for name, values in columns.items() if len(values) == len(cell.table)}
    return replace(cell, table=cell.table.assign(**fitting)) if fitting else cell


def _results(
    setting: Setting, methods: list[MethodRun], planned: Iterable[list[CellSpec]], added: Iterable[AddedScores]
) -> Results:
    identities: dict[str, Mapping[str, Any]] = {}
    for spec in (spec for specs in planned for spec in specs):
        identities.update(zip(spec.metrics, spec.metric_identities, strict=True))
    present = {column for method in methods for column in method.rows.columns}
    identities.update({one.metric: one.identity for one in added if score_column(one.metric) in present})
    refused = _in_all([method.refused for method in methods if method.provenances])
    for metric in refused:
        identities.pop(metric, None)
    metrics = tuple(identities)
    order = pd.concat([method.rows[["index", "sample"]] for method in methods]) if methods else pd.DataFrame()
    samples = tuple(order.sort_values("index", kind="stable")["sample"].unique()) if len(order) else ()
    scores = np.full((len(metrics), len(methods), len(samples)), np.nan)
    for number, method in enumerate(methods):
        columns = [score_column(metric) for metric in metrics]
        values = method.rows.reindex(columns=["sample", *columns]).groupby("sample").mean()
        scores[:, number] = values.reindex(list(samples))[columns].to_numpy(np.float64).T
    return Results(setting, tuple(methods), metrics, tuple(identities.values()), samples, scores, refused)


def _in_all(reasons: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names that all of several mappings have, each with the first one's reason."""
    if not reasons:
        return {}
    return {name: str(reason) for name, reason in reasons[0].items() if all(name in one for one in reasons)}


def _method_run(specs: list[CellSpec], cells: Mapping[str, Cell], failures: Mapping[str, Failure]) -> MethodRun:
    done = [cells[spec.key] for spec in specs if spec.key in cells]
    empty = pd.DataFrame({"sample": pd.Series(dtype=object), "index": pd.Series(dtype=np.int64)})
    rows = pd.concat([cell.table for cell in done], ignore_index=True) if done else empty
    coverage = Coverage(
        len(done),
        len(specs),
        len(rows),
        # A dataset may skip unreadable files, which no cell can then hold.
        sum(len(cells[s.key].table) if s.key in cells else s.last - s.first for s in specs),
        sum(spec.key in failures for spec in specs),
    )
    provenances = tuple(cell.provenance for cell in done)
    return MethodRun(specs[0].method, specs[0].method_identity, rows, provenances, coverage, _cost(done, rows))


def _cost(cells: list[Cell], rows: pd.DataFrame) -> MethodCost:
    images = len(rows)
    if not images:
        return MethodCost(*[float("nan")] * 5)
    # Every cell is compared with the bare network as its own worker measured it.
    bare = [_number(cell.provenance.get("bare_forward_seconds")) or math.nan for cell in cells]
    relative = np.concatenate([cell.table["explain_seconds"] / one for cell, one in zip(cells, bare, strict=True)])
    passes = [cell.provenance.get("passes_explain") or {} for cell in cells]
    return MethodCost(
        # Medians, because something else may run on the machine now and then.
        float(rows["explain_seconds"].median()),
        float(np.median(relative)),
        sum(_number(one.get("forward")) for one in passes) / images,
        sum(_number(one.get("backward")) for one in passes) / images,
        float(rows["score_seconds"].median()),
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
