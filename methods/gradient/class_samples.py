"""The samples, of one class or any, in a dataset that a method's parameter names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from ...datasets.base import Dataset, UnreadableSample
from ...datasets.choosing import Choice
from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.queries import BATCH


def samples_of_class(model: Model, dataset: Dataset, target: int, most: int) -> Iterator[Tensor]:
    """Yield a class's samples in batches (m, *input_shape) on the device: the first ``most`` in the dataset's order.

    A sample belongs to the class of its label where the dataset has as many classes as the network, and to the class
    that the network predicts where it has others, or none.

    Raises
    ------
    NotApplicable
        If no sample belongs to the class.
    """
    fits = len(dataset.class_names) == model.num_classes
    members = (_labelled if fits else _predicted)(model, dataset, target)
    indices = list(islice(members, most))
    if not indices:
        known = model.class_names or (dataset.class_names if fits else ())
        name = f"class {target} ({known[target]})" if known else f"class {target}"
        of = "no sample of" if fits else "no sample that the network takes for"
        raise NotApplicable(f"The dataset {dataset.title} has {of} {name}. Name one that has some with data=...")
    for batch in dataset.batches(BATCH, model, indices):
        yield batch.x


def samples_of_any_class(model: Model, dataset: Dataset, most: int) -> Iterator[Tensor]:
    """Yield ``most`` samples of a dataset, spread over its classes (see `Choice`); as `samples_of_class`."""
    for batch in dataset.batches(BATCH, model, Choice(most).positions(dataset)):
        yield batch.x


def _labelled(model: Model, dataset: Dataset, target: int) -> Iterator[int]:
    """Yield the positions of the samples with a label."""
    for index in range(len(dataset)):
        try:
            label = dataset.label(index)
        except UnreadableSample as error:
            dataset.note_skipped(error.path, error.reason)
            continue
        if label == target:
            yield index


def _predicted(model: Model, dataset: Dataset, target: int) -> Iterator[int]:
    """Yield the positions of the samples that the network gives a class."""
    for batch in dataset.batches(BATCH, model):
        predicted = model.outputs(batch.x).argmax(axis=1)
        yield from (int(index) for index in batch.indices[np.flatnonzero(predicted == target)])
