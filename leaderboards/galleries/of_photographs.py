"""One's own photographs, explained: what `heatmark explain` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets.progress import Progress
from ...errors import BadInput, NotApplicable, StorageError
from ..writing.files import checked_file, write_figure
from ..writing.numbers import shortened
from .colours import check_percentile
from .columns import (
    Drawn,
    LeftOut,
    channels_last,
    columns_of,
    in_words,
    loaded_model,
    maps_of,
    signs_of,
    wanted_methods,
)
from .drawing import draw_gallery
from .views import views_of

if TYPE_CHECKING:
    from ...models.base import Model


def explain_gallery(
    images: str | Path | Sequence[str | Path],
    model: str,
    methods: str | Iterable[str],
    out: str | Path,
    *,
    frameworks: str | Sequence[str] = "torch",
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    target: int | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> Drawn:
    """Explain photographs and write the gallery of their heatmaps.

    Parameters
    ----------
    images
        Picture files. Each is framed as the model frames photographs as taken.
    model
        A registered model, or ``package.module:build``, ``file.py:build`` or ``file:net.keras``.
    methods
        Selections (``"saliency,integrated_gradients[steps=20|50]"``); ``all`` stands for every registered method at
        its default parameters, of which those that do not apply or fail are left out, with the reason.
    out
        The file to write; its suffix says the format: png, jpg, svg, pdf or webp.
    frameworks
        ``torch``, ``tensorflow``, or both, drawn beside one another.
    view
        One or several of ``overlay``, ``map``, ``capped``, ``points`` and ``mask``; see `views`.
    cap
        The percentile at which scales end; see `views.seen`.
    target
        The class to explain; by default each photograph's predicted class.
    device
        As `load_model` takes it.
    seed
        The seed of noise and masks.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    drawn
        The written file, and what is not in it.

    Raises
    ------
    BadInput
        For a file that is no picture, an unknown view or format, a target out of range, or no image at all.
    UnknownName, MissingExtra, StorageError
        For an unknown model or method, a framework that is not installed, a folder that cannot be written.
    """
    path = checked_file(out)
    views_of(view)
    if cap is not None:
        check_percentile(cap)
    files = [Path(images)] if isinstance(images, (str, Path)) else [Path(image) for image in images]
    if not files:
        raise BadInput("No image to explain. Give at least one picture file.")
    arrays = [_array(file) for file in files]
    wanted = wanted_methods(methods)
    names = [frameworks] if isinstance(frameworks, str) else list(frameworks)
    columns = columns_of(wanted.methods, names)
    maps: dict[str, list[np.ndarray | str]] = {}
    pictures: list[np.ndarray] = []
    titles: list[str] = []
    left_out = list(wanted.left_out)
    with Progress(f"Explaining with {model}", len(columns) * len(files), "heatmaps", shown=progress) as bar:
        for name in names:
            loaded = loaded_model(model, name, device)
            x = _framed(files, arrays, loaded)
            logits = np.asarray(loaded.outputs(x), dtype=np.float64)
            chosen = logits.argmax(axis=1) if target is None else np.full(len(files), _checked(target, logits.shape[1]))
            if not pictures:
                pictures = list(channels_last(loaded, x))
                titles = [_title(file, loaded, row, c) for file, row, c in zip(files, logits, chosen, strict=True)]
            for method in wanted.methods:
                bar.working_on(columns[method.id, name].replace("\n", " "))
                found = maps_of(loaded, method, x, chosen, seed, lenient=wanted.every)
                if isinstance(found, LeftOut) and wanted.every:
                    left_out.append(found)
                elif isinstance(found, LeftOut):
                    maps[columns[method.id, name]] = [found.reason] * len(files)
                else:
                    maps[columns[method.id, name]] = list(found)
                bar.update(len(files))
    _refuse_nothing(maps, left_out)
    ordered = {column: maps[column] for column in columns.values() if column in maps}
    figure = draw_gallery(pictures, ordered, signs_of(wanted.methods, columns), titles, view=view, cap=cap)
    write_figure(figure, path)
    return Drawn(path, tuple(left_out))


def _refuse_nothing(maps: dict[str, list[np.ndarray | str]], left_out: Sequence[LeftOut]) -> None:
    if not maps:
        reasons = "; ".join(in_words(left_out))
        raise NotApplicable(f"There is no heatmap to draw: {reasons or 'no method was named'}.")


def _array(file: Path) -> np.ndarray:
    """Return a picture file's pixels."""
    from ...datasets.decoding import decoded

    try:
        return decoded(file.read_bytes(), str(file))
    except OSError as error:
        raise StorageError(f"Cannot read {file}: {error.strerror or error}. Check the path.") from error


def _framed(files: Sequence[Path], arrays: Sequence[np.ndarray], model: Model) -> Any:
    """Return the photographs as one batch in the model's native layout."""
    from ...benchmark.setting.input_shapes import settle_input_shape
    from ...datasets.framing import framed, target_of
    from ...datasets.samples import Sample

    samples = [Sample(file.name, array, -1) for file, array in zip(files, arrays, strict=True)]
    if not model.knows_shape:
        settle_input_shape(model, samples[0], "whole")
    goal = target_of(model)
    rows = [framed(sample, goal)[0] for sample in samples]
    return model.from_numpy(np.stack(rows))


def _title(file: Path, model: Model, logits: np.ndarray, chosen: int) -> str:
    """Return the file's name and the explained class; the predicted one too, where it is another."""
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()

    def words(number: int) -> str:
        name = model.class_names[number] if model.class_names else f"class {number}"
        return f"{shortened(name)}, {100 * shares[number]:.1f} %"

    top = int(logits.argmax())
    lines = [words(chosen)] if chosen == top else [f"explained: {words(chosen)}", f"predicted: {words(top)}"]
    return "\n".join([shortened(file.stem), *lines])


def _checked(target: int, classes: int) -> int:
    if not 0 <= target < classes:
        raise BadInput(f"The target {target} is out of range: the model has the classes 0 to {classes - 1}.")
    return target
