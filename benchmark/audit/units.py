"""What an audit measures: every metric's values of one method's maps on some samples, as they are and disturbed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ...identity import digest
from ...methods.registry import Method, method_from
from ...metrics.registry import Metric, metric_from
from ..store.cell import KeyedSpec
from ..work.batches import TargetedBatch, refuse_meaningless, targeted_batches
from ..work.messages import NamedModel, Report
from ..work.samples import SampleRule
from ..work.worker import Worker, check_device, check_planned
from .noise import DISRUPTIVE, SMALL, blended, noise_for, with_noise

SCHEMA = 1
"""Raised whenever the meaning of a stored value changes."""

#: ``plain``: the map, the metric's first seed. ``retest``: the same map, another seed of the metric. ``small``,
#: ``disruptive``: the map with a share of noise.
Way = Literal["plain", "retest", "small", "disruptive"]
WAYS: tuple[Way, ...] = ("plain", "retest", "small", "disruptive")

#: ``method``: a method proper; ``control``: a floor; ``oracle``: the ground truth itself.
Role = Literal["method", "control", "oracle"]

_SAME = 1e-4
"""Values that differ by less than this share of the largest one are the same for two seeds."""


@dataclass(frozen=True)
class AuditedMethod:
    """A method with its role in the audit."""

    method: Method
    role: Role

    @property
    def ways(self) -> tuple[Way, ...]:
        """In which ways its maps are scored: controls, which are as bad as noise, only as they are."""
        return WAYS[:1] if self.role == "control" else WAYS


@dataclass(frozen=True, kw_only=True)
class UnitSpec(KeyedSpec):
    """What the values of one method on one task depend on but for the metrics; the revision is the audited samples'."""

    role: Role
    """The method's."""
    noise: tuple[float, float] = (SMALL, DISRUPTIVE)
    """The two shares of noise."""
    schema: int = SCHEMA


@dataclass(frozen=True, eq=False)
class UnitValues:
    """The values of one method on one task."""

    samples: tuple[str, ...]
    """The ids of the samples."""
    right: np.ndarray
    """Boolean (samples,): whether the network predicts the explained class."""
    values: Mapping[str, np.ndarray]
    """Metric key (`metric_key`) to float64 (ways of the method, samples); NaN where the definition gives none."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Metric key to why it is not applicable; it has no values then."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Metric key to its canonical text, for people who look inside."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Metric id to the error that it ended with; it has no values either."""

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
            {**self.names, **other.names},
            other.failures,
        )


def metric_key(metric: Metric) -> str:
    """Return the digest of everything that a metric's numbers depend on: an audit belongs to this, not to a name."""
    return digest(metric.identity())


@dataclass(frozen=True)
class UnitJob:
    """The maps of one method on one task, to be scored in all their ways."""

    spec: UnitSpec
    """What the values depend on."""
    device: str
    """As `load_model` takes it."""
    rule: SampleRule
    """Which samples of the dataset are taken."""
    metrics: tuple[str, ...]
    """What to score with. One that raises is left out of what follows, and its error kept."""

    @property
    def named_model(self) -> NamedModel:
        """The model that is explained."""
        return NamedModel(self.spec.model, self.spec.framework, self.device)

    def result(self, worker: Worker, report: Report) -> UnitValues:
        """Score the maps batch by batch.

        The explained class is the label, whose evidence is what a mask marks; the predicted one where no label fits.

        Raises
        ------
        NotApplicable
            If the method has no meaning for the model.
        BadInput
            If the model, the dataset or the method is not what the unit was planned with.
        """
        spec = self.spec
        method, metrics = method_from(spec.method), [metric_from(name) for name in self.metrics]
        check_planned(method.id, digest(method.identity()), digest(spec.method_identity))
        task = worker.task(self.named_model, spec.model_weights, spec.dataset, self.rule)
        check_device(task.model, spec.device_class)
        samples = range(len(task.dataset))
        check_planned(f"The dataset {spec.dataset}", task.dataset.revision_of(samples), spec.dataset_revision)
        refuse_meaningless(method, task.model)
        unit = _Unit(AuditedMethod(method, spec.role), metrics, spec.seed)
        with task.telling(report):
            for batch, _, asked in targeted_batches(
                task.model,
                task.dataset,
                samples,
                "label where known",
                logits_of=lambda batch: task.logits(batch, samples),
            ):
                unit.add(batch.ids, asked)
        return unit.values()


class _Unit:
    """Gathers the values of one method as batches come in."""

    def __init__(self, audited: AuditedMethod, metrics: Sequence[Metric], seed: int) -> None:
        self._audited, self._metrics, self._seed = audited, metrics, seed
        self._ids: list[str] = []
        self._right: list[np.ndarray] = []
        self._parts: dict[str, list[np.ndarray]] = {metric.id: [] for metric in metrics}
        self._reasons: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        self._seedless: set[str] | None = None

    def add(self, ids: Sequence[str], asked: TargetedBatch) -> None:
        """Score one batch in all ways."""
        method, ways = self._audited.method, self._audited.ways
        maps, explain = asked.maps(method, self._seed), asked.explainer(method, self._seed)
        noise = noise_for(asked.model, asked.x, self._seed, method.id) if len(ways) > 1 else None
        found: dict[Way, dict[str, np.ndarray]] = {}
        for way in ways:
            shown, explainer, seed, metrics = maps, explain, self._seed, self._left()
            if way == "retest":
                # What two seeds agree on in the first batch has no random numbers, and need not be asked again.
                seed, metrics = self._seed + 1, [m for m in metrics if m.id not in (self._seedless or ())]
            elif way != "plain" and noise is not None:
                share = SMALL if way == "small" else DISRUPTIVE
                shown, explainer = blended(maps, noise, share), with_noise(explain, share, self._seed, method.id)
            scored = asked.scores_apart(shown, metrics, seed, explainer)
            self._reasons |= scored.reasons
            self._failures |= scored.errors
            found[way] = {**found["plain"], **scored.scores} if way == "retest" else scored.scores
        if "retest" in found and self._seedless is None:
            self._seedless = {name for name, one in found["plain"].items() if same(one, found["retest"][name])}
        for metric in self._left():
            self._parts[metric.id].append(np.stack([found[way][metric.id] for way in ways]))
        self._ids += ids
        assert asked.logits is not None
        self._right.append(asked.logits.argmax(axis=1) == asked.target)

    def values(self) -> UnitValues:
        """Return what was gathered."""
        keys = {metric.id: metric_key(metric) for metric in self._metrics}
        values = {
            keys[metric.id]: np.concatenate(parts, axis=1)
            for metric in self._left()
            if (parts := self._parts[metric.id])
        }
        reasons = {keys[name]: reason for name, reason in self._reasons.items()}
        names = {key: name for name, key in keys.items() if key in values or key in reasons}
        return UnitValues(tuple(self._ids), np.concatenate(self._right), values, reasons, names, self._failures)

    def _left(self) -> list[Metric]:
        return [m for m in self._metrics if m.id not in self._reasons and m.id not in self._failures]


def same(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two seeds gave the same values, but for rounding."""
    scale = float(np.abs(first[np.isfinite(first)]).max(initial=0.0))
    return bool(np.allclose(first, second, rtol=0, atol=_SAME * scale, equal_nan=True))
