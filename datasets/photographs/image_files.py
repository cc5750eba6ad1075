"""A dataset of picture files, read and decoded one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...declared_sizes import opened_file
from ...identity import digest
from ..base import Dataset
from ..decoding import decoded, picture_bytes
from ..samples import Framing, Sample, Skipped, UnreadableSample
from .known_files import beginnings

CHECKED_BYTES = 64 * 1024


@dataclass(frozen=True)
class ImageFile:
    """One picture file."""

    id: str
    """Stable and unique within the dataset."""
    path: Path
    """Where it lies."""
    label: int
    """The class id, or -1 where it is unknown."""
    sha256: str | None = None
    """The published checksum, compared at every reading, or None."""


class ImageFiles(Dataset):
    """Picture files with labels: photographs, so no one colour stands for nothing being there (docs/datasets.md).

    The revision is a digest over the class names and every file's id, label and content. The content counts by the
    published checksum where there is one, else by the size and the SHA-256 of the first 64 KiB; it is worked out
    when it is first asked for.

    Parameters
    ----------
    name, title, license, class_names, framing, folder
        See `Dataset`.
    files
        The pictures, in order.
    skipped
        Files that were left out already.
    """

    neutral = "mean"

    def __init__(
        self,
        name: str,
        files: Sequence[ImageFile],
        *,
        class_names: Sequence[str],
        license: str,
        framing: Framing = "whole",
        title: str = "",
        folder: Path | None = None,
        skipped: Iterable[Skipped] = (),
    ) -> None:
        self.name = name
        self.title = title
        self.license = license
        self.class_names = tuple(class_names)
        self.framing = framing
        self.folder = folder
        self.files = tuple(files)
        for item in skipped:
            self.note_skipped(item.path, item.reason)

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def revision(self) -> str:  # type: ignore[override]  # worked out late: it reads a part of every file
        """The digest over all files."""
        return self.revision_of(range(len(self.files)))

    def revision_of(self, indices: Sequence[int]) -> str:
        """Return the digest over the class names and the files at ``indices``; other files are not read."""
        files = [self.files[index] for index in indices]
        unknown = [file for file in files if file.sha256 is None]
        found = iter(beginnings([file.path for file in unknown], _beginning))
        facts = [
            [file.id, file.label, *((next(found) or ("unreadable",)) if file.sha256 is None else (file.sha256,))]
            for file in files
        ]
        return digest({"classes": self.class_names, "files": facts})

    def sample(self, index: int) -> Sample:
        """Read and decode one picture.

        Raises
        ------
        UnreadableSample
            If the file is missing, damaged, or not the published one.
        """
        file = self.files[index]
        try:
            data = picture_bytes(file.path)
        except OSError as error:
            raise UnreadableSample(str(file.path), error.strerror or str(error)) from error
        if file.sha256 is not None and hashlib.sha256(data).hexdigest() != file.sha256:
            raise UnreadableSample(str(file.path), "its SHA-256 is not that of the published file")
        return Sample(file.id, decoded(data, str(file.path)), file.label)

    def label(self, index: int) -> int:
        """Return one picture's class id, without reading its file."""
        return self.files[index].label

    def sample_id(self, index: int) -> str:
        """Return one picture's id, without reading its file."""
        return self.files[index].id


def _beginning(path: Path) -> bytes:
    with opened_file(path) as opened:
        return opened.read(CHECKED_BYTES)
