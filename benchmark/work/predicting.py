"""What a network says of every sample of a dataset, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...datasets.base import Dataset
from ...datasets.choosing import Choice
from ...metrics.perturbing.target_scores import TargetScores
from ...models.base import Model
from ...models.reading.outputs import probabilities_of
from .batches import UNKNOWN, known_labels, labels_fit
from .explaining import channels_last


@dataclass(frozen=True)
class Answer:
    """A network's answer to one sample."""

    sample: str
    """Its id."""
    label: int
    """Its class as the network numbers them, or -1 where that is unknown."""
    classes: tuple[int, ...]
    probabilities: tuple[float, ...]
    """The likeliest classes with their probabilities, the likeliest first."""
    loss: float
    """The cross-entropy of the label, in nats; NaN where there is none."""
    picture: np.ndarray | None = None
    """The input, channels last, of the samples that are to be drawn."""

    @property
    def predicted(self) -> int:
        """The likeliest class."""
        return self.classes[0]

    @property
    def right(self) -> bool | None:
        """Whether the likeliest class is the label; None where there is none."""
        return None if self.label == UNKNOWN else self.predicted == self.label


def answers(model: Model, dataset: Dataset, top: int, pictures: int, size: int) -> Iterator[Answer]:
    """Yield the network's answer to every readable sample, in the dataset's order.

    Parameters
    ----------
    top
        So many of the likeliest classes.
    pictures
        Of so many samples, spread over the classes, the input is kept.
    size
        Samples a batch.

    Raises
    ------
    BadInput
        If the dataset does not fit the model, or no sample can be read.
    """
    fit = labels_fit(dataset, model)
    shown = frozenset(Choice(pictures).positions(dataset)) if pictures else frozenset()
    for batch in dataset.batches(size, model):
        logits = np.asarray(model.outputs(batch.x), dtype=np.float64)
        labels = known_labels(batch.y, logits.shape[1], fit)
        losses = -TargetScores.of(logits, np.maximum(labels, 0), model.link).log_probability
        probabilities = probabilities_of(logits, model.link)
        order = np.argsort(-logits, axis=1, kind="stable")[:, :top]
        kept = channels_last(model, batch.x) if shown.intersection(batch.indices.tolist()) else None
        for row, name in enumerate(batch.ids):
            yield Answer(
                name,
                int(labels[row]),
                tuple(order[row].tolist()),
                tuple(probabilities[row, order[row]].tolist()),
                float(losses[row]) if labels[row] != UNKNOWN else float("nan"),
                kept[row] if kept is not None and int(batch.indices[row]) in shown else None,
            )
