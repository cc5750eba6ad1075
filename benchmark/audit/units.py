"""What an audit measures: every metric's values of one method's maps on some samples, as they are and disturbed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from ...datasets.base import Batch, Dataset
from ...errors import HeatmarkError
from ...identity import digest
from ...methods.registry import Method
from ...metrics.planner import Evaluation, evaluate_batch
from ...metrics.registry import Metric
from ...models.base import Model
from ..setting.explainers import explainer_of
from .noise import DISRUPTIVE, SMALL, blended, noise_for, with_noise

BATCH = 8
"""Samples that are explained and scored at a time."""

SCHEMA = 1
"""Raised whenever the meaning of a stored value changes."""

#: ``plain``: the map, the metric's first seed. ``retest``: the same map, another seed of the metric. ``small``,
#: ``disruptive``: the map with a share of noise.
Way = Literal["plain", "retest", "small", "disruptive"]
WAYS: tuple[Way, ...] = ("plain", "retest", "small", "disruptive")

Evaluate = Callable[[Sequence[Metric]], Evaluation]

#: ``method``: a method proper; ``control``: a floor; ``oracle``: the ground truth itself.
Role = Literal["method", "control", "oracle"]

_SAME = 1e-4
"""Values that differ by less than this share of the largest one are the same for two seeds."""


@dataclass(frozen=True)
class Entry:
    """A method with its role in the audit."""

    method: Method
    role: Role

    @property
    def ways(self) -> tuple[Way, ...]:
        """In which ways its maps are scored: controls, which are as bad as noise, only as they are."""
        return WAYS[:1] if self.role == "control" else WAYS


@dataclass(frozen=True)
class UnitSpec:
    """Everything that the values of one entry on one task depend on, but for the metrics.

    Attributes
    ----------
    model, model_weights, dataset, dataset_revision
        The task; the revision is that of the samples audited.
    method, method_identity, role
        The entry.
    framework, device_class, seed
        As in a run's cell.
    noise
        The two shares of noise.
    """

    model: str
    model_weights: str
    dataset: str
    dataset_revision: str
    method: str
    method_identity: Mapping[str, Any] = field(repr=False)
    role: Role
    framework: str
    device_class: str
    seed: int
    noise: tuple[float, float] = (SMALL, DISRUPTIVE)
    schema: int = SCHEMA

    @property
    def key(self) -> str:
        """The SHA-256 of the canonical JSON of all fields."""
        return digest(self)


@dataclass(frozen=True, eq=False)
class UnitValues:
    """The values of one entry on one task.

    Attributes
    ----------
    samples
        The ids of the samples.
    right
        Boolean (samples,): whether the network predicts the explained class.
    values
        Metric key (`metric_key`) to float64 (ways of the entry, samples); NaN where the definition gives none.
    reasons
        Metric key to why it is not applicable; it has no values then.
    failures
        Metric id to the error that it ended with; it has no values either.
    """

    samples: tuple[str, ...]
    right: np.ndarray
    values: Mapping[str, np.ndarray]
    reasons: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether a metric was evaluated, or found to have no meaning."""
        return key in self.values or key in self.reasons

    def joined(self, other: UnitValues) -> UnitValues:
        """Return the metrics of both; those of ``other`` win."""
        return UnitValues(
            other.samples,
            other.right,
            {**self.values, **other.values},
            {**self.reasons, **other.reasons},
            other.failures,
        )


def metric_key(metric: Metric) -> str:
    """Return the digest of everything that a metric's numbers depend on: an audit belongs to this, not to a name."""
    return digest(metric.identity())


