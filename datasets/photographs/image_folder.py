"""``image-folder:PATH``: anyone's pictures, with the folders' names as class names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...errors import BadInput
from ...parameters import Doc
from ..base import Dataset
from ..registry import register_dataset, spelt
from ..samples import valid_text
from .folders import existing_folder, file_id, find_pictures, no_pictures, subfolders
from .image_files import ImageFile, ImageFiles
from .imagenet_classes import class_of_synset, imagenet_names

LICENSE = "The user's own pictures; heatmark does not know their terms."


@register_dataset(
    "image-folder:",
    title="Own images",
    family="own images",
    summary="Any folder of pictures; the folders directly inside it are the classes",
    license=LICENSE,
)
def load_image_folder(
    *,
    path: Annotated[Path | str | None, Doc("the folder")] = None,
    classes: Annotated[
        str,
        Doc(
            "auto: ImageNet's 1000 classes where every folder is named by a synset (n01440764), else the folders in "
            "natural order; folders: always the folders",
            choices=("auto", "folders"),
        ),
    ] = "auto",
) -> Dataset:
    """Return the pictures of a folder and of all folders in it.

    The folders directly inside give the classes, in natural order (``class2`` before ``class10``), also those without
    pictures, so that class ids do not depend on which pictures there are. Pictures beside these folders, and
    those of a folder without folders, have the label -1. Other files are left out and recorded in ``skipped``;
    hidden files are ignored. The revision covers every file's relative path, label, size and first 64 KiB.

    Raises
    ------
    BadInput
        If there is no folder at ``path``, or no picture in it.
    """
    if path is None:
        raise BadInput("image-folder needs a folder: write image-folder:PATH.")
    folder = existing_folder(path, "pictures")
    found = find_pictures(folder)
    if not found.pictures:
        raise no_pictures(folder, found)
    nested = any(len(picture.parts) > 1 for picture in found.pictures)
    names = subfolders(folder) if nested else []
    synsets = class_of_synset()
    if classes == "auto" and names and all(name in synsets for name in names):
        numbers, class_names = synsets, list(imagenet_names())
    else:
        numbers, class_names = {name: number for number, name in enumerate(names)}, [valid_text(name) for name in names]
    files = [
        ImageFile(file_id(picture), folder / picture, numbers[picture.parts[0]] if len(picture.parts) > 1 else -1)
        for picture in found.pictures
    ]
    return ImageFiles(
        f"{spelt('image-folder', classes=classes)}:{path}",
        files,
        class_names=class_names,
        license=LICENSE,
        title=valid_text(folder.resolve().name or str(folder)),
        folder=folder,
        skipped=found.skipped,
    )
