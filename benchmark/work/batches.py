"""From samples to scores, the same way for all: batches, their logits, the classes that are explained, maps, scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ...datasets.base import Batch, Dataset, RawValues
from ...errors import BadInput, NotApplicable, error_in_words
from ...methods.explain import explain_batch
from ...methods.registry import Method
from ...metrics.planner import Evaluation, evaluate_batch
from ...metrics.registry import Metric
from ...metrics.scoring import Explainer
from ...models.arrays.operations import Tensor
from ...models.base import Model

BATCH_SIZE = 8
"""Samples that are explained and scored at a time where nobody says otherwise; no score depends on it."""

#: The class that is explained: the model's top class, the dataset's own, or the latter where the model knows it.
Target = Literal["predicted", "label", "label where known"]

UNKNOWN = -1
"""Stands for the label of a sample that has none that the model knows."""


def labels_fit(dataset: Dataset, model: Model) -> bool:
    """Return whether a dataset's class numbers are the model's.

    Where the two have different numbers of classes (one's own folders on an ImageNet network), labels count as unknown
    instead of giving a meaningless accuracy.
    """
    return len(dataset.class_names) == model.num_classes


def known_labels(labels: np.ndarray, classes: int, fit: bool) -> np.ndarray:
    """Return labels (n,), `UNKNOWN` where they do not ``fit`` the model or are none of its classes."""
    known: np.ndarray = np.where(fit & (labels >= 0) & (labels < classes), labels, UNKNOWN).astype(np.int64)
    return known


def chosen_targets(logits: np.ndarray, labels: np.ndarray, target: str, ids: Sequence[str]) -> np.ndarray:
    """Return the class to explain of each sample, int64 (n,).

    Parameters
    ----------
    logits
        (n, classes).
    labels
        From `known_labels`.
    target
        One of `Target`.
    ids
        What the samples are called in messages.

    Raises
    ------
    BadInput
        If the label is the target and a sample has none.
    """
    predicted: np.ndarray = logits.argmax(axis=1).astype(np.int64)
    if target == "predicted":
        return predicted
    if target == "label" and (labels == UNKNOWN).any():
        raise BadInput(
            f"The sample {ids[int(np.flatnonzero(labels == UNKNOWN)[0])]!r} has no label that the model knows, but the "
            "target is 'label'. Use target = \"predicted\" in the suite, or a dataset with the model's classes."
        )
    return np.where(labels == UNKNOWN, predicted, labels)


def refuse_meaningless(method: Method, model: Model) -> None:
    """Raise NotApplicable, with the bare reason, where a method has no meaning for a model."""
    if (reason := method.why_not(model)) is not None:
        raise NotApplicable(reason)


@dataclass(frozen=True, eq=False)
class ScoredApart:
    """Scores of metrics of which one may fail without costing the others."""

    scores: dict[str, np.ndarray] = field(default_factory=dict)
    """Metric id to float64 (n,)."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Metric id to why it has no meaning here; its scores are NaN."""
    errors: dict[str, str] = field(default_factory=dict)
    """Metric id to the error that it ended with; it has no scores."""


@dataclass(frozen=True, eq=False)
class TargetedBatch:
    """Samples on the device with the class that is explained of each."""

    model: Model
    """Who is explained."""
    x: Tensor
    """(n, *input_shape), raw domain."""
    target: np.ndarray
    """Int64 (n,)."""
    logits: np.ndarray | None = None
    """(n, classes) for ``x``, or None where they are not known yet."""
    masks: np.ndarray | None = None
    """Boolean ground truth (n, *spatial), where there is any."""
    values: RawValues | None = None
    """What the dataset says of its raw values, where the samples are one's."""

    def parts(self, size: int) -> Iterator[TargetedBatch]:
        """Yield the samples in batches of at most ``size``."""
        for first in range(0, len(self.target), size):
            rows = slice(first, first + size)
            yield replace(
                self,
                x=self.x[rows],
                target=self.target[rows],
                logits=None if self.logits is None else self.logits[rows],
                masks=None if self.masks is None else self.masks[rows],
            )

    def explainer(self, method: Method, seed: int) -> Explainer:
        """Return what explains other inputs, classes or models as `maps` explains these."""

        def explain(model: Model, x: Tensor, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
            truth = None if self.masks is None else self.masks[rows]
            return explain_batch(model, method, x, target, seed, ground_truth=truth, values=self.values)

        return explain

    def maps(self, method: Method, seed: int) -> np.ndarray:
        """Return the method's maps, float32 (n, *spatial).

        Raises
        ------
        NotApplicable
            If the method has no meaning for the model or the data.
        """
        return explain_batch(self.model, method, self.x, self.target, seed, ground_truth=self.masks, values=self.values)

    def scores(
        self,
        maps: np.ndarray,
        metrics: Sequence[Metric],
        seed: int,
        explainer: Explainer,
        *,
        signed: bool | None = None,
    ) -> Evaluation:
        """Score maps (n, *spatial) that ``explainer`` made, with all metrics together; see `evaluate_batch`."""
        return evaluate_batch(
            self.model,
            self.x,
            maps,
            self.target,
            metrics,
            seed,
            self.logits,
            masks=self.masks,
            explainer=explainer,
            signed=signed,
            values=self.values,
        )

    def scores_apart(self, maps: np.ndarray, metrics: Sequence[Metric], seed: int, explainer: Explainer) -> ScoredApart:
        """Score as `scores` does or, where a metric raises, with each metric by itself."""
        if not metrics:
            return ScoredApart()
        try:
            found = self.scores(maps, metrics, seed, explainer)
        except Exception as error:
            if len(metrics) == 1:
                return ScoredApart(errors={metrics[0].id: error_in_words(error)})
            alone = [self.scores_apart(maps, [metric], seed, explainer) for metric in metrics]
            return ScoredApart(
                {name: one for part in alone for name, one in part.scores.items()},
                {name: why for part in alone for name, why in part.reasons.items()},
                {name: why for part in alone for name, why in part.errors.items()},
            )
        return ScoredApart(found.scores, found.reasons)


def targeted_batches(
    model: Model,
    dataset: Dataset,
    indices: Iterable[int],
    target: str,
    size: int = BATCH_SIZE,
    logits_of: Callable[[Batch], np.ndarray] | None = None,
) -> Iterator[tuple[Batch, np.ndarray, TargetedBatch]]:
    """Stream samples of a dataset in batches, with their labels as the model knows them, and ready to be explained.

    Parameters
    ----------
    model, dataset, indices
        Who is asked, about which positions of what.
    target
        One of `Target`.
    size
        Samples per batch.
    logits_of
        What the model says of a batch, where that may be known already.

    Raises
    ------
    BadInput
        As `Dataset.batches`, and if the label is the target and a sample has none.
    """
    fit = labels_fit(dataset, model)
    for batch in dataset.batches(size, model, indices):
        logits = model.outputs(batch.x) if logits_of is None else logits_of(batch)
        labels = known_labels(batch.y, logits.shape[1], fit)
        chosen = chosen_targets(logits, labels, target, batch.ids)
        yield batch, labels, TargetedBatch(model, batch.x, chosen, logits, batch.masks, dataset.raw_values)
