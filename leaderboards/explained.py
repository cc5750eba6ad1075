"""One's own photographs, explained: what `heatmark explain` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput, NotApplicable, StorageError
from ..storage import written_whole
from .gallery import View, check_view, draw_gallery
from .results import FRAMEWORK_NAMES

if TYPE_CHECKING:
    from ..models.base import Model

DOTS_PER_INCH = 200
FORMATS = (".png", ".jpg", ".jpeg", ".svg", ".pdf", ".webp")


def explain_gallery(
    images: str | Path | Sequence[str | Path],
    model: str,
    methods: str | Iterable[str],
    out: str | Path,
    *,
    frameworks: str | Sequence[str] = "torch",
    view: View = "overlay",
    target: int | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Path:
    """Explain photographs and write the gallery of their heatmaps.

    Parameters
    ----------
    images
        Picture files. Each is framed as the model frames photographs as taken.
    model
        The name of a registered model.
    methods
        Selections (``"saliency,integrated_gradients[steps=20|50]"``).
    out
        The file to write; its suffix says the format: png, jpg, svg, pdf or webp.
    frameworks
        ``torch``, ``tensorflow``, or both, drawn beside one another.
    view
        ``overlay`` on the grey photograph, the bare ``map``, or ``both``.
    target
        The class to explain; by default each photograph's predicted class.
    device
        As `load_model` takes it.
    seed
        The seed of noise and masks.

    Returns
    -------
    path
        The written file.

    Raises
    ------
    BadInput
        For a file that is no picture, an unknown view or format, a target out of range, or no image at all.
    UnknownName, MissingExtra, StorageError
        For an unknown model or method, a framework that is not installed, a folder that cannot be written.
    """
    from ..methods.registry import method_from
    from ..models.registry import load_model
    from ..selection import parse_selections

    check_view(view)
    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise BadInput(f"{path.name}: the gallery's format is one of {', '.join(FORMATS)}. Name a file that ends so.")
    files = [Path(images)] if isinstance(images, (str, Path)) else [Path(image) for image in images]
    if not files:
        raise BadInput("No image to explain. Give at least one picture file.")
    arrays = [_array(file) for file in files]
    wanted = [method_from(selection) for selection in parse_selections(methods)]
    names = [frameworks] if isinstance(frameworks, str) else list(frameworks)
    maps: dict[str, list[np.ndarray | str]] = {}
    signed: dict[str, bool] = {}
    pictures: list[np.ndarray] = []
    titles: list[str] = []
    # Methods as the outer order of the columns: the frameworks stand beside one another.
    columns = {(method.id, name): _column(method.id, name, names) for method in wanted for name in names}
    for column in columns.values():
        maps[column] = []
    for name in names:
        loaded = load_model(model, framework=name, device=device)
        x = _framed(files, arrays, loaded)
        logits = np.asarray(loaded.outputs(x), dtype=np.float64)
        chosen = logits.argmax(axis=1) if target is None else np.full(len(files), _checked(target, logits.shape[1]))
        if not pictures:
            pictures = list(_channels_last(loaded, x))
            titles = [_title(file, loaded, row, c) for file, row, c in zip(files, logits, chosen, strict=True)]
        for method in wanted:
            column = columns[method.id, name]
            signed[column] = method.entry.signed
            maps[column] = _maps(loaded, method, x, chosen, seed)
    figure = draw_gallery(pictures, maps, signed, titles, view=view)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=DOTS_PER_INCH)
    return path


def _maps(model: Model, method: Any, x: Any, target: np.ndarray, seed: int) -> list[np.ndarray | str]:
    from ..methods.explain import explain_batch

    try:
        return list(np.asarray(explain_batch(model, method, x, target, seed=seed)))
    except NotApplicable as reason:
        return [f"not applicable: {reason}"] * len(target)


def _array(file: Path) -> np.ndarray:
    """Return a picture file's pixels."""
    from ..datasets.decoding import decoded

    try:
        return decoded(file.read_bytes(), str(file))
    except OSError as error:
        raise StorageError(f"Cannot read {file}: {error.strerror or error}. Check the path.") from error


def _framed(files: Sequence[Path], arrays: Sequence[np.ndarray], model: Model) -> Any:
    """Return the photographs as one batch in the model's native layout."""
    from ..datasets.framing import framed, target_of
    from ..datasets.samples import Sample

    goal = target_of(model)
    rows = [framed(Sample(file.name, array, -1), goal)[0] for file, array in zip(files, arrays, strict=True)]
    return model.from_numpy(np.stack(rows))


def _channels_last(model: Model, x: Any) -> np.ndarray:
    array = np.asarray(model.to_numpy(x))
    return array if model.channel_axis is None else np.moveaxis(array, model.channel_axis, -1)


def _title(file: Path, model: Model, logits: np.ndarray, chosen: int) -> str:
    shares = np.exp(logits - logits.max())
    name = model.class_names[chosen] if model.class_names else f"class {chosen}"
    return f"{_shortened(file.stem)}\n{_shortened(name)}, {100 * shares[chosen] / shares.sum():.1f} %"


def _column(method: str, framework: str, frameworks: Sequence[str]) -> str:
    return method if len(frameworks) == 1 else f"{method}\n{FRAMEWORK_NAMES.get(framework, framework)}"


def _checked(target: int, classes: int) -> int:
    if not 0 <= target < classes:
        raise BadInput(f"The target {target} is out of range: the model has the classes 0 to {classes - 1}.")
    return target


def _shortened(text: str, length: int = 24) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
