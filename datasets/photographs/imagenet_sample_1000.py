"""``imagenet-sample-1000``: one photograph per ImageNet class, fetched once or read from a folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from ...errors import BadInput
from ...parameters import Doc
from ...storage import cache_folder
from ..base import Dataset
from ..fetching import RemoteFile, fetch_all, url_of
from ..registry import register_dataset
from ..samples import Skipped
from .folders import existing_folder
from .image_files import ImageFile, ImageFiles
from .imagenet_classes import imagenet_names

COMMIT = "bc69043e2862758a1906c6a24a792bb28c6bb2ff"
URL = f"https://raw.githubusercontent.com/EliSchwartz/imagenet-sample-images/{COMMIT}"
LICENSE = (
    "Photographs of ImageNet, for research use under ImageNet's terms (GitHub EliSchwartz/imagenet-sample-images)."
)


@dataclass(frozen=True)
class PublishedFile:
    """One line of the manifest: SHA-256, size in bytes, name; its position is the class id."""

    sha256: str
    size: int
    name: str


@cache
def manifest() -> tuple[PublishedFile, ...]:
    """Return the 1000 published files in the order of ImageNet's class ids."""
    lines = Path(__file__).with_name("imagenet_sample_files.txt").read_text(encoding="utf-8").splitlines()
    parts = (line.split(" ", 2) for line in lines)
    return tuple(PublishedFile(sha256, int(size), name) for sha256, size, name in parts)


@register_dataset(
    "imagenet-sample-1000",
    title="ImageNet sample 1000",
    family="photographs",
    summary="One photograph per ImageNet class (107 MB): fetched from GitHub, or imagenet-sample-1000:PATH",
    license=LICENSE,
)
def load_imagenet_sample_1000(
    *,
    path: Annotated[Path | str | None, Doc("a folder that holds the files; None fetches them into the cache")] = None,
    url: Annotated[
        str, Doc("where the files are fetched from", source="the GitHub repository, at a fixed commit")
    ] = URL,
    progress: Annotated[bool, Doc("show the progress of fetching")] = True,
) -> Dataset:
    """Return the 1000 photographs as taken (not cropped), labelled with ImageNet's class ids.

    Every file's SHA-256 is part of heatmark: fetched files are checked when they come and at every loading, and each
    file is compared again when it is read, so that the revision is the same wherever the files come from.
    With ``path``, files that are missing or of another size are left out and recorded in ``skipped``.

    Raises
    ------
    FetchFailed
        If a file can neither be found nor fetched; the message names it, its URL and the folder to put it in.
    BadInput
        If there is no folder at ``path``, or it holds none of the files.
    """
    skipped: list[Skipped] = []
    if path is None:
        name, folder = "imagenet-sample-1000", cache_folder("datasets", "imagenet-sample-1000")
        remote = [RemoteFile(file.name, url_of(url, file.name), file.sha256) for file in manifest()]
        fetch_all(remote, folder, "Fetching imagenet-sample-1000", progress)
    else:
        name, folder = f"imagenet-sample-1000:{path}", existing_folder(path, "imagenet-sample-1000")
        skipped = [Skipped(str(folder / file.name), reason) for file in manifest() if (reason := _fault(folder, file))]
        if len(skipped) == len(manifest()):
            raise BadInput(
                f"{folder} holds none of the 1000 files of imagenet-sample-1000, such as {manifest()[0].name}. "
                "Give the folder that holds them."
            )
    left_out = {item.path for item in skipped}
    files = [
        ImageFile(Path(file.name).stem, folder / file.name, number, file.sha256)
        for number, file in enumerate(manifest())
        if str(folder / file.name) not in left_out
    ]
    return ImageFiles(
        name,
        files,
        class_names=imagenet_names(),
        license=LICENSE,
        title="imagenet-sample-1000",
        folder=folder,
        skipped=skipped,
    )


def _fault(folder: Path, file: PublishedFile) -> str:
    """Return why a file of a user's folder cannot be the published one, or an empty string."""
    path = folder / file.name
    if not path.is_file():
        return "not there"
    size = path.stat().st_size
    return "" if size == file.size else f"has {size} bytes instead of {file.size}"
