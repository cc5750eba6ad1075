"""Datasets in memory: the small shipped ones and a user's own arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadInput
from ..identity import array_digest, digest
from .base import Dataset
from .registry import find_dataset, spelt
from .samples import UNIT, Framing, Neutral, Sample

Arrays = tuple[np.ndarray, np.ndarray]


class ArrayDataset(Dataset):
    """Samples in an array.

    Parameters
    ----------
    name
        What it is called.
    x
        uint8 (0 to 255) or float in the domain, channels last: (n, height, width, channels) for pictures,
        (n, length, channels) for series, (n, features) for flat vectors. It is copied unless it is read-only.
    y
        Class ids, integers (n,), -1 where unknown; all unknown where None.
    ids
        One unique id per sample; the positions where None.
    class_names
        One name per class id; the ids themselves where None.
    license, framing, title, folder
        See `Dataset`. Small pictures are ``cropped``: a network's crop rule is for photographs.
    masks
        Boolean ground truth (n, *spatial), or None.
    split
        Which part of the data this is.
    splits
        The other parts, for training recipes: name -> (x, y).
    domain, neutral
        See `Dataset`; where given, they are part of the revision.

    Raises
    ------
    BadInput
        If shapes, lengths, types or values do not fit together; the message says which.
    """

    def __init__(
        self,
        name: str,
        x: np.ndarray,
        y: np.ndarray | Sequence[int] | None = None,
        *,
        ids: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        license: str = "The user's own data; heatmark does not know its terms.",
        framing: Framing = "cropped",
        masks: np.ndarray | None = None,
        split: str = "test",
        splits: Mapping[str, Arrays] | None = None,
        title: str = "",
        folder: Path | None = None,
        domain: tuple[float, float] = UNIT,
        neutral: Neutral | None = None,
    ) -> None:
        self.name = name
        self.domain = domain
        self.neutral = neutral
        self._stated = {
            **({} if domain == UNIT else {"domain": list(domain)}),
            **({} if neutral is None else {"neutral": list(neutral) if isinstance(neutral, tuple) else neutral}),
        }
        self.title = title
        self.license = license
        self.framing = framing
        self.folder = folder
        self.split = split
        self.x = _checked_values(name, x, self.raw_values.domain)
        count = len(self.x)
        self.y = _checked_labels(name, y, count)
        self.ids = tuple(str(index) for index in range(count)) if ids is None else tuple(ids)
        if len(self.ids) != count or len(set(self.ids)) != count:
            raise BadInput(f"{name}: {count} samples need {count} different ids, got {len(set(self.ids))}.")
        self.masks = None if masks is None else _frozen(masks, np.dtype(bool))
        if self.masks is not None and self.masks.shape != (self.x.shape[:-1] if self.x.ndim > 2 else self.x.shape):
            raise BadInput(f"{name}: masks have shape {self.masks.shape} but the samples {self.x.shape}.")
        top = int(self.y.max(initial=-1))
        self.class_names = tuple(str(label) for label in range(top + 1)) if class_names is None else tuple(class_names)
        if top >= len(self.class_names):
            raise BadInput(f"{name}: label {top} is out of range for {len(self.class_names)} class names.")
        self._splits = {
            key: (
                _checked_values(f"{name}, split {key}", part, domain),
                _checked_labels(f"{name}, split {key}", labels, len(part)),
            )
            for key, (part, labels) in (splits or {}).items()
        }

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def revision(self) -> str:  # type: ignore[override]  # worked out late: it reads all values
        """The digest of all values, labels, ids, masks and class names."""
        return self.revision_of(range(len(self)))

    def revision_of(self, indices: Sequence[int]) -> str:
        """Return the digest of the samples at ``indices``."""
        rows = np.asarray(indices, dtype=np.int64)
        parts = [self.x[rows], self.y[rows], *([] if self.masks is None else [self.masks[rows]])]
        ids = [self.ids[index] for index in indices]
        return digest({"arrays": array_digest(*parts), "ids": ids, "classes": self.class_names, **self._stated})

    def sample(self, index: int) -> Sample:
        """Return one sample."""
        mask = None if self.masks is None else self.masks[index]
        return Sample(self.ids[index], self.x[index], int(self.y[index]), mask)

    def label(self, index: int) -> int:
        """Return one sample's class id."""
        return int(self.y[index])

    def sample_id(self, index: int) -> str:
        """Return one sample's id."""
        return self.ids[index]

    def part(self, split: str) -> ArrayDataset:
        """Return a split as a dataset with positions for ids and without masks; see `Dataset.part`."""
        splits = {**self._splits, self.split: (self.x, self.y)}
        if split not in splits:
            raise BadInput(f"{self.name} has no split {split!r}; it has: {', '.join(sorted(splits))}.")
        made = ArrayDataset(self.name, *splits[split], class_names=self.class_names, domain=self.domain)
        made.neutral = self.neutral
        return made


