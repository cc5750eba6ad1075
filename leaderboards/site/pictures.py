"""The pictures of a site: photographs that the run has kept, and heatmaps over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...benchmark.store.cell import slug
from ..galleries.colours import coloured
from ..galleries.series_tiles import series_tile
from ..galleries.views import seen
from ..standings.stored_maps import StoredRow, class_names, heatmap_over, kept_maps, seen_input, stored_picture
from ..writing.pictures import at_size, jpeg
from .catalogue import Catalogue, TaskPages

PHOTOGRAPHS = 6
"""So many photographs of each task have heatmaps."""

SIDE = 224
"""Pixels of the longer side."""

SMALLEST_SIDE = 96
"""Smaller pictures (digits) are enlarged to this without smoothing."""

STRIP_HEIGHT = 40
"""Pixels that the map of a series is high where the series is not known."""

Kept = Mapping[str, Mapping[str, StoredRow]]
"""The rows of a table that hold a heatmap, by method and sample."""


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
        kept = [kept_maps(table) for table in task.tables]
        photographs, series = _photographs(catalogue, task), _series(catalogue, task, kept)
        drawn = {sample: _at_size(picture) for sample, picture in photographs.items()}
        drawn |= {sample: series_tile(one, None, False, "overlay", SIDE) for sample, one in series.items()}
        for sample, picture in drawn.items():
            path = f"pictures/{task.slug}/{slug(sample)}.jpg"
            files[path] = jpeg(picture)
            thumbnails[task.slug, sample] = path
        for of, heatmap, content in _heatmaps(catalogue, number, task, kept, photographs | series):
            files[heatmap.path] = content
            heatmaps.setdefault(of, []).append(heatmap)
    return Pictures(files, thumbnails, heatmaps)


def _photographs(catalogue: Catalogue, task: TaskPages) -> dict[str, np.ndarray]:
    samples = dict.fromkeys(sample for table in task.tables for sample in table.results.samples)
    setting = task.tables[0].setting
    found = {sample: stored_picture(catalogue.standings.thumbnail(setting.task, sample)) for sample in samples}
    return {sample: picture for sample, picture in found.items() if picture is not None}


def _series(catalogue: Catalogue, task: TaskPages, kept: Sequence[Kept]) -> dict[str, np.ndarray]:
    """Return the series that have heatmaps, read from their dataset."""
    rows = {sample: row for maps in kept for of_method in maps.values() for sample, row in of_method.items()}
    shown = [(sample, row) for sample, row in rows.items() if len(row["map_shape"]) == 1][:PHOTOGRAPHS]
    found = {sample: seen_input(catalogue.standings, task.tables[0].setting.task, sample, row) for sample, row in shown}
    return {sample: series for sample, series in found.items() if series is not None}


def _heatmaps(
    catalogue: Catalogue, number: int, task: TaskPages, kept: Sequence[Kept], inputs: Mapping[str, np.ndarray]
) -> list[tuple[int, Heatmap, bytes]]:
    found = []
    for table, maps in zip(task.tables, kept, strict=True):
        names = class_names(table)
        shown = list(dict.fromkeys(sample for rows in maps.values() for sample in rows))[:PHOTOGRAPHS]
        for row in table.rows:
            of = catalogue.method_numbers[row.method.id]
            for sample, stored in maps.get(row.method.id, {}).items():
                heatmap = heatmap_over(stored, inputs.get(sample))
                if sample not in shown or heatmap.ndim > 2:
                    continue
                place = f"pictures/{task.slug}/{slug(table.setting.framework)}/{catalogue.methods[of].slug}"
                path = f"{place}/{slug(sample)}.jpg"
                drawn = _drawn(heatmap, inputs.get(sample), row.method.signed is not False)
                target = names.get(int(stored["target"]), f"class {int(stored['target'])}")
                heading = Heatmap(number, table.setting.framework_name, sample, target, path)
                found.append((of, heading, jpeg(drawn)))
    return found


def _drawn(heatmap: np.ndarray, original: np.ndarray | None, signed: bool) -> np.ndarray:
    """Return a map over its photograph or behind its series, or alone where there is none."""
    if heatmap.ndim == 2 and original is not None:
        return seen(_at_size(original), heatmap, signed, "overlay")
    if heatmap.ndim == 1 and original is not None:
        return series_tile(original, heatmap, signed, "overlay", SIDE)
    colours = coloured(heatmap, signed)
    if heatmap.ndim == 1:
        across = np.arange(SIDE) * len(colours) // SIDE
        return np.repeat(colours[None, across], STRIP_HEIGHT, axis=0)
    return _at_size(colours)


def _at_size(picture: np.ndarray) -> np.ndarray:
    longest = max(picture.shape[:2])
    return at_size(picture, min(max(longest, SMALLEST_SIDE), SIDE))
