"""One's own photographs, explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.decoding import decoded
from ...datasets.framing import framed, target_of
from ...datasets.progress import Progress
from ...datasets.samples import Sample
from ...errors import StorageError
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ..setting.input_shapes import settle_input_shape
from .batches import TargetedBatch
from .explaining import ChosenMethods, LeftOut, channels_last, in_one_line, maps_of, model_named


@dataclass(frozen=True, eq=False)
class ExplainedPhotographs:
    """Photographs and the maps that explain them."""

    pictures: np.ndarray
    """(n, height, width, channels), as the model of the first framework sees them."""
    logits: np.ndarray
    target: np.ndarray
    """What it says, float64 (n, classes), and the explained classes (n,)."""
    class_names: tuple[str, ...] | None
    """One name per class, or None."""
    maps: Mapping[tuple[str, str], np.ndarray | LeftOut]
    """By (method, framework): (n, height, width), or why there are none."""


def explain_photographs(
    files: Sequence[Path],
    model: str,
    chosen: ChosenMethods,
    frameworks: Sequence[str],
    *,
    target: int | None = None,
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
            logits = np.asarray(loaded.outputs(x), dtype=np.float64)
            classes = logits.argmax(axis=1) if target is None else loaded.targets(target, len(files))
            asked = TargetedBatch(loaded, x, classes)
            first = first or (asked, logits)
            for method in chosen.methods:
                bar.working_on(in_one_line(method.id, framework, frameworks))
                maps[method.id, framework] = maps_of(asked, method, seed, lenient=chosen.every)
                bar.update(len(files))
    assert first is not None
    asked, logits = first
    return ExplainedPhotographs(
        channels_last(asked.model, asked.x), logits, asked.target, asked.model.class_names, maps
    )


def _array(file: Path) -> np.ndarray:
    """Return a picture file's pixels."""
    try:
        return decoded(file.read_bytes(), str(file))
    except OSError as error:
        raise StorageError(f"Cannot read {file}: {error.strerror or error}. Check the path.") from error


def _framed(files: Sequence[Path], arrays: Sequence[np.ndarray], model: Model) -> Tensor:
    """Return the photographs as one batch in the model's native layout."""
    samples = [Sample(file.name, array, -1) for file, array in zip(files, arrays, strict=True)]
    if not model.knows_shape:
        settle_input_shape(model, samples[0], "whole")
    goal = target_of(model)
    return model.from_numpy(np.stack([framed(sample, goal)[0] for sample in samples]))
