"""One's own photographs, explained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.choosing import Choice
from ...datasets.decoding import decoded, picture_bytes
from ...datasets.framing import framed, target_of
from ...datasets.photographs.image_files import ImageFiles
from ...datasets.progress import Progress
from ...datasets.registry import load_dataset
from ...datasets.samples import Sample, UnreadableSample
from ...errors import BadInput, StorageError
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.reading.outputs import probabilities_of
from ..setting.input_shapes import settle_input_shape
from .batches import TargetedBatch
from .explaining import ChosenMethods, LeftOut, channels_last, in_one_line, maps_of, model_named

MOST_OF_A_FOLDER = 24
"""So many pictures of a folder are explained where nobody says how many."""


@dataclass(frozen=True, eq=False)
class ExplainedPhotographs:
    """Photographs and the maps that explain them."""

    pictures: np.ndarray
    """(n, height, width, channels), as the model of the first framework sees them."""
    probabilities: np.ndarray
    target: np.ndarray
    """What it says of each class, float64 (n, classes), and the explained classes (n,)."""
    class_names: tuple[str, ...] | None
    """One name per class, or None."""
    maps: Mapping[tuple[str, str], np.ndarray | LeftOut]
    """By (method, framework): (n, height, width), or why there are none."""


@dataclass(frozen=True)
class PictureFiles:
    """The picture files that are meant by names of files and folders."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    """What was left out of folders, and why."""


def picture_files(images: Iterable[Path], limit: int | None = None, per_class: int | None = None) -> PictureFiles:
    """Return the files that are meant: files as they are, and of a folder and the folders in it the pictures.

    Parameters
    ----------
    limit, per_class
        Of a folder, so many pictures, spread over its folders (`datasets.choosing.Choice`); `MOST_OF_A_FOLDER` where
        neither is given.

    Raises
    ------
    BadInput
        If a folder holds no picture that can be read.
    """
    files: list[Path] = []
    notes: list[str] = []
    usual = MOST_OF_A_FOLDER if limit is None and per_class is None else None
    for image in images:
        if not image.is_dir():
            files.append(image)
            continue
        dataset = load_dataset("image-folder", path=image)
        assert isinstance(dataset, ImageFiles)
        positions = Choice(limit or usual, per_class).positions(dataset)
        if usual is not None and len(positions) < len(dataset):
            notes.append(
                f"{image}: {len(positions)} of {len(dataset)} pictures are explained, spread over its folders. "
                "For more give --limit."
            )
        readable = []
        for position in positions:
            try:
                dataset.sample(position)
                readable.append(dataset.files[position].path)
            except UnreadableSample as error:
                notes.append(f"left out {error.path}: {error.reason}")
        if not readable:
            raise BadInput(f"No picture in {image} can be read. {notes[-1]}")
        files += readable
    return PictureFiles(tuple(files), tuple(notes))


def explain_photographs(
    files: Sequence[Path],
    model: str,
    chosen: ChosenMethods,
    frameworks: Sequence[str],
    *,
    target: int | str | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> ExplainedPhotographs:
    """Explain photographs with every method in every framework; where ``all`` were chosen, errors are kept.

    Everything is as `of_photographs.explain_gallery` has it; there is at least one file.
    """
    arrays = [_array(file) for file in files]
    maps: dict[tuple[str, str], np.ndarray | LeftOut] = {}
    first: tuple[TargetedBatch, np.ndarray] | None = None
    total = len(chosen.methods) * len(frameworks) * len(files)
    with Progress(f"Explaining with {model}", total, "heatmaps", shown=progress) as bar:
        for framework in frameworks:
            loaded = model_named(model, framework, device)
            x = _framed(files, arrays, loaded)
            logits = loaded.outputs(x)
            classes = logits.argmax(axis=1) if target is None else loaded.targets(target, len(files))
            asked = TargetedBatch(loaded, x, classes)
            first = first or (asked, probabilities_of(logits, loaded.link))
            for method in chosen.methods:
                bar.working_on(in_one_line(method.id, framework, frameworks))
                maps[method.id, framework] = maps_of(asked, method, seed, lenient=chosen.every)
                bar.update(len(files))
    assert first is not None
    asked, probabilities = first
    return ExplainedPhotographs(
        channels_last(asked.model, asked.x), probabilities, asked.target, asked.model.class_names, maps
    )


def _array(file: Path) -> np.ndarray:
    """Return a picture file's pixels."""
    try:
        return decoded(picture_bytes(file), str(file))
    except OSError as error:
        raise StorageError(f"Cannot read {file}: {error.strerror or error}. Check the path.") from error


def _framed(files: Sequence[Path], arrays: Sequence[np.ndarray], model: Model) -> Tensor:
    """Return the photographs as one batch in the model's native layout."""
    samples = [Sample(file.name, array, -1) for file, array in zip(files, arrays, strict=True)]
    if not model.knows_shape:
        settle_input_shape(model, samples[0], "whole")
    goal = target_of(model)
    return model.from_numpy(np.stack([framed(sample, goal)[0] for sample in samples]))
