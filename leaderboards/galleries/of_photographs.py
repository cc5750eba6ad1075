"""One's own photographs, explained: what `heatmark explain` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...benchmark.work.explaining import LeftOut, chosen_methods
from ...benchmark.work.photographs import ExplainedPhotographs, explain_photographs
from ...errors import BadInput, NotApplicable
from ..writing.files import checked_file, write_figure
from ..writing.numbers import shortened
from .colours import check_percentile
from .columns import Drawn, columns_of, in_words, signs_of
from .drawing import draw_gallery
from .views import views_of


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
        its default parameters but other libraries', of which those that do not apply or fail are left out, with the
        reason.
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
    chosen = chosen_methods(methods)
    names = [frameworks] if isinstance(frameworks, str) else list(frameworks)
    found = explain_photographs(files, model, chosen, names, target=target, device=device, seed=seed, progress=progress)
    columns = columns_of(chosen.methods, names)
    left_out = list(chosen.left_out)
    maps: dict[str, list[np.ndarray | str]] = {}
    for place, drawn in found.maps.items():
        if not isinstance(drawn, LeftOut):
            maps[columns[place]] = list(drawn)
        elif chosen.every:
            left_out.append(drawn)
        else:
            maps[columns[place]] = [drawn.reason] * len(files)
    _refuse_nothing(maps, left_out)
    titles = [_title(file, found, row) for row, file in enumerate(files)]
    ordered = {column: maps[column] for column in columns.values() if column in maps}
    signs = signs_of(chosen.methods, columns)
    write_figure(draw_gallery(list(found.pictures), ordered, signs, titles, view=view, cap=cap), path)
    return Drawn(path, tuple(left_out))


def _refuse_nothing(maps: dict[str, list[np.ndarray | str]], left_out: Sequence[LeftOut]) -> None:
    if not maps:
        reasons = "; ".join(in_words(left_out))
        raise NotApplicable(f"There is no heatmap to draw: {reasons or 'no method was named'}.")


def _title(file: Path, found: ExplainedPhotographs, row: int) -> str:
    """Return the file's name and the explained class; the predicted one too, where it is another."""
    logits, chosen = found.logits[row], int(found.target[row])
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()

    def words(number: int) -> str:
        name = found.class_names[number] if found.class_names else f"class {number}"
        return f"{shortened(name)}, {100 * shares[number]:.1f} %"

    top = int(logits.argmax())
    lines = [words(chosen)] if chosen == top else [f"explained: {words(chosen)}", f"predicted: {words(top)}"]
    return "\n".join([shortened(file.stem), *lines])
