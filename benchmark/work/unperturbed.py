"""What a network says about the unchanged samples: asked once per sample, used by every cell of a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...datasets.base import Batch
from ...errors import BadInput
from ...metrics.perturbing.target_scores import TargetScores
from ...models.base import Model


@dataclass(frozen=True)
class Original:
    """One sample's label, top class, target and the scores of target and label; ``label`` is -1 where unknown."""

    label: int
    predicted: int
    target: int
    target_logit: float
    target_probability: float
    label_log_probability: float


class Originals:
    """The originals of one model on one dataset, for one way of choosing the target.

    Only those of the sample range in work are kept, so memory does not grow with the dataset.

    Parameters
    ----------
    target
        ``predicted`` or ``label``.
    labels_fit
        Whether the dataset's class numbers are the model's: where the two have different numbers of classes (one's
        own folders on an ImageNet network), labels count as unknown instead of giving a meaningless accuracy.
    """

    def __init__(self, target: str, labels_fit: bool) -> None:
        self.target = target
        self.labels_fit = labels_fit
        self._range = (0, 0)
        self._logits: dict[int, np.ndarray] = {}

    def of(self, model: Model, batch: Batch, samples: tuple[int, int]) -> tuple[list[Original], np.ndarray]:
        """Return one original per sample of a batch, and the logits (n, classes).

        Parameters
        ----------
        model, batch
            Who is asked, and about what.
        samples
            The first and last index of the range that the batch belongs to.

        Raises
        ------
        BadInput
            If the label is the target and a sample has none.
        """
        if samples != self._range:
            self._range, self._logits = samples, {}
        indices = [int(index) for index in batch.indices]
        if any(index not in self._logits for index in indices):
            self._logits.update(zip(indices, model.outputs(batch.x), strict=True))
        logits = np.stack([self._logits[index] for index in indices])
        labels = batch.y if self.labels_fit else np.full_like(batch.y, -1)
        return _originals(logits, labels, self.target, batch.ids), logits


def _originals(logits: np.ndarray, labels: np.ndarray, target: str, ids: Sequence[str]) -> list[Original]:
    labels = np.where((labels >= 0) & (labels < logits.shape[1]), labels, -1)
    if target == "label" and (labels < 0).any():
        unknown = ids[int(np.flatnonzero(labels < 0)[0])]
        raise BadInput(
            f"The sample {unknown!r} has no label that the model knows, but the target is 'label'. "
            'Use target = "predicted" in the suite, or a dataset with the model\'s classes.'
        )
    predicted = logits.argmax(axis=1)
    targets = labels if target == "label" else predicted
    # Where no label is known any class stands in, and what is said of it is not used.
    of_target, of_label = (TargetScores.of(logits, classes) for classes in (targets, np.maximum(labels, 0)))
    probability = of_target.probability
    return [
        Original(
            label=int(label),
            predicted=int(top),
            target=int(chosen),
            target_logit=float(of_target.logit[row]),
            target_probability=float(probability[row]),
            label_log_probability=float(of_label.log_probability[row]) if label >= 0 else float("nan"),
        )
        for row, (label, top, chosen) in enumerate(zip(labels, predicted, targets, strict=True))
    ]
