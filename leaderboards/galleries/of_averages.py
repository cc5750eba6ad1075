"""The gallery of a dataset's mean heatmaps: what `heatmark explain --average` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...benchmark.work.averages import CLASSES, Average, Averages, MeanMaps, average_maps
from ...benchmark.work.explaining import chosen_methods
from ...errors import BadInput, NotApplicable, suggestion
from ...models.zoo.loading import shown_name, trained_digest
from ..writing.files import checked_file, write_figure
from ..writing.numbers import shortened
from .colours import check_percentile
from .columns import Drawn, columns_of, in_words, signs_of
from .drawing import draw_gallery
from .views import views_of

WAYS = ("class", "all")


def average_gallery(
    data: str,
    model: str,
    methods: str | Iterable[str],
    out: str | Path,
    *,
    by: str = "class",
    frameworks: str | Sequence[str] = "torch",
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    limit: int | None = None,
    classes: int = CLASSES,
    device: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> Drawn:
    """Write the gallery of a dataset's mean heatmaps: a line for the whole and one per class, with sample counts.

    Parameters
    ----------
    data
        A dataset's name.
    by
        ``class`` or ``all``.
    limit, classes
        As `benchmark.work.averages.mean_maps` takes them.
    model, methods, out, frameworks, view, cap, device, seed, progress
        As `explained.explain_gallery` takes them.

    Raises
    ------
    BadInput
        For an unknown view, format or way of averaging, or a dataset that does not fit the model.
    NotApplicable
        If there is no map to draw.
    UnknownName, MissingExtra, StorageError
        For unknown names, a framework that is not installed, a folder that cannot be written.
    """
    path = checked_file(out)
    way = _checked(by, limit, classes)
    views_of(view)
    if cap is not None:
        check_percentile(cap)
    chosen = chosen_methods(methods)
    names = [frameworks] if isinstance(frameworks, str) else list(frameworks)
    found = average_maps(
        data, model, chosen, names, way, limit=limit, classes=classes, device=device, seed=seed, progress=progress
    )
    left_out = [*chosen.left_out, *(item for averages in found.values() for item in averages.left_out)]
    columns = columns_of(chosen.methods, names)
    first = found[names[0]]
    maps = {
        title: _column(first.groups, found[framework], method, every=chosen.every)
        for (method, framework), title in columns.items()
    }
    kept = {title: column for title, column in maps.items() if column is not None}
    if not kept:
        raise NotApplicable(f"There is no heatmap to draw: {'; '.join(in_words(left_out))}.")
    titles = [f"{shortened(group.name)}\n{_counted(group.samples)}" for group in first.groups]
    figure = draw_gallery(
        [np.clip(group.picture, 0.0, 1.0) for group in first.groups],
        kept,
        signs_of(chosen.methods, columns),
        titles,
        view=view,
        cap=cap,
        note=_note(
            shown_name(model, trained_digest(model)),
            data,
            first,
            sum(averages.not_finite for averages in found.values()),
        ),
    )
    write_figure(figure, path)
    return Drawn(path, tuple(left_out) if chosen.every else ())


def _column(
    groups: Sequence[MeanMaps], averages: Averages, method: str, *, every: bool
) -> list[np.ndarray | str] | None:
    """Return a method's mean maps for the groups, or None where it is left out of all."""
    reason = next((item.reason for item in averages.left_out if item.method == method), None)
    if reason is not None:
        return None if every else [reason] * len(groups)
    known = {group.number: group for group in averages.groups}
    column: list[np.ndarray | str] = []
    for group in groups:
        own = known.get(group.number)
        column.append("no sample is taken for this class" if own is None else own.maps.get(method, "no finite map"))
    return column


def _note(model: str, data: str, averages: Averages, not_finite: int) -> str:
    whole, shown = averages.groups[0].samples, shown_name(model, trained_digest(model))
    words = (
        f"Mean input and mean heatmaps of {_counted(whole)} of {data}, explained for the class that {shown} predicts."
    )
    if len(averages.groups) > 1:
        words += f" Classes are {'labels' if averages.by_label else 'predictions'}."
    if averages.further_classes:
        words += f" {averages.further_classes} further classes count in the whole only."
    if not_finite:
        words += f" {not_finite} maps with values that are not finite are left out."
    return words


def _counted(samples: int) -> str:
    return f"{samples} sample{'' if samples == 1 else 's'}"


def _checked(by: str, limit: int | None, classes: int) -> Average:
    if by not in WAYS:
        raise BadInput(f"--average is class or all; got {by!r}.{suggestion(by, WAYS)}")
    for name, value in (("limit", limit), ("classes", classes)):
        if value is not None and value < 1:
            raise BadInput(f"{name} is a number of at least 1; got {value}.")
    return "class" if by == "class" else "all"
