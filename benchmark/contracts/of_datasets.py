"""The contract of a dataset: samples that are the same each time they are read, of one shape, in their domain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...datasets.base import ArrayFormat, Dataset
from ...datasets.registry import load_dataset
from ...errors import NotApplicable
from ...models.checking.finding import Finding
from .report import Notice, asked

LOADS = "it loads, with samples"
VALUES = "samples are float32 in the domain"
REPEATS = "a sample is the same each time, in any order"
IDS = "ids are unique texts"
LABELS = "labels are classes that have names"
MASKS = "masks fit their samples"
REVISION = "the revision is the same each time it is loaded"
BATCHES = "batches can be read"
READ = 24
"""So many samples, spread over all, are read."""


def dataset_findings(name: str, notice: Notice) -> Iterator[Finding]:
    """Yield what is found of a dataset."""
    notice(name)
    loaded: list[Dataset] = []
    yield from asked(LOADS, lambda: _loads(name, loaded))
    if not loaded:
        return
    dataset = loaded[0]
    places = [int(place) for place in np.unique(np.linspace(0, len(dataset) - 1, READ).round())]
    yield from asked(VALUES, lambda: _values(dataset, places))
    yield from asked(REPEATS, lambda: _repeats(dataset, places))
    yield from asked(IDS, lambda: _ids(dataset))
    yield from asked(LABELS, lambda: _labels(dataset, places))
    yield from asked(MASKS, lambda: _masks(dataset, places))
    yield from asked(REVISION, lambda: _revision(name, dataset))
    yield from asked(BATCHES, lambda: _batches(dataset, places))


def _loads(name: str, loaded: list[Dataset]) -> Finding:
    dataset = load_dataset(name)
    loaded.append(dataset)
    return Finding(LOADS, "holds", f"{dataset.describe()}; license: {dataset.license or 'not stated'}.")


def _values(dataset: Dataset, places: list[int]) -> Finding:
    low, high = dataset.domain
    shapes = set()
    for place in places:
        array = dataset.sample(place).array
        shapes.add(array.shape)
        if array.dtype != np.float32:
            return Finding(VALUES, "fails", f"sample {place} is {array.dtype}.", "Return it as float32.")
        if not np.isfinite(array).all() or array.min() < low - 1e-6 or array.max() > high + 1e-6:
            seen = f"from {float(array.min()):.4g} to {float(array.max()):.4g}"
            remedy = "Scale values to [0, 1], or set the dataset's domain to what they are."
            return Finding(
                VALUES, "fails", f"sample {place} has values {seen}; the domain is {dataset.domain}.", remedy
            )
    if len(shapes) > 1 and dataset.framing == "cropped":
        return Finding(VALUES, "doubtful", f"{len(shapes)} shapes, such as {sorted(shapes)[:2]}; each is resized.")
    return Finding(VALUES, "holds", f"{len(places)} samples of {len(shapes)} shape{'s' * (len(shapes) > 1)} were read.")


def _repeats(dataset: Dataset, places: list[int]) -> Finding:
    first = [dataset.sample(place).array.copy() for place in places]
    for place, array in zip(reversed(places), reversed(first), strict=True):
        if not np.array_equal(dataset.sample(place).array, array):
            remedy = (
                "Draw random numbers from numpy.random.default_rng(index), and hand out no array that others change."
            )
            return Finding(REPEATS, "fails", f"sample {place} differs when it is read again.", remedy)
    return Finding(REPEATS, "holds", f"{len(places)} samples were read twice.")


def _ids(dataset: Dataset) -> Finding:
    seen: set[str] = set()
    for place in range(min(len(dataset), 10_000)):
        name = dataset.sample_id(place)
        if not isinstance(name, str) or not name or name in seen:
            return Finding(
                IDS, "fails", f"sample {place} has the id {name!r}, empty or another's.", "Give each one id."
            )
        seen.add(name)
    return Finding(IDS, "holds", f"{len(seen)} ids, such as {dataset.sample_id(0)!r}.")


def _labels(dataset: Dataset, places: list[int]) -> Finding:
    labels = [dataset.label(place) for place in places]
    wrong = [label for label in labels if not -1 <= label < max(len(dataset.class_names), 0) and label != -1]
    if wrong:
        told = f"there is a label {wrong[0]}, and there are {len(dataset.class_names)} class names."
        return Finding(LABELS, "fails", told, "Set class_names to one name per class; -1 stands for no label.")
    if any(dataset.sample(place).label != label for place, label in zip(places, labels, strict=True)):
        return Finding(LABELS, "fails", "label(index) is another one than that of sample(index).", "Return the same.")
    if all(label == -1 for label in labels):
        return Finding(LABELS, "doubtful", "no sample has a label, so how often a network is right is not known.")
    return Finding(LABELS, "holds", f"{len(set(labels))} of {len(dataset.class_names)} classes were seen.")


def _masks(dataset: Dataset, places: list[int]) -> Finding:
    found = [(place, dataset.sample(place)) for place in places]
    masked = [(place, sample) for place, sample in found if sample.mask is not None]
    if not masked:
        raise NotApplicable("it has none; with masks, metrics of localisation and the oracle have a meaning.")
    for place, sample in masked:
        mask = np.asarray(sample.mask)
        if mask.dtype != bool or mask.shape != sample.array.shape[:-1]:
            told = f"that of sample {place} is {mask.dtype} {mask.shape}, and the sample {sample.array.shape}."
            return Finding(MASKS, "fails", told, "A mask is boolean, with the sample's shape without channels.")
    return Finding(
        MASKS, "holds", f"{len(masked)} masks, true at {np.mean([np.mean(np.asarray(s.mask)) for _, s in masked]):.0%}."
    )


def _revision(name: str, dataset: Dataset) -> Finding:
    again = load_dataset(name).revision
    if again != dataset.revision or not isinstance(again, str) or not again:
        told = f"it is {dataset.revision!r} and then {again!r}."
        return Finding(REVISION, "fails", told, "Make it of the data alone: it is part of every result's key.")
    return Finding(REVISION, "holds", f"{again[:16]!r}.")


def _batches(dataset: Dataset, places: list[int]) -> Finding:
    shape = dataset.sample(places[0]).array.shape
    batch = next(dataset.batches(len(places[:4]), ArrayFormat(shape, -1 if len(shape) > 1 else None), places[:4]))
    return Finding(BATCHES, "holds", f"a batch of {np.asarray(batch.x).shape}.")
