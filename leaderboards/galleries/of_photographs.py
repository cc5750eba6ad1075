"""One's own photographs, explained: what `heatmark explain` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ...benchmark.executors.usual_frameworks import usual_frameworks
from ...benchmark.work.photographs import ExplainedPhotographs, explain_photographs, picture_files
from ...errors import BadInput
from ..writing.numbers import percent, shortened
from .gallery import Drawn, GalleryPlan


def explain_gallery(
    images: str | Path | Sequence[str | Path],
    model: str,
    methods: str | Iterable[str],
    out: str | Path,
    *,
    frameworks: str | Sequence[str] | None = None,
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    captioned: bool = True,
    colour_bar: bool = False,
    target: int | str | None = None,
    limit: int | None = None,
    per_class: int | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> Drawn:
    """Explain photographs and write the gallery of their heatmaps.

    Parameters
    ----------
    images
        Picture files, and folders of them. Each is framed as the model frames photographs as taken.
    model
        As `load_model` takes it.
    methods
        Selections (``"saliency,integrated_gradients[steps=20|50]"``); ``all`` stands for every registered method at
        its default parameters but other libraries', of which those that do not apply or fail are left out, with the
        reason.
    out
        The file to write; its ending says the format: png, jpg, svg, pdf or webp; without one, PNG and SVG.
    frameworks
        ``torch``, ``tensorflow``, or both, drawn beside one another; by default the one that the model has.
    view
        One or several of ``overlay``, ``map``, ``capped``, ``points`` and ``mask``; see `views`.
    cap
        The percentile at which scales end; see `views.seen`.
    captioned, colour_bar
        Whether what the views show stands below in words, and as scales of colours.
    target
        The class to explain, by number or name; by default each photograph's predicted class.
    limit, per_class
        Of a folder, so many pictures; see `benchmark.work.photographs.picture_files`.
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
        For an unknown model or method, a framework that is not installed, a file that cannot be read or written.
    """
    plan = GalleryPlan.of(
        out, methods, frameworks or usual_frameworks(model), view, cap, captioned=captioned, colour_bar=colour_bar
    )
    named = [Path(images)] if isinstance(images, (str, Path)) else [Path(image) for image in images]
    if not named:
        raise BadInput("No image to explain. Give at least one picture file, or a folder of pictures.")
    chosen = picture_files(named, limit, per_class)
    files = chosen.files
    found = explain_photographs(
        files, model, plan.chosen, plan.frameworks, target=target, device=device, seed=seed, progress=progress
    )
    names = _names(files)
    titles = [_title(names[row], found, row) for row in range(len(files))]
    return replace(plan.write(list(found.pictures), titles, found.maps), notes=chosen.notes)


def _names(files: Sequence[Path]) -> list[str]:
    """Return what each picture is called: its file's name, after its folder's where another has the same name."""
    common = {stem for stem, count in Counter(file.stem for file in files).items() if count > 1}
    return [
        f"{shortened(file.resolve().parent.name, 20)}/\n{shortened(file.stem)}" if file.stem in common
        else shortened(file.stem)
        for file in files
    ]  # fmt: skip


def _title(name: str, found: ExplainedPhotographs, row: int) -> str:
    """Return the picture's name and the explained class; the predicted one too, where it is another."""
    shares, chosen = found.probabilities[row], int(found.target[row])

    def words(number: int) -> str:
        name = found.class_names[number] if found.class_names else f"class {number}"
        return f"{shortened(name)}, {percent(shares[number])}"

    top = int(shares.argmax())
    lines = [words(chosen)] if chosen == top else [f"explained: {words(chosen)}", f"predicted: {words(top)}"]
    return "\n".join([name, *lines])
