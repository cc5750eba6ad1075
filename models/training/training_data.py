"""The samples a small network is trained on: a dataset's own split, or a seeded one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.base import ArrayFormat, Dataset, RawValues
from ...errors import BadInput
from ..architecture.nodes import Shape
from .recipe import Split

# Pictures up to this many pixels a side are taken as they are; larger ones are brought to this size.
_LARGEST_SIDE = 64
_TEST_SHARE = 0.2
_NAMED_FILES = 8

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Arrays for training and testing with what they are."""

    split: Split
    """The arrays."""
    dataset: str
    title: str
    revision: str
    """Where they come from: the name it loads by, its short name, and its revision."""
    class_names: tuple[str, ...]
    """One name per class."""
    values: RawValues
    """What the data says of its raw values."""
    folder: Path | None = None
    """Where the data lies, or None."""
    seen: tuple[str, ...] = ()
    """The ids of the training samples, where they were drawn; empty where the dataset has a split of its own."""

    @property
    def input_shape(self) -> Shape:
        """One sample's canonical shape."""
        return tuple(self.split.train_x.shape[1:])


def training_data(source: str | Dataset, seed: int, size: int | None = None) -> TrainingData:
    """Return a dataset as training and test arrays.

    Parameters
    ----------
    source
        A dataset or its name. One that comes with the splits ``train`` and ``test`` is trained and tested on these;
        of any other, a fifth of every class, drawn by ``seed``, is kept for testing.
    seed
        Of the split.
    size
        The side that pictures are brought to; by default their own up to 64 pixels, else 64.

    Raises
    ------
    BadInput
        If there are fewer than two classes, or a class has fewer than two samples to split.
    """
    from ...datasets.registry import load_dataset

    dataset = load_dataset(source)
    shape = _input_shape(dataset, size)
    parts = _own_split(dataset)
    seen: tuple[str, ...] = ()
    if parts is None:
        x, y, ids = _labelled(dataset, shape)
        test = _drawn(y, seed, dataset)
        split = Split(x[~test], y[~test], x[test], y[test])
        seen = tuple(name for name, held_out in zip(ids, test, strict=True) if not held_out)
    else:
        split = Split(*_labelled(parts[0], shape)[:2], *_labelled(parts[1], shape)[:2])
    _report_left_out(dataset)
    names = tuple(dataset.class_names)
    return TrainingData(
        split, dataset.name, dataset.title, dataset.revision, names, dataset.raw_values, dataset.folder, seen
    )


def _own_split(dataset: Dataset) -> tuple[Dataset, Dataset] | None:
    """Return the training and test part that a dataset comes with, or None."""
    try:
        return dataset.part("train"), dataset.part("test")
    except BadInput:
        return None


def _input_shape(dataset: Dataset, size: int | None) -> Shape:
    """Return the canonical shape that the samples get."""
    *spatial, channels = dataset.first_readable().array.shape
    if size is not None:
        if size < 1:
            raise BadInput(f"The size is the side of pictures in pixels, at least 1; got {size}.")
        return (*(size for _ in spatial), channels)
    if len(spatial) == 2 and max(spatial) > _LARGEST_SIDE:
        return (_LARGEST_SIDE, _LARGEST_SIDE, channels)
    return (*spatial, channels)


def _labelled(dataset: Dataset, shape: Shape) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the labelled samples as float32 (n, *shape) and int64 (n,), with their ids."""
    batch = dataset.take(len(dataset), ArrayFormat(shape))
    known = batch.y >= 0
    if np.unique(batch.y[known]).size < 2:
        raise BadInput(
            f"The dataset {dataset.name} has fewer than two classes to tell apart. "
            "Sort the pictures into one folder per class."
        )
    return batch.x[known], batch.y[known], [name for name, is_known in zip(batch.ids, known, strict=True) if is_known]


def _report_left_out(dataset: Dataset) -> None:
    """Log the files that could not be used, the first ones by name."""
    for file in dataset.skipped[:_NAMED_FILES]:
        _LOGGER.warning("left out %s: %s", file.path, file.reason)
    if len(dataset.skipped) > _NAMED_FILES:
        _LOGGER.warning("... and %d more files", len(dataset.skipped) - _NAMED_FILES)


def _drawn(y: np.ndarray, seed: int, dataset: Dataset) -> np.ndarray:
    """Return which samples are kept for testing, boolean (n,): a fifth of every class, at least one."""
    generator = np.random.default_rng(seed)
    test = np.zeros(len(y), bool)
    for label in np.unique(y):
        rows = generator.permutation(np.flatnonzero(y == label))
        if len(rows) < 2:
            name = dataset.class_names[label]
            raise BadInput(f"The class {name!r} of {dataset.name} has one sample; training and testing take two.")
        test[rows[: max(1, round(_TEST_SHARE * len(rows)))]] = True
    return test