def hash_order(count: int, key: str) -> np.ndarray:
    """Return a fixed shuffled order of ``range(count)``, int64: sorted by the SHA-256 of ``key`` and position.

    Unlike a random generator's, this order depends on no library version.
    """
    return np.array(sorted(range(count), key=lambda i: sha256(f"{key}:{i}".encode()).digest()), dtype=np.int64)


def split_dataset(
    title: str, x: np.ndarray, y: np.ndarray, split: str, class_names: Sequence[str], **options: Any
) -> ArrayDataset:
    """Return one split of data that comes as a whole: a fifth for tests, by `hash_order`; ids are source positions."""
    order = hash_order(len(x), title)
    tests = round(len(x) * 0.2)
    places = {"test": order[:tests], "train": order[tests:]}
    parts = {key: (x[rows], y[rows]) for key, rows in places.items()}
    ids = [f"{title}-{index:05d}" for index in places[split]]
    return dataset_of_parts(title, parts, split, class_names, ids=ids, **options)


def dataset_of_parts(
    title: str,
    parts: Mapping[str, Arrays],
    split: str,
    class_names: Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    folder: Path | None = None,
    domain: tuple[float, float] = UNIT,
    neutral: Neutral | None = None,
    **options: Any,
) -> ArrayDataset:
    """Return one split of a registered dataset, whose other parts come along for training.

    ``options`` are those in its name beside the split; by default samples are numbered within their split. The neutral
    value is heatmark's own statement, not data, so it is no part of the revision.
    """
    x, y = parts[split]
    made = ArrayDataset(
        spelt(title, split=split, **options),
        x,
        y,
        ids=ids or [f"{title}-{split}-{index:05d}" for index in range(len(x))],
        class_names=class_names,
        license=find_dataset(title).license,
        split=split,
        splits={key: part for key, part in parts.items() if key != split},
        title=title,
        folder=folder,
        domain=domain,
    )
    made.neutral = neutral
    return made


def _checked_values(name: str, x: np.ndarray, domain: tuple[float, float] | None) -> np.ndarray:
    """Return read-only values of type uint8 or float32."""
    if not isinstance(x, np.ndarray) or x.ndim < 2 or x.size == 0:
        shape = getattr(x, "shape", type(x).__name__)
        raise BadInput(f"{name}: expected an array (n, *spatial, channels) with samples in it, got {shape}.")
    if x.dtype == np.uint8:
        return _frozen(x, x.dtype)
    if x.dtype.kind != "f":
        raise BadInput(f"{name}: values have type {x.dtype}; give uint8 (0 to 255) or floats in [0, 1].")
    low, high = float(x.min()), float(x.max())
    least, most = domain or UNIT
    if not (low >= least and high <= most):
        raise BadInput(
            f"{name}: values from {low:g} to {high:g}, expected finite ones in [{least:g}, {most:g}]. Rescale them and "
            "let the model's preprocessing undo it, or give domain=(lowest, highest)."
        )
    return _frozen(x, np.dtype(np.float32))


def _checked_labels(name: str, y: np.ndarray | Sequence[int] | None, count: int) -> np.ndarray:
    """Return read-only int64 labels (count,)."""
    labels = np.full(count, -1) if y is None else np.asarray(y)
    if labels.shape != (count,) or labels.dtype.kind not in "iu" or (count and labels.min() < -1):
        raise BadInput(f"{name}: labels must be {count} integers from -1 on, got {labels.dtype} {labels.shape}.")
    return _frozen(labels, np.dtype(np.int64))


def _frozen(array: np.ndarray, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Return a read-only array of the type, copied unless the given one is read-only already."""
    if array.dtype == dtype and not array.flags.writeable:
        return array
    copied = array.astype(dtype, copy=True)
    copied.setflags(write=False)
    return copied
