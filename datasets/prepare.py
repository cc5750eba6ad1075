"""Getting a dataset ready ahead of time: everything is fetched, and every sample is read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import Dataset
from .progress import Progress
from .registry import find_dataset, load_dataset
from .samples import Skipped, UnreadableSample


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare_dataset` found."""

    name: str
    """The dataset."""
    samples: int
    """How many samples can be read."""
    skipped: tuple[Skipped, ...]
    """The files left out, and why."""
    folder: Path | None
    """Where the files lie, or None."""
    revision: str
    """The dataset's revision."""


def prepare_dataset(name: str | Dataset, progress: bool = True, **options: Any) -> PrepareReport:
    """Fetch what a dataset needs and read every sample once, so that damaged files are known before a run.

    Parameters
    ----------
    name, options
        See `load_dataset`.
    progress
        Show the progress on stderr.

    Raises
    ------
    UnknownName, BadInput, MissingExtra, FetchFailed, StorageError
        As `load_dataset` does.
    """
    if isinstance(name, str) and any(option.name == "progress" for option in find_dataset(name).parameters):
        options = {"progress": progress, **options}
    dataset = load_dataset(name, **options)
    readable = 0
    with Progress(f"Checking {dataset.title}", len(dataset), "samples", progress) as bar:
        for index in range(len(dataset)):
            try:
                dataset.sample(index)
                readable += 1
            except UnreadableSample as error:
                dataset.note_skipped(error.path, error.reason)
            bar.update(1)
    return PrepareReport(dataset.name, readable, dataset.skipped, dataset.folder, dataset.revision)
