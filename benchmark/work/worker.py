"""Doing cells of one framework inside one process."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from ...datasets.base import Batch, Dataset
from ...datasets.registry import load_dataset
from ...errors import BadInput, HeatmarkError, NotApplicable
from ...identity import digest
from ...methods.explain import explain_batch
from ...methods.registry import Method, method_from
from ...metrics.planner import Evaluation, evaluate_batch
from ...metrics.registry import Metric, metric_from
from ...models.arrays.tensor_float_32 import without_tensor_float_32
from ...models.base import Model
from ...models.devices import device_name
from ...models.queries import PassCount
from ..setting.environment import machine_facts, versions
from ..setting.explainers import explainer_of
from ..setting.input_shapes import settle_input_shape
from ..setting.peak_memory import PeakMemory
from ..store.cell import CellSpec, rows_schema, score_column
from .messages import Description, Failed, Finished, Job, ModelRequest, NotMeant, Outcome
from .named_models import identity, loaded_model
from .thumbnails import block_means, thumbnails
from .unperturbed import Original, Originals

Report = Callable[[int], None]
"""Told how many images went through the network since it was last told."""


@dataclass
class _LoadedTask:
    """The model, dataset and originals that the cells of a task share."""

    wanted: tuple[ModelRequest, str, str]
    model: Model
    dataset: Dataset
    originals: Originals
    bare_forward_seconds: float | None = None


@dataclass
class _Parts:
    """Rows, pictures and passes of a cell, as they come in batch by batch, and which metrics have no meaning there."""

    rows: list[dict[str, Any]]
    pictures: dict[str, np.ndarray]
    explain: PassCount = field(default_factory=PassCount)
    score: PassCount = field(default_factory=PassCount)
    reasons: dict[str, str] = field(default_factory=dict)


class Worker:
    """Loads models and does cells with them; keeps the last model and dataset.

    Parameters
    ----------
    threads
        The number of threads that the process was bound to, or None where it was left as it is.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self._model: tuple[ModelRequest, Model] | None = None
        self._shape_open = False
        self._task: _LoadedTask | None = None
        self._unusable: dict[ModelRequest, Failed | NotMeant] = {}

    def describe(self, request: ModelRequest) -> Description | Failed | NotMeant:
        """Load a model and return what identifies it, or why that failed."""
        try:
            model = self._loaded_model(request)
            device = device_name(model.framework, model.device)
            return Description(identity(model, request.model), device, not self._shape_open)
        except NotApplicable as error:
            return NotMeant(str(error))
        except Exception as error:
            return failed(error)

    def run(self, job: Job, report: Report) -> Outcome:
        """Do one cell; whatever goes wrong inside becomes a failure with its traceback."""
        if job.request in self._unusable:
            return self._unusable[job.request]
        try:
            with without_tensor_float_32(job.spec.framework):  # float32 means float32, whoever's process this is
                return self._run(job, report)
        except NotApplicable as error:
            return NotMeant(str(error))
        except Exception as error:
            return failed(error)

    def _run(self, job: Job, report: Report) -> Outcome:
        spec = job.spec
        method = method_from(spec.method)
        metrics = [metric_from(metric) for metric in spec.metrics]
        _check_identities(spec, method, metrics)
        task = self._loaded_task(job)
        reason = method.why_not(task.model)
        if reason is not None:
            return NotMeant(reason)
        started = datetime.now(UTC)
        parts = _Parts([], {})
        task.model.engine.on_rows = report
        try:
            with PeakMemory(task.model) as memory:
                indices = range(spec.first, spec.last)
                for batch in task.dataset.batches(job.batch_size, task.model, indices):
                    _add_batch(parts, job, task, method, metrics, batch)
            if task.bare_forward_seconds is None:
                task.bare_forward_seconds = _bare_forward_seconds(task.model, batch.x)
        finally:
            task.model.engine.on_rows = None
        rows = pa.Table.from_pylist(parts.rows, schema=rows_schema(spec.metrics))
        provenance = self._provenance(task, started, parts, memory.bytes)
        provenance["class_names"] = _names_that_occur(task, rows)
        return Finished(rows, provenance, parts.pictures)

    def _loaded_model(self, request: ModelRequest) -> Model:
        if self._model is None or self._model[0] != request:
            self._model = self._task = None
            gc.collect()  # models and their engines know each other: only now is the old one's memory free
            try:
                model = loaded_model(request)
            except Exception as error:
                # Its other cells would fail in the same way, perhaps after another long wait for a download.
                self._unusable[request] = NotMeant(str(error)) if isinstance(error, NotApplicable) else failed(error)
                raise
            self._model, self._shape_open = (request, model), not model.knows_shape
        return self._model[1]

    def _loaded_task(self, job: Job) -> _LoadedTask:
        spec, kept = job.spec, self._task
        wanted = (job.request, spec.dataset, spec.target)
        if kept is not None and kept.wanted == wanted:
            return kept
        model = self._loaded_model(job.request)
        if identity(model, spec.model) != spec.model_weights:
            raise BadInput(f"The weights of {spec.model} changed while the run was going on. Start the run again.")
        dataset = load_dataset(spec.dataset)
        if dataset.revision != spec.dataset_revision:
            raise BadInput(f"The dataset {spec.dataset} changed while the run was going on. Start the run again.")
        if self._shape_open:
            settle_input_shape(model, dataset.first_readable(), dataset.framing)
        labels_fit = len(dataset.class_names) == model.num_classes
        self._task = _LoadedTask(wanted, model, dataset, Originals(spec.target, labels_fit))
        return self._task

    def _provenance(self, task: _LoadedTask, started: datetime, parts: _Parts, peak: int) -> dict[str, Any]:
        model, dataset = task.model, task.dataset
        facts = machine_facts()
        return {
            "versions": versions(),
            "platform": facts["platform"],
            "python": facts["python"],
            "cpu": facts["cpu"],
            "cores": facts["cores"],
            "threads": self._threads,
            "device": model.device,
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "passes_explain": asdict(parts.explain),
            "passes_score": asdict(parts.score),
            "metrics_not_applicable": dict(sorted(parts.reasons.items())),
            "bare_forward_seconds": task.bare_forward_seconds,
            "chunks": model.chunks,
            "peak_memory_bytes": peak,
            "labels_known": task.originals.labels_fit,
            "skipped": [asdict(file) for file in dataset.skipped],
            "license": dataset.license,
        }