def measured_unit(
    model: Model,
    dataset: Dataset,
    samples: Sequence[int],
    entry: Entry,
    metrics: Sequence[Metric],
    seed: int,
    report: Callable[[int], None],
) -> UnitValues:
    """Score the maps of one entry in all its ways, batch by batch.

    The explained class is the label, whose evidence is what a mask marks; the predicted one where no label fits.

    Parameters
    ----------
    model, dataset, samples
        The task: positions in the dataset.
    entry
        Whose maps are scored.
    metrics
        What with. One that raises is left out of what follows, and its error kept.
    seed
        Of maps, noise and metrics; metrics are tested again with the next one.
    report
        Told how many (sample, way) pairs were done since it was last told.

    Raises
    ------
    NotApplicable
        If the entry has no meaning for the model.
    """
    work = _Unit(model, entry, list(metrics), seed)
    ids: list[str] = []
    right: list[np.ndarray] = []
    for batch in dataset.batches(BATCH, model, samples):
        logits = model.outputs(batch.x)
        predicted = logits.argmax(axis=1)
        known = (len(dataset.class_names) == model.num_classes) & (batch.y >= 0) & (batch.y < logits.shape[1])
        target = np.where(known, batch.y, predicted).astype(np.int64)
        work.add(batch, target, logits, report)
        ids += batch.ids
        right.append(predicted == target)
    values = {
        metric_key(metric): np.concatenate(parts, axis=1)
        for metric in metrics
        if metric.id not in work.failures and metric.id not in work.reasons and (parts := work.parts[metric.id])
    }
    reasons = {metric_key(metric): work.reasons[metric.id] for metric in metrics if metric.id in work.reasons}
    return UnitValues(tuple(ids), np.concatenate(right), values, reasons, dict(work.failures))


class _Unit:
    """Gathers the values of one entry as batches come in."""

    def __init__(self, model: Model, entry: Entry, metrics: list[Metric], seed: int) -> None:
        self._model, self._entry, self._metrics, self._seed = model, entry, metrics, seed
        self._seedless: set[str] | None = None
        self.parts: dict[str, list[np.ndarray]] = {metric.id: [] for metric in metrics}
        self.reasons: dict[str, str] = {}
        self.failures: dict[str, str] = {}

    def add(self, batch: Batch, target: np.ndarray, logits: np.ndarray, report: Callable[[int], None]) -> None:
        """Score one batch in all ways."""
        explain = explainer_of(self._entry.method, self._seed, batch.masks)
        maps = explain(self._model, batch.x, target, np.arange(len(target)))
        name = self._entry.method.id
        noise = noise_for(self._model, batch.x, self._seed, name) if len(self._entry.ways) > 1 else None
        found: dict[Way, dict[str, np.ndarray]] = {}
        for way in self._entry.ways:
            shown, explainer, seed, metrics = maps, explain, self._seed, self._left()
            if way == "retest":
                # What two seeds agree on in the first batch has no random numbers, and need not be asked again.
                seed, metrics = self._seed + 1, [m for m in metrics if m.id not in (self._seedless or ())]
            elif way != "plain" and noise is not None:
                share = SMALL if way == "small" else DISRUPTIVE
                shown, explainer = blended(maps, noise, share), with_noise(explain, share, self._seed, name)
            given: dict[str, Any] = {"seed": seed, "logits": logits, "masks": batch.masks, "explainer": explainer}
            found[way] = self._scored(metrics, partial(evaluate_batch, self._model, batch.x, shown, target, **given))
            if way == "retest":
                found[way] = {**found["plain"], **found[way]}
            report(len(target))
        if "retest" in found and self._seedless is None:
            self._seedless = {name for name, one in found["plain"].items() if same(one, found["retest"][name])}
        for metric in self._left():
            self.parts[metric.id].append(np.stack([found[way][metric.id] for way in self._entry.ways]))

    def _left(self) -> list[Metric]:
        return [m for m in self._metrics if m.id not in self.reasons and m.id not in self.failures]

    def _scored(self, metrics: Sequence[Metric], evaluated: Evaluate) -> dict[str, np.ndarray]:
        """Return the values of all metrics together or, where one raises, of each by itself."""
        if not metrics:
            return {}
        try:
            evaluation = evaluated(metrics)
        except Exception as error:
            if len(metrics) == 1:
                known = isinstance(error, HeatmarkError)
                self.failures[metrics[0].id] = str(error) if known else f"{type(error).__name__}: {error}"
                return {}
            return {name: one for metric in metrics for name, one in self._scored([metric], evaluated).items()}
        self.reasons.update(evaluation.reasons)
        return evaluation.scores


def same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two seeds gave the same values, but for rounding."""
    scale = float(np.abs(first[np.isfinite(first)]).max(initial=0.0))
    return bool(np.allclose(first, second, rtol=0, atol=_SAME * scale, equal_nan=True))
