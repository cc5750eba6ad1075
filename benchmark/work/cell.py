"""Doing a cell of a run: samples are explained and scored batch by batch, with the times and passes that took."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from ...datasets.base import Batch
from ...identity import digest
from ...methods.registry import Method, method_from
from ...metrics.perturbing.target_scores import TargetScores
from ...metrics.registry import Metric, metric_from
from ...models.base import Model
from ...models.queries import PassCount
from ..setting.environment import machine_facts, versions
from ..setting.peak_memory import MemoryGrowth
from ..store.cell import CellResult, CellSpec, rows_schema, score_column
from .batches import TargetedBatch, labels_fit, refuse_meaningless, targeted_batches
from .messages import NamedModel, Report
from .samples import SampleRule
from .settled_time import SettledTime, least_seconds
from .thumbnails import block_means, thumbnails
from .worker import LoadedTask, Worker, check_device, check_planned


@dataclass(frozen=True)
class CellJob:
    """One cell to do, with what the scores do not depend on."""

    spec: CellSpec
    device: str
    batch_size: int
    gallery: int
    rule: SampleRule
    """Which samples of the dataset the cell's range counts."""

    @property
    def named_model(self) -> NamedModel:
        """The model that the cell needs."""
        return NamedModel(self.spec.model, self.spec.framework, self.device, self.spec.precision, examined=True)

    def result(self, worker: Worker, report: Report) -> CellResult:
        """Do the cell.

        Raises
        ------
        NotApplicable
            If the method has no meaning for the model.
        BadInput
            If the model, the dataset, the method or a metric is not what the cell was planned with.
        """
        spec = self.spec
        method, metrics = method_from(spec.method), [metric_from(metric) for metric in spec.metrics]
        check_planned(method.id, digest(method.identity()), digest(spec.method_identity))
        for metric, identity in zip(metrics, spec.metric_identities, strict=True):
            check_planned(metric.id, digest(metric.identity()), digest(identity))
        task = worker.task(self.named_model, spec.model_weights, spec.dataset, self.rule)
        check_device(task.model, spec.device_class)
        check_planned(f"The dataset {spec.dataset}", task.dataset.revision, spec.dataset_revision)
        refuse_meaningless(method, task.model)
        if method.apart is not None:
            method.apart.ready(task.model)
        cell = _Cell(self, task, method, metrics)
        samples = range(spec.first, spec.last)
        with task.telling(report), MemoryGrowth(task.model) as memory:
            for batch, labels, asked in targeted_batches(
                task.model,
                task.dataset,
                samples,
                spec.target,
                self.batch_size,
                lambda batch: task.logits(batch, samples),
            ):
                cell.add(batch, labels, asked)
            if task.bare_forward_seconds is None:
                task.bare_forward_seconds = _bare_forward_seconds(task.model, asked.x)
        cell.settle_times()
        return cell.result(worker.threads, memory.peak)