def failed(error: BaseException) -> Failed:
    """Return the record of an exception."""
    text = "".join(traceback.format_exception(error))
    known = isinstance(error, HeatmarkError)
    return Failed(str(error) if known else f"{type(error).__name__}: {error}", text, known)


def _check_identities(spec: CellSpec, method: Method, metrics: Sequence[Metric]) -> None:
    """Refuse to store numbers of one definition under the key of another."""
    here = [method.identity(), *(metric.identity() for metric in metrics)]
    planned = [spec.method_identity, *spec.metric_identities]
    for name, found, wanted in zip((spec.method, *spec.metrics), here, planned, strict=True):
        if digest(found) != digest(wanted):
            raise BadInput(f"{name} is another version here than where the run was planned. Start the run again.")


def _add_batch(
    parts: _Parts, job: Job, task: _LoadedTask, method: Method, metrics: Sequence[Metric], batch: Batch
) -> None:
    """Explain and score one batch."""
    model, spec = task.model, job.spec
    originals, logits = task.originals.of(model, batch, (spec.first, spec.last))
    target = np.array([original.target for original in originals], dtype=np.int64)
    model.synchronise()
    before, clock = model.passes, perf_counter()
    maps = explain_batch(model, method, batch.x, target, seed=spec.seed, ground_truth=batch.masks)
    model.synchronise()
    between, explained = model.passes, perf_counter()
    evaluation = evaluate_batch(
        model,
        batch.x,
        maps,
        target,
        metrics,
        seed=spec.seed,
        logits=logits,
        masks=batch.masks,
        explainer=explainer_of(method, spec.seed, batch.masks),
    )
    parts.reasons.update(evaluation.reasons)
    model.synchronise()
    seconds = ((explained - clock) / len(target), (perf_counter() - explained) / len(target))
    parts.explain += between - before
    parts.score += model.passes - between
    in_gallery = [int(index) < job.gallery for index in batch.indices]
    for row, original in enumerate(originals):
        kept = maps[row] if in_gallery[row] else None
        parts.rows.append(_row(row, batch, original, evaluation, metrics, seconds, kept))
    if any(in_gallery):
        for row, picture in enumerate(thumbnails(model, batch.x)):
            if in_gallery[row]:
                parts.pictures[batch.ids[row]] = picture


def _row(
    row: int,
    batch: Batch,
    original: Original,
    evaluation: Evaluation,
    metrics: Sequence[Metric],
    seconds: tuple[float, float],
    heatmap: np.ndarray | None,
) -> dict[str, Any]:
    """Return one sample's row."""
    small = None if heatmap is None else block_means(heatmap)
    return {
        "sample": batch.ids[row],
        "index": int(batch.indices[row]),
        **asdict(original),
        "degenerate": evaluation.degenerate[row],
        **{score_column(metric.id): float(evaluation.scores[metric.id][row]) for metric in metrics},
        **evaluation.bands[row].columns(),
        "explain_seconds": seconds[0],
        "score_seconds": seconds[1],
        "map": None if small is None else small.ravel().tolist(),
        "map_shape": None if small is None else list(small.shape),
    }


def _names_that_occur(task: _LoadedTask, rows: pa.Table) -> dict[str, str]:
    """Return the names of the classes that a cell's samples have, are explained for, or are taken for."""
    names = task.model.class_names or (task.dataset.class_names if task.originals.labels_fit else ())
    classes = {int(value) for name in ("label", "target", "predicted") for value in rows.column(name).to_pylist()}
    return {str(number): names[number] for number in sorted(classes) if 0 <= number < len(names)}


def _bare_forward_seconds(model: Model, x: Any, repeats: int = 3) -> float:
    """Return the seconds per image of plain outputs at the engine's best chunk, the least of some repeats.

    Measured after a first cell, by when the engine has found its chunk and compiled its graphs.
    """
    size = model.chunks.get("forward", 1)
    full = model.operations.take(x, np.arange(size) % int(x.shape[0]))
    times = []
    for _ in range(repeats):
        model.synchronise()
        clock = perf_counter()
        model.engine.outputs(full)
        model.synchronise()
        times.append(perf_counter() - clock)
    return min(times) / size
