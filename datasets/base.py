"""What a dataset is: a stream of raw float32 arrays with labels, stable ids and, where they exist, masks."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Event

from ..errors import BadInput
from ..identity import digest
from .framing import target_of
from .samples import (
    UNIT,
    ArrayFormat,
    Batch,
    Framing,
    InputFormat,
    Neutral,
    RawValues,
    Sample,
    Sizing,
    Skipped,
    UnreadableSample,
    valid_text,
)
from .streaming import batch_of, grouped, prefetched, rows

__all__ = [
    "ArrayFormat",
    "Batch",
    "Dataset",
    "Framing",
    "InputFormat",
    "RawValues",
    "Sample",
    "Sizing",
    "Skipped",
    "Subset",
    "UnreadableSample",
]


class Dataset(ABC):
    """A labelled set of samples that are read one by one, so that memory does not grow with its length.

    A dataset of one's own gives ``__len__`` and `sample` and sets the attributes; the rest is here.
    """

    name: str
    """The name it is loaded by."""
    revision: str
    """Changes whenever a sample does; part of every result's key."""
    license: str
    """A note on the terms of use."""
    class_names: Sequence[str]
    """One name per class id; empty where there are no classes."""
    framing: Framing = "whole"
    """``whole`` for photographs as taken, ``cropped`` where they are framed already."""
    folder: Path | None = None
    """Where its files lie, or None."""
    domain: tuple[float, float] = UNIT
    """The lowest and the highest raw value."""
    neutral: Neutral | None = None
    """The raw value that stands for nothing being there, ``mean`` where that is each sample's own mean, or None to go
    by the rule for such data (`Interface.raw_values`). Where it changes, results do: raise the revision.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of {len(self)} samples>"

    @abstractmethod
    def sample(self, index: int) -> Sample:
        """Read one sample; UnreadableSample where its file is damaged."""

    def label(self, index: int) -> int:
        """Return one sample's class id, -1 where it is unknown; override it where no sample need be read for it."""
        return self.sample(index).label

    def sample_id(self, index: int) -> str:
        """Return one sample's id; override it where no sample need be read for it."""
        return self.sample(index).id

    def part(self, split: str) -> Dataset:
        """Return a split (``train`` or ``test``) of the data that this dataset belongs to, for training.

        Raises
        ------
        BadInput
            If the data comes without such a split.
        """
        raise BadInput(f"{self.name} comes without a split {split!r}.")

    @property
    def raw_values(self) -> RawValues:
        """What its raw values mean."""
        return RawValues(self.domain, self.neutral)

    @property
    def title(self) -> str:
        """A short name for tables, without paths of this machine; the name where a dataset sets no other."""
        return str(self.__dict__.get("_title") or self.name)

    @title.setter
    def title(self, title: str) -> None:
        self.__dict__["_title"] = title

    def first_readable(self) -> Sample:
        """Return the first sample that can be read; damaged ones before it are recorded in `skipped`.

        Raises
        ------
        BadInput
            If there is none.
        """
        for index in range(len(self)):
            try:
                return self.sample(index)
            except UnreadableSample as error:
                self.note_skipped(error.path, error.reason)
        raise BadInput(f"No sample of {self.name} can be read{_because(self.skipped)}.")

    def take(self, n: int, model: InputFormat) -> Batch:
        """Return the first ``n`` readable samples (fewer where the dataset is shorter) as one batch.

        Parameters
        ----------
        n
            How many, at least 1.
        model
            Whose layout and input size the batch gets.

        Raises
        ------
        BadInput
            If the dataset is empty, no sample can be read, or samples do not fit the model.
        """
        self._check(n, "take")
        return batch_of(list(islice(rows(self, range(len(self)), target_of(model)), n)), model)

    def batches(self, size: int, model: InputFormat, indices: Iterable[int] | None = None) -> Iterator[Batch]:
        """Stream batches of ``size`` readable samples; the last may be smaller.

        Where there are several, a background thread reads and resizes one batch ahead. It ends with the iterator, also
        when that is dropped before its end. Damaged samples are left out and recorded in `skipped`.

        Parameters
        ----------
        size
            Samples per batch, at least 1.
        model
            Whose layout and input size the batches get.
        indices
            Positions to read, in this order; all where None.

        Raises
        ------
        BadInput
            At once if the dataset is empty, or ``size`` or an index is out of range; while streaming if a sample
            does not fit the model or none can be read.
        """
        self._check(size, "batches")
        positions = range(len(self)) if indices is None else self._positions(indices)
        return self._stream(size, model, positions)

    def subset(self, indices: Iterable[int]) -> Subset:
        """Return the samples at ``indices`` as a dataset with the same ids and a revision of its own."""
        return Subset(self, self._positions(indices))

    def first(self, n: int) -> Subset:
        """Return the first ``n`` samples (all where there are fewer) as a dataset."""
        self._check(n, "first")
        return Subset(self, range(min(n, len(self))))

    def revision_of(self, indices: Sequence[int]) -> str:
        """Return the revision of the samples at ``indices`` alone."""
        return digest({"of": self.revision, "indices": list(indices)})

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files left out so far: non-images when the dataset was opened, damaged files once they are read."""
        return tuple(self._record().values())

    def note_skipped(self, path: str, reason: str) -> None:
        """Record a file that is left out, once."""
        self._record().setdefault(path, Skipped(valid_text(path), valid_text(reason)))

    def describe(self) -> str:
        """Return one line: name, samples, classes, revision, files left out."""
        parts = [f"{len(self)} samples", f"{len(self.class_names)} classes", f"revision {self.revision[:12]}"]
        if self.skipped:
            parts.append(f"{len(self.skipped)} files skipped")
        return f"{self.title}: {', '.join(parts)}"

    def _record(self) -> dict[str, Skipped]:
        """Return the record of skipped files, made at first use: subclasses need not call a constructor."""
        record: dict[str, Skipped] = self.__dict__.setdefault("_skipped_files", {})
        return record

    def _stream(self, size: int, model: InputFormat, positions: Sequence[int]) -> Iterator[Batch]:
        target = target_of(model)
        if len(positions) <= size:  # there is nothing to read ahead
            source = grouped(rows(self, positions, target), size, Event())
        else:
            source = prefetched(lambda stop: grouped(rows(self, positions, target), size, stop))
        with closing(source) as groups:
            for group in groups:
                batch = batch_of(group, model)
                group.clear()  # its rows are in the batch now; keeping them while the caller works would double them
                yield batch
                del batch

    def _check(self, number: int, what: str) -> None:
        if number < 1:
            raise BadInput(f"{self.name}: {what} needs a number of at least 1, got {number}.")
        if len(self) == 0:
            raise BadInput(f"The dataset {self.name} is empty{_because(self.skipped)}.")

    def _positions(self, indices: Iterable[int]) -> tuple[int, ...]:
        positions, length = tuple(operator.index(index) for index in indices), len(self)
        wrong = [index for index in positions if not 0 <= index < length]
        if wrong:
            raise BadInput(f"{self.name}: index {wrong[0]} is out of range; it has samples 0 to {length - 1}.")
        return positions


class Subset(Dataset):
    """Some samples of another dataset, in a chosen order; skipped files are recorded in that dataset.

    Parameters
    ----------
    parent
        The whole dataset.
    indices
        Positions in it, in range and without repeats.

    Raises
    ------
    BadInput
        If a position is given twice, as ids must stay unique.
    """

    def __init__(self, parent: Dataset, indices: Sequence[int]) -> None:
        if len(set(indices)) != len(indices):
            raise BadInput(f"{parent.name}: a subset names a sample twice. Give every index once.")
        self.parent = parent
        self.indices = indices
        self.name = parent.name
        self.title = parent.title
        self.license = parent.license
        self.class_names = parent.class_names
        self.framing = parent.framing
        self.folder = parent.folder
        self.domain = parent.domain
        self.neutral = parent.neutral

    @cached_property
    def revision(self) -> str:  # type: ignore[override]  # worked out late: it may read a part of every file
        """What the parent gives for these samples."""
        return self.parent.revision_of(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def sample(self, index: int) -> Sample:
        """Read one sample of the parent."""
        return self.parent.sample(self.indices[index])

    def label(self, index: int) -> int:
        """Return a class id of the parent."""
        return self.parent.label(self.indices[index])

    def sample_id(self, index: int) -> str:
        """Return an id of the parent."""
        return self.parent.sample_id(self.indices[index])

    def revision_of(self, indices: Sequence[int]) -> str:
        """Return what the parent gives for the same samples."""
        return self.parent.revision_of([self.indices[index] for index in indices])

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The parent's record."""
        return self.parent.skipped

    def note_skipped(self, path: str, reason: str) -> None:
        """Record a file in the parent."""
        self.parent.note_skipped(path, reason)


def _because(skipped: Sequence[Skipped]) -> str:
    """Return how many files were left out, with the first of them named, or nothing."""
    if not skipped:
        return ""
    return f": all {len(skipped)} files were left out (the first: {skipped[0].path}, {skipped[0].reason})"
