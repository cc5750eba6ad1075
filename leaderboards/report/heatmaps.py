"""The gallery of the report: small pictures as data URIs, frameworks beside one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..galleries.colours import coloured
from ..galleries.series_tiles import series_tile
from ..galleries.views import View, seen
from ..standings.registered import MethodFacts
from ..standings.standings import Standings, Table
from ..standings.stored_maps import StoredRow, class_names, heatmap_over, kept_maps, seen_input
from ..writing.ink import data_uri
from ..writing.numbers import percent
from ..writing.pictures import at_size, jpeg, png

PICTURES = 8
"""So many photographs are shown at most."""

VIEWS: tuple[View, ...] = ("overlay", "capped", "points", "mask")
"""What the reader can choose from; the first is shown at first, and alone where there are very many heatmaps."""

MOST_IN_ALL_VIEWS = 600
"""Up to so many heatmaps are drawn in every view."""

TILE_SIZES = ((180, 192), (640, 144), (1200, 112))
"""Up to so many pictures, each has so many pixels a side; that keeps the report to a few MB."""

SMALLEST_TILE = 80
STRIP_HEIGHT = 24


@dataclass(frozen=True)
class Tile:
    """One heatmap: its pictures as (view, data URI), or why there are none."""

    framework: str
    views: tuple[tuple[View, str], ...]
    words: str


@dataclass(frozen=True)
class GalleryRow:
    """One photograph and its heatmaps, per method (in the gallery's order) and framework."""

    title: str
    details: tuple[str, ...]
    photograph: str
    tiles: tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True)
class Gallery:
    """The heatmaps of one task; ``methods`` names the columns, ``frameworks`` what stands side by side in each.

    ``views`` are those that the reader can choose from.
    """

    title: str
    methods: tuple[str, ...]
    frameworks: tuple[str, ...]
    rows: tuple[GalleryRow, ...]
    views: tuple[View, ...]


def galleries(standings: Standings) -> list[Gallery]:
    """Return a gallery per task, for the tasks of which heatmaps were kept."""
    found = [_gallery(standings, tables) for tables in standings.by_task]
    return [gallery for gallery in found if gallery.rows]


def _gallery(standings: Standings, tables: Sequence[Table]) -> Gallery:
    kept = [kept_maps(table) for table in tables]
    methods = {row.method.id: row.method for table in tables for row in table.rows}
    shown = [method for name, method in methods.items() if any(name in maps for maps in kept)]
    first = {sample: row for maps in reversed(kept) for rows in maps.values() for sample, row in rows.items()}
    samples = list(dict.fromkeys(sample for maps in kept for rows in maps.values() for sample in rows))[:PICTURES]
    tiles = len(samples) * len(shown) * len(tables)
    views = VIEWS if tiles <= MOST_IN_ALL_VIEWS else VIEWS[:1]
    size = next((size for most, size in TILE_SIZES if tiles * len(views) <= most), SMALLEST_TILE)
    frameworks = tuple(table.setting.framework_name for table in tables)
    task = tables[0].setting.task
    rows = []
    for sample in samples:
        picture = seen_input(standings, task, sample, first[sample])
        columns = tuple(
            tuple(
                _tile(framework, method, maps.get(method.id, {}).get(sample), picture, size, views)
                for framework, maps in zip(frameworks, kept, strict=True)
            )
            for method in shown
        )
        title, details = _words(tables, kept, sample)
        photograph = "" if picture is None else _input_uri(picture, size, series=len(first[sample]["map_shape"]) == 1)
        rows.append(GalleryRow(title, details, photograph, columns))
    return Gallery(tables[0].setting.task_title, tuple(method.name for method in shown), frameworks, tuple(rows), views)


def _tile(
    framework: str,
    method: MethodFacts,
    row: StoredRow | None,
    picture: np.ndarray | None,
    size: int,
    views: tuple[View, ...],
) -> Tile:
    if row is None:
        return Tile(framework, (), "no heatmap")
    heatmap, signed = heatmap_over(row, picture), method.signed is not False
    if heatmap.ndim > 2:
        return Tile(framework, (), "not a picture")
    words = f"{method.name}, {framework}" + (f" ({row['degenerate']} map)" if row["degenerate"] else "")
    if heatmap.ndim == 2 and picture is not None:
        return Tile(framework, tuple((view, _drawn(picture, heatmap, signed, view, size)) for view in views), words)
    if heatmap.ndim == 1 and picture is not None:
        drawn = ((view, series_tile(picture, heatmap, signed, view, size)) for view in views)
        return Tile(framework, tuple((view, _uri(tile, size, photographic=False)) for view, tile in drawn), words)
    # Without a picture to lay it on, a map is shown alone, the same in every view.
    colours = coloured(heatmap, signed)
    if heatmap.ndim == 1:
        colours, size = np.repeat(colours[None], STRIP_HEIGHT, axis=0), max(size, len(heatmap))
    return Tile(framework, ((views[0], _uri(colours, size, photographic=False)),), words)


def _input_uri(picture: np.ndarray, size: int, *, series: bool) -> str:
    """Return what the network saw as a data URI: a photograph, or a series as a line."""
    if series:
        return _uri(series_tile(picture, None, False, "overlay", size), size, photographic=False)
    return _uri(picture, size, photographic=True)


def _drawn(picture: np.ndarray, heatmap: np.ndarray, signed: bool, view: View, size: int) -> str:
    """Return one view of a heatmap as a data URI."""
    if view == "mask":
        # A mask is blurred by pixels of the picture that the network saw, so it is made before anything is resized.
        return _uri(seen(picture, heatmap, signed, view), size, photographic=True)
    return _uri(seen(at_size(picture, size), heatmap, signed, view), size, photographic=True)


def _words(
    tables: Sequence[Table], kept: Sequence[Mapping[str, Mapping[str, StoredRow]]], sample: str
) -> tuple[str, tuple[str, ...]]:
    """Return a photograph's title and what each framework predicts for it."""
    titles, details = list[str](), list[str]()
    for table, maps in zip(tables, kept, strict=True):
        row = next((rows[sample] for rows in maps.values() if sample in rows), None)
        if row is None:
            continue
        names = class_names(table)
        titles.append(names.get(row["target"], f"class {row['target']}"))
        label = names.get(row["label"], f"class {row['label']}")
        truth = "" if row["label"] < 0 else " ✓" if row["label"] == row["predicted"] else f" (label: {label})"
        details.append(f"{table.setting.framework_name} {percent(row['target_probability'])}{truth}")
    return " / ".join(dict.fromkeys(titles)) or sample, (*details, sample)


def _uri(picture: np.ndarray, size: int, *, photographic: bool) -> str:
    """Return a picture as a data URI: JPEG for photographs, PNG for flat colours."""
    shown = at_size(picture, size)
    return data_uri(jpeg(shown), "jpeg") if photographic else data_uri(png(shown), "png")