@dataclass
class _Cell:
    """Rows, pictures and passes of a cell, as they come in batch by batch, and which metrics have no meaning there."""

    job: CellJob
    task: LoadedTask
    method: Method
    metrics: Sequence[Metric]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    rows: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    explain: PassCount = field(default_factory=PassCount)
    score: PassCount = field(default_factory=PassCount)
    reasons: dict[str, str] = field(default_factory=dict)
    batches: int = 0
    largest: tuple[int, TargetedBatch] | None = None
    """The first of the largest batches with its number; it is explained again where the times have not settled."""

    def __post_init__(self) -> None:
        self.times = SettledTime(self.task.model)

    def settle_times(self) -> None:
        """Give every sample a time without one-time work: that of its batch, or of one that is explained again."""
        if self.largest is not None:
            number, again = self.largest
            # The maps are there already: a method that cannot do it twice costs nothing but its exact time.
            with suppress(Exception):
                self.times.settle(lambda: again.maps(self.method, self.job.spec.seed), number, len(again.target))
        for row in self.rows:
            row["explain_seconds"] = self.times.seconds_per_image(row["explain_seconds"])

    def add(self, batch: Batch, labels: np.ndarray, asked: TargetedBatch) -> None:
        """Explain and score one batch."""
        model, seed, count = self.task.model, self.job.spec.seed, len(asked.target)
        assert asked.logits is not None
        # Where no label is known any class stands in, and what is said of it is not used.
        of_target, of_label = (
            TargetScores.of(asked.logits, one, model.link) for one in (asked.target, np.maximum(labels, 0))
        )
        columns = {
            "label": labels,
            "predicted": asked.logits.argmax(axis=1),
            "target": asked.target,
            "target_logit": of_target.logit,
            "target_probability": of_target.probability,
            "label_log_probability": np.where(labels >= 0, of_label.log_probability, np.nan),
        }
        before = model.passes
        self.batches += 1
        maps = self.times.measured(lambda: asked.maps(self.method, seed), self.batches, count)
        between, clock = model.passes, perf_counter()
        evaluation = asked.scores(
            maps, self.metrics, seed, asked.explainer(self.method, seed), signed=self.method.signed
        )
        self.reasons.update(evaluation.reasons)
        model.synchronise()
        score_seconds = (perf_counter() - clock) / count
        if self.largest is None or count > len(self.largest[1].target):
            self.largest = self.batches, asked
        self.explain += between - before
        self.score += model.passes - between
        shown = self.task.gallery(self.job.gallery)
        pictures = thumbnails(model, batch.x) if any(int(index) in shown for index in batch.indices) else []
        columns |= {score_column(metric.id): evaluation.scores[metric.id] for metric in self.metrics}
        for row in range(count):
            in_gallery = int(batch.indices[row]) in shown
            kept = block_means(maps[row]) if in_gallery else None
            self.rows.append(
                {
                    "sample": batch.ids[row],
                    "index": int(batch.indices[row]),
                    **{name: column[row].item() for name, column in columns.items()},
                    "degenerate": evaluation.degenerate[row],
                    **evaluation.bands[row].columns(),
                    "explain_seconds": self.batches,  # the time of the batch, once it has settled
                    "score_seconds": score_seconds,
                    "map": None if kept is None else kept.ravel().tolist(),
                    "map_shape": None if kept is None else list(kept.shape),
                }
            )
            if in_gallery and pictures:
                self.pictures[batch.ids[row]] = pictures[row]

    def result(self, threads: int | None, peak: int) -> CellResult:
        """Return what came out, with everything that is worth knowing of how."""
        model, dataset = self.task.model, self.task.dataset
        rows = pa.Table.from_pylist(self.rows, schema=rows_schema(self.job.spec.metrics))
        facts, apart = machine_facts(), self.method.apart
        provenance = {
            "versions": versions(),
            **{name: facts[name] for name in ("platform", "python", "cpu", "cores")},
            "threads": threads,
            "device": model.device,
            "started": self.started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "passes_explain": asdict(self.explain),
            "passes_score": asdict(self.score),
            "metrics_not_applicable": dict(sorted(self.reasons.items())),
            "bare_forward_seconds": self.task.bare_forward_seconds,
            "chunks": model.chunks,
            "chunk_choices": {kind: asdict(choice) for kind, choice in model.engine.chunk_choices().items()},
            "peak_memory_bytes": peak,
            "labels_known": labels_fit(dataset, model),
            "skipped": [asdict(file) for file in dataset.skipped],
            "license": dataset.license,
            "class_names": self._names_that_occur(rows),
            "classes": model.num_classes,
            **({} if apart is None else {"isolation": {"level": apart.level}, "costs_verified": False}),
        }
        return CellResult(rows, provenance, self.pictures)

    def _names_that_occur(self, rows: pa.Table) -> dict[str, str]:
        """Return the names of the classes that the samples have, are explained for, or are taken for."""
        model, dataset = self.task.model, self.task.dataset
        names = model.class_names or (dataset.class_names if labels_fit(dataset, model) else ())
        classes = {int(value) for name in ("label", "target", "predicted") for value in rows.column(name).to_pylist()}
        return {str(number): names[number] for number in sorted(classes) if 0 <= number < len(names)}


def _bare_forward_seconds(model: Model, x: Any) -> float:
    """Return the seconds per image of plain outputs at the engine's best chunk, the least of some repeats.

    Measured after a first cell, by when the engine has found its chunk and compiled its graphs.
    """
    size = model.chunks.get("forward", 1)
    full = model.operations.take(x, np.arange(size) % int(x.shape[0]))
    return least_seconds(model, lambda: model.engine.outputs(full)) / size
