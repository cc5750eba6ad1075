"""``imagenet-samples``: the 20 ImageNet photographs that the foolbox package carries."""

from __future__ import annotations

import re

from ...errors import MissingExtra
from ..base import Dataset
from ..installed import installed_files
from ..registry import register_dataset
from .image_files import ImageFile, ImageFiles
from .imagenet_classes import imagenet_names

LICENSE = "Photographs of ImageNet, for research use under ImageNet's terms; distributed with foolbox (MIT)."
FILE_NAME = re.compile(r"foolbox/data/(imagenet_(\d+)_(\d+))\.jpg")


@register_dataset(
    "imagenet-samples",
    title="ImageNet samples",
    family="photographs",
    summary="20 ImageNet photographs from the foolbox package; nothing is downloaded",
    license=LICENSE,
    requires=("foolbox",),
)
def load_imagenet_samples() -> Dataset:
    """Return the 20 photographs, framed already (512 x 512 but for one), labelled with ImageNet's class ids.

    They are read from the installed distribution; foolbox itself is not imported.

    Raises
    ------
    MissingExtra
        If foolbox is not installed, or without its photographs.
    """
    found = []
    for name, path in installed_files("foolbox", "imagenet-samples").items():
        match = FILE_NAME.fullmatch(name)
        if match:
            found.append(ImageFile(match[1], path, int(match[3])))
    if not found:
        raise MissingExtra(
            "The installed foolbox carries no photographs (foolbox/data/imagenet_*.jpg). "
            "Run: pip install --force-reinstall 'heatmark[samples]'"
        )
    files = sorted(found, key=lambda file: file.id)
    return ImageFiles(
        "imagenet-samples",
        files,
        class_names=imagenet_names(),
        license=LICENSE,
        framing="cropped",
        folder=files[0].path.parent,
    )
