"""The samples that a network is examined with."""

from __future__ import annotations

from ...datasets.base import Dataset
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ..setting.input_shapes import settle_input_shape

ROWS = 2
"""So many inputs are asked about, however many there are."""


def samples(model: Model, dataset: Dataset) -> tuple[Tensor, str]:
    """Return samples to examine a model with, and what they are in words; apart, since folders are sorted by class.

    A network that does not say which inputs it takes gets those of the data.
    """
    if not model.knows_shape:
        settle_input_shape(model, dataset.first_readable(), dataset.framing)
    apart = list(dict.fromkeys(number * len(dataset) // ROWS for number in range(ROWS)))
    batch = next(dataset.batches(ROWS, model, apart))
    return batch.x, f"{len(batch)} sample{'' if len(batch) == 1 else 's'} of {dataset.title}"
