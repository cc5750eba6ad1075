"""The gallery of a dataset's mean heatmaps: what `heatmark explain --average` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import numpy as np

from ...benchmark.executors.usual_frameworks import usual_frameworks
from ...benchmark.work.averages import Average, Averages, MeanMaps, average_maps
from ...benchmark.work.explaining import LeftOut
from ...benchmark.work.samples import PARTS, Part, SampleRule
from ...errors import BadInput, suggestion
from ...models.zoo.loading import shown_name, trained_digest
from ..writing.numbers import counted, shortened
from .gallery import Drawn, GalleryPlan

WAYS = get_args(Average)


def average_gallery(
    data: str,
    model: str,
    methods: str | Iterable[str],
    out: str | Path,
    *,
    by: str = "class",
    frameworks: str | Sequence[str] | None = None,
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    captioned: bool = True,
    colour_bar: bool = False,
    limit: int | None = None,
    per_class: int | None = None,
    part: str = "held-out",
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
    limit, per_class, part
        Which samples, as `benchmark.run.run` takes them.
    model, methods, out, frameworks, view, cap, captioned, colour_bar, device, seed, progress
        As `of_photographs.explain_gallery` takes them.

    Raises
    ------
    BadInput
        For an unknown view, format or way of averaging, or a dataset that is empty or does not fit the model.
    NotApplicable
        If there is no map to draw.
    UnknownName, MissingExtra, StorageError
        For unknown names, a framework that is not installed, a folder that cannot be written.
    """
    if by not in WAYS:
        raise BadInput(f"--average is class or all; got {by!r}.{suggestion(by, WAYS)}")
    if part not in PARTS:
        raise BadInput(f"part is one of {', '.join(PARTS)}; got {part!r}.{suggestion(part, PARTS)}")
    plan = GalleryPlan.of(
        out, methods, frameworks or usual_frameworks(model), view, cap, captioned=captioned, colour_bar=colour_bar
    )
    found = average_maps(
        data,
        model,
        plan.chosen,
        plan.frameworks,
        cast(Average, by),
        rule=SampleRule(limit, per_class, cast(Part, part)),
        device=device,
        seed=seed,
        progress=progress,
    )
    first = found[plan.frameworks[0]]
    maps = {
        (method.id, framework): _column(first.groups, averages, method.id)
        for framework, averages in found.items()
        for method in plan.chosen.methods
    }
    pictures = [np.clip(group.picture, 0.0, 1.0) for group in first.groups]
    titles = [f"{shortened(group.name)}\n{counted(group.samples, 'sample')}" for group in first.groups]
    not_finite = sum(averages.not_finite for averages in found.values())
    drawn = plan.write(pictures, titles, maps, _note(model, data, first, not_finite))
    return replace(drawn, notes=(first.misfit,) if first.misfit else ())


def _column(groups: Sequence[MeanMaps], averages: Averages, method: str) -> list[np.ndarray | str] | LeftOut:
    """Return a method's mean maps for the groups, or why it has none."""
    for item in averages.left_out:
        if item.method == method:
            return item
    known = {group.number: group for group in averages.groups}
    column: list[np.ndarray | str] = []
    for group in groups:
        own = known.get(group.number)
        column.append("no sample is taken for this class" if own is None else own.maps.get(method, "no finite map"))
    return column


def _note(model: str, data: str, averages: Averages, not_finite: int) -> str:
    whole, shown = averages.groups[0].samples, shown_name(model, trained_digest(model))
    words = (
        f"Mean input and mean heatmaps of {counted(whole, 'sample')} of {data}, explained for the class that {shown} "
        "predicts."
    )
    if len(averages.groups) > 1:
        words += f" Classes are {'labels' if averages.by_label else 'predictions'}."
    if averages.misfit:
        words += f" {averages.misfit}"
    if averages.further_classes:
        words += f" {averages.further_classes} further classes count in the whole only."
    if not_finite:
        words += f" {not_finite} maps with values that are not finite are left out."
    return words
