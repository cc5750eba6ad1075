"""``cifar10``: 32 x 32 colour pictures, from the published binary files (the other edition is a pickle)."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np

from ...errors import BadInput
from ...parameters import Doc
from ...registry import Reference
from ...storage import cache_folder
from ..arrays import Arrays, dataset_of_parts
from ..base import Dataset
from ..fetching import fetch, url_of
from ..registry import register_dataset

LICENSE = "CIFAR-10 (A. Krizhevsky, V. Nair, G. Hinton), free to use with citation."
URL = "https://www.cs.toronto.edu/~kriz"
FILE_NAME = "cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
MEMBERS = {
    "train": tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("cifar-10-batches-bin/test_batch.bin",),
}
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD_BYTES = 1 + 3 * 32 * 32


@register_dataset(
    "cifar10",
    title="CIFAR-10",
    family="small images",
    summary="60,000 colour pictures of 10 classes, 32 x 32 pixels; fetched once (170 MB)",
    reference=Reference("Krizhevsky", 2009, "Learning multiple layers of features from tiny images"),
    license=LICENSE,
)
def load_cifar10(
    *,
    split: Annotated[str, Doc("which part", choices=("test", "train"))] = "test",
    url: Annotated[str, Doc("where it is fetched from")] = URL,
    progress: Annotated[bool, Doc("show the progress of fetching")] = True,
) -> Dataset:
    """Return a split of CIFAR-10 (10,000 test, 50,000 train), 32 x 32 x 3.

    Raises
    ------
    FetchFailed
        If the archive can neither be found nor fetched; the message names it, its URL and the folder to put it in.
    """
    folder = cache_folder("datasets", "cifar10")
    archive = fetch(url_of(url, FILE_NAME), FILE_NAME, SHA256, folder, progress)
    return dataset_of_parts("cifar10", read_archive(archive), split, CLASS_NAMES, folder=folder, neutral="mean")


def read_archive(path: Path) -> dict[str, Arrays]:
    """Return the splits in the published archive, which is read without being unpacked.

    Returns
    -------
    splits
        ``train`` and ``test``: uint8 (n, 32, 32, 3) and int64 (n,).

    Raises
    ------
    BadInput
        If a file is missing in the archive or has not whole records of a label and 3 x 32 x 32 bytes.
    """
    contents: dict[str, bytes] = {}
    wanted = {name for names in MEMBERS.values() for name in names}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.name in wanted else None
            if opened is not None:
                contents[member.name] = opened.read()
    lacking = sorted(wanted - contents.keys())
    if lacking:
        raise BadInput(f"{path} lacks {lacking[0]}. Remove the file so that it is fetched again.")
    return {split: _read([contents[name] for name in names], path) for split, names in MEMBERS.items()}


def _read(files: Sequence[bytes], path: Path) -> Arrays:
    """Return the pictures and labels of some files of records."""
    data = b"".join(files)
    if not data or len(data) % RECORD_BYTES:
        raise BadInput(f"{path} holds {len(data)} bytes of records; expected a multiple of {RECORD_BYTES}.")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, RECORD_BYTES)
    images = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    images.setflags(write=False)  # so that the dataset need not copy it
    return images, records[:, 0].astype(np.int64)
