"""Computing some scores of a finished cell again: those of single samples by single metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...identity import digest
from ...methods.registry import method_from
from ...metrics.registry import metric_from
from ..store.cell import CellSpec
from .batches import refuse_meaningless, targeted_batches
from .messages import NamedModel, Report
from .samples import SampleRule
from .worker import Worker, check_device, check_planned


@dataclass(frozen=True)
class ScoreAgain:
    """One score: of a sample, by its position in the data, and of a metric, by its canonical text."""

    index: int
    metric: str


@dataclass(frozen=True)
class AgainJob:
    """Some scores of a cell, to be computed by the method that is registered now under the cell's text."""

    spec: CellSpec
    device: str
    rule: SampleRule
    wanted: tuple[ScoreAgain, ...]

    @property
    def named_model(self) -> NamedModel:
        """The model that the cell needs."""
        return NamedModel(self.spec.model, self.spec.framework, self.device, self.spec.precision, examined=True)

    def result(self, worker: Worker, report: Report) -> dict[ScoreAgain, float]:
        """Return the scores.

        Raises
        ------
        NotApplicable
            If the method has no meaning for the model.
        BadInput
            If the model, the dataset or a metric is not what the cell was planned with.
        """
        spec = self.spec
        method = method_from(spec.method)
        identities = dict(zip(spec.metrics, spec.metric_identities, strict=True))
        metrics = {text: metric_from(text) for text in {one.metric for one in self.wanted}}
        for text, metric in metrics.items():
            check_planned(text, digest(metric.identity()), digest(identities[text]))
        task = worker.task(self.named_model, spec.model_weights, spec.dataset, self.rule)
        check_device(task.model, spec.device_class)
        check_planned(f"The dataset {spec.dataset}", task.dataset.revision, spec.dataset_revision)
        refuse_meaningless(method, task.model)
        if method.apart is not None:
            method.apart.ready(task.model)
        found: dict[ScoreAgain, float] = {}
        indices = sorted({one.index for one in self.wanted})
        with task.telling(report):
            # One sample at a time: each has metrics of its own, and no score depends on the batch.
            for batch, _, asked in targeted_batches(task.model, task.dataset, indices, spec.target, 1):
                index = int(batch.indices[0])
                own = [metrics[one.metric] for one in self.wanted if one.index == index]
                maps = asked.maps(method, spec.seed)
                explainer = asked.explainer(method, spec.seed)
                evaluation = asked.scores(maps, own, spec.seed, explainer, signed=method.signed)
                found |= {ScoreAgain(index, one.id): float(np.ravel(evaluation.scores[one.id])[0]) for one in own}
        return found
