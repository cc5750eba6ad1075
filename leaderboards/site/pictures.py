"""The pictures of a site: photographs that the run has kept, and heatmaps over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...benchmark.store.cell import slug
from ..galleries.colours import coloured
from ..galleries.views import seen
from ..standings.stored_maps import class_names, heatmap_of, kept_maps, stored_picture
from ..writing.pictures import at_size, jpeg
from .catalogue import Catalogue, TaskPages

PHOTOGRAPHS = 6
"""So many photographs of each task have heatmaps."""

SIDE = 224
"""Pixels of the longer side."""

SMALLEST_SIDE = 96
"""Smaller pictures (digits) are enlarged to this without smoothing."""

STRIP_HEIGHT = 40
"""Pixels that the map of a series is high."""


@dataclass(frozen=True)
class Heatmap:
    """One heatmap of a method."""

    task: int
    framework: str
    """The number of its task, and the framework."""
    sample: str
    of: str
    """The photograph, and the class whose evidence the map shows."""
    path: str
    """Where it lies in the site."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """What is written below ``pictures/``, and what shows it."""

    files: Mapping[str, bytes]
    thumbnails: Mapping[tuple[str, str], str]
    """The address of a photograph by (task, sample)."""
    heatmaps: Mapping[int, Sequence[Heatmap]]
    """By the number of the method."""


def pictures(catalogue: Catalogue) -> Pictures:
    """Return every picture that the site shows."""
    files: dict[str, bytes] = {}
    thumbnails: dict[tuple[str, str], str] = {}
    heatmaps: dict[int, list[Heatmap]] = {}
    for number, task in enumerate(catalogue.tasks):
        originals = _photographs(catalogue, task)
        for sample, picture in originals.items():
            path = f"pictures/{task.slug}/{slug(sample)}.jpg"
            files[path] = jpeg(_at_size(picture))
            thumbnails[task.slug, sample] = path
        for of, heatmap, content in _heatmaps(catalogue, number, task, originals):
            files[heatmap.path] = content
            heatmaps.setdefault(of, []).append(heatmap)
    return Pictures(files, thumbnails, heatmaps)


def _photographs(catalogue: Catalogue, task: TaskPages) -> dict[str, np.ndarray]:
    samples = dict.fromkeys(sample for table in task.tables for sample in table.results.samples)
    setting = task.tables[0].setting
    found = {sample: stored_picture(catalogue.standings.thumbnail(setting.task, sample)) for sample in samples}
    return {sample: picture for sample, picture in found.items() if picture is not None}


def _heatmaps(
    catalogue: Catalogue, number: int, task: TaskPages, photographs: Mapping[str, np.ndarray]
) -> list[tuple[int, Heatmap, bytes]]:
    found = []
    for table in task.tables:
        kept, names = kept_maps(table), class_names(table)
        shown = list(dict.fromkeys(sample for rows in kept.values() for sample in rows))[:PHOTOGRAPHS]
        for row in table.rows:
            of = catalogue.method_numbers[row.method.id]
            for sample, stored in kept.get(row.method.id, {}).items():
                heatmap = heatmap_of(stored)
                if sample not in shown or heatmap.ndim > 2:
                    continue
                place = f"pictures/{task.slug}/{slug(table.setting.framework)}/{catalogue.methods[of].slug}"
                path = f"{place}/{slug(sample)}.jpg"
                drawn = _drawn(heatmap, photographs.get(sample), row.method.signed is not False)
                target = names.get(int(stored["target"]), f"class {int(stored['target'])}")
                heading = Heatmap(number, table.setting.framework_name, sample, target, path)
                found.append((of, heading, jpeg(drawn)))
    return found


def _drawn(heatmap: np.ndarray, photograph: np.ndarray | None, signed: bool) -> np.ndarray:
    """Return a map over its photograph, or alone where there is none to lay it on."""
    if heatmap.ndim == 2 and photograph is not None:
        return seen(_at_size(photograph), heatmap, signed, "overlay")
    colours = coloured(heatmap, signed)
    return np.repeat(colours[None], STRIP_HEIGHT, axis=0) if heatmap.ndim == 1 else _at_size(colours)


def _at_size(picture: np.ndarray) -> np.ndarray:
    longest = max(picture.shape[:2])
    return at_size(picture, min(max(longest, SMALLEST_SIDE), SIDE))
