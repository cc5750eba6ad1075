"""``imagenet-1k:PATH``: a local ILSVRC-2012 validation folder, in either of its usual layouts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from ...errors import BadInput
from ...parameters import Doc
from ..base import Dataset
from ..registry import register_dataset
from ..samples import Skipped
from .folders import Found, existing_folder, file_id, find_pictures, no_pictures, subfolders
from .image_files import ImageFile, ImageFiles
from .imagenet_classes import class_of_synset, imagenet_names

LICENSE = "ImageNet (ILSVRC-2012): for non-commercial research and education, under ImageNet's terms of access."


@register_dataset(
    "imagenet-1k",
    title="ImageNet-1k",
    family="photographs",
    summary="A local ILSVRC-2012 validation folder: class folders, or flat with val.txt and synset_words.txt",
    license=LICENSE,
)
def load_imagenet_1k(*, path: Annotated[Path | str | None, Doc("the validation folder")] = None) -> Dataset:
    """Return the photographs of a validation folder, labelled with ImageNet's class ids.

    Two layouts are known. *Class folders* are named by synset (``n01440764``) or class id (``0`` to ``999``).
    *Flat*: ``val.txt`` has a file name and a class id per line, and ``synset_words.txt``, where it is there, a synset
    and its words per line, whose line number is that class id; the photographs lie beside it or in one folder beside
    it. Pictures that ``val.txt`` lacks and files that it lists
    but that are not there are left out and recorded in ``skipped``.

    Raises
    ------
    BadInput
        If there is no folder at ``path``, its layout is neither of the two, or a line cannot be read.
    """
    if path is None:
        raise BadInput("imagenet-1k needs the folder of the validation photographs: write imagenet-1k:PATH.")
    folder = existing_folder(path, "ImageNet's photographs")
    found = find_pictures(folder)
    if not found.pictures:
        raise no_pictures(folder, found)
    if (folder / "val.txt").is_file():
        files, skipped = _listed(folder, found)
    else:
        files, skipped = _in_class_folders(folder, found)
    return ImageFiles(
        f"imagenet-1k:{path}",
        files,
        class_names=imagenet_names(),
        license=LICENSE,
        title="imagenet-1k",
        folder=folder,
        skipped=skipped,
    )


def _in_class_folders(folder: Path, found: Found) -> tuple[list[ImageFile], list[Skipped]]:
    """Return the files of the class-folder layout."""
    names, synsets = subfolders(folder), class_of_synset()
    numbers = {name: int(name) for name in names if name.isascii() and name.isdigit() and int(name) < 1000}
    if not numbers:
        numbers = {name: synsets[name] for name in names if name in synsets}
    wrong = [name for name in names if name not in numbers]
    if not numbers or wrong:
        example = f" The folder {wrong[0]!r} is neither." if wrong else ""
        raise BadInput(
            f"{folder} has no val.txt, so its folders must be named by synset (n01440764) or by class id (0 to 999)."
            f"{example} For other classes use image-folder:{folder}."
        )
    files, skipped = [], list(found.skipped)
    for picture in found.pictures:
        if len(picture.parts) == 1:
            skipped.append(Skipped(str(folder / picture), "lies outside the class folders"))
        else:
            files.append(ImageFile(file_id(picture), folder / picture, numbers[picture.parts[0]]))
    return files, skipped


def _listed(folder: Path, found: Found) -> tuple[list[ImageFile], list[Skipped]]:
    """Return the files of the flat layout, in the order of val.txt."""
    translated = _class_ids(folder / "synset_words.txt")
    list_file = folder / "val.txt"
    there = {picture.as_posix() for picture in found.pictures}
    below: dict[str, list[str]] = defaultdict(list)
    for picture in found.pictures:
        if len(picture.parts) > 1:
            below[Path(*picture.parts[1:]).as_posix()].append(picture.as_posix())
    lists = {str(list_file), str(folder / "synset_words.txt")}
    skipped = [item for item in found.skipped if item.path not in lists]
    files: dict[str, ImageFile] = {}
    for number, line in enumerate(_lines(list_file), start=1):
        words = line.rsplit(maxsplit=1)
        if not words:
            continue
        if len(words) != 2 or not (words[1].isascii() and words[1].isdigit()) or int(words[1]) >= len(translated):
            raise BadInput(
                f"{list_file}, line {number}: expected a file name and a class id from 0 to {len(translated) - 1}, "
                f"found {line!r}."
            )
        name = Path(words[0]).as_posix()
        if name in files:
            raise BadInput(f"{list_file}, line {number}: {name} is listed twice.")
        places = [name] if name in there else below.get(name, [])
        if len(places) > 1:
            raise BadInput(
                f"{list_file}, line {number}: {name} lies in {len(places)} folders beside it, such as {places[0]} and "
                f"{places[1]}. Give the one with the validation photographs: write its name before the files in "
                "val.txt, or move the others away."
            )
        if not places:
            skipped.append(Skipped(str(folder / name), "listed in val.txt but not there"))
            continue
        files[name] = ImageFile(file_id(Path(name)), folder / places[0], translated[int(words[1])])
    if not files:
        raise BadInput(
            f"None of the files that {list_file} lists is in {folder} or in a folder in it. Put the photographs beside "
            "val.txt, or into one folder beside it."
        )
    unlisted = there - {file.path.relative_to(folder).as_posix() for file in files.values()}
    skipped += [Skipped(str(folder / name), "not listed in val.txt") for name in sorted(unlisted)]
    return list(files.values()), skipped


def _class_ids(words_file: Path) -> Sequence[int]:
    """Return ImageNet's class id for every line of synset_words.txt; without that file they are the same."""
    if not words_file.is_file():
        return range(1000)
    known, numbers = class_of_synset(), []
    for number, line in enumerate(_lines(words_file), start=1):
        synset = line.split(maxsplit=1)[0] if line.strip() else ""
        if synset not in known:
            raise BadInput(f"{words_file}, line {number}: {synset!r} is not one of ImageNet's 1000 synsets.")
        numbers.append(known[synset])
    return numbers


def _lines(path: Path) -> list[str]:
    """Return a text file's lines; BadInput where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Cannot read {path}: {error}.") from error
