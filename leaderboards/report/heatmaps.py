"""The gallery of the report: small pictures as data URIs, frameworks beside one another."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..galleries.colours import coloured
from ..galleries.views import View, seen
from ..standings.standings import Standings, Table

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
    tasks: dict[tuple[Any, ...], list[Table]] = {}
    for table in standings.tables:
        tasks.setdefault(tuple(table.setting[:3]), []).append(table)
    found = [_gallery(standings, tables) for tables in tasks.values()]
    return [gallery for gallery in found if gallery.rows]


def _gallery(standings: Standings, tables: Sequence[Table]) -> Gallery:
    kept = [_kept_maps(table) for table in tables]
    methods = list(dict.fromkeys(row.method.id for table in tables for row in table.rows))
    methods = [method for method in methods if any(method in maps for maps in kept)]
    samples = list(dict.fromkeys(sample for maps in kept for rows in maps.values() for sample in rows))[:PICTURES]
    tiles = len(samples) * len(methods) * len(tables)
    views = VIEWS if tiles <= MOST_IN_ALL_VIEWS else VIEWS[:1]
    size = next((size for most, size in TILE_SIZES if tiles * len(views) <= most), SMALLEST_TILE)
    signed = {row.method.id: row.method.signed is not False for table in tables for row in table.rows}
    task = tables[0].setting.task
    rows = []
    for sample in samples:
        picture = stored_picture(standings.store.thumbnail(task, sample))
        columns = tuple(
            tuple(
                _tile(
                    table.setting.framework_name,
                    method,
                    maps.get(method, {}).get(sample),
                    picture,
                    signed[method],
                    size,
                    views,
                )
                for table, maps in zip(tables, kept, strict=True)
            )
            for method in methods
        )
        title, details = _words(tables, kept, sample)
        photograph = _uri(picture, size, photographic=True) if picture is not None else ""
        rows.append(GalleryRow(title, details, photograph, columns))
    frameworks = tuple(table.setting.framework_name for table in tables)
    return Gallery(str(task), tuple(methods), frameworks, tuple(rows), views)


def _kept_maps(table: Table) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return the rows that hold a heatmap, by method and sample."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for method in table.results.methods:
        if "map" not in method.rows:
            continue
        rows = method.rows[method.rows["map"].notna()].drop_duplicates("sample").sort_values("index")
        if len(rows):
            found[method.method] = {
                str(record["sample"]): {str(k): v for k, v in record.items()} for record in rows.to_dict("records")
            }
    return found


def _tile(
    framework: str,
    method: str,
    row: Mapping[str, Any] | None,
    picture: np.ndarray | None,
    signed: bool,
    size: int,
    views: tuple[View, ...],
) -> Tile:
    if row is None:
        return Tile(framework, (), "no heatmap")
    heatmap = np.asarray(row["map"], dtype=np.float32).reshape([int(n) for n in row["map_shape"]])
    words = f"{method}, {framework}" + (f" ({row['degenerate']} map)" if row["degenerate"] else "")
    # Without a picture to lay it on, a map is shown alone, the same in every view.
    if heatmap.ndim == 1:
        strip = np.repeat(coloured(heatmap, signed)[None], STRIP_HEIGHT, axis=0)
        uri = _uri(strip, max(size, len(heatmap)), photographic=False)
        return Tile(framework, tuple((view, uri) for view in views[:1]), words)
    if heatmap.ndim != 2:
        return Tile(framework, (), "not a picture")
    if picture is None:
        uri = _uri(coloured(heatmap, signed), size, photographic=False)
        return Tile(framework, tuple((view, uri) for view in views[:1]), words)
    return Tile(framework, tuple((view, _drawn(picture, heatmap, signed, view, size)) for view in views), words)


def _drawn(picture: np.ndarray, heatmap: np.ndarray, signed: bool, view: View, size: int) -> str:
    """Return one view of a heatmap as a data URI."""
    if view == "mask":
        # A mask is blurred by pixels of the picture that the network saw, so it is made before anything is resized.
        return _uri(seen(picture, heatmap, signed, view), size, photographic=True)
    return _uri(seen(_at_size(picture, size), heatmap, signed, view), size, photographic=True)


def _words(
    tables: Sequence[Table], kept: Sequence[Mapping[str, Mapping[str, Mapping[str, Any]]]], sample: str
) -> tuple[str, tuple[str, ...]]:
    """Return a photograph's title and what each framework predicts for it."""
    title, details = sample, list[str]()
    for table, maps in zip(tables, kept, strict=True):
        row = next((rows[sample] for rows in maps.values() if sample in rows), None)
        if row is None:
            continue
        names = class_names(table)
        title = names.get(str(row["target"]), f"class {row['target']}")
        label = names.get(str(row["label"]), f"class {row['label']}")
        truth = "" if row["label"] < 0 else " ✓" if row["label"] == row["predicted"] else f" (label: {label})"
        details.append(f"{table.setting.framework_name} {100 * row['target_probability']:.1f} %{truth}")
    return title, (*details, sample)


def class_names(table: Table) -> dict[str, str]:
    """Return the class names that the cells recorded, by class id."""
    found: dict[str, str] = {}
    for method in table.results.methods:
        for provenance in method.provenances:
            names = provenance.get("class_names")
            if isinstance(names, Mapping):
                found.update({str(key): str(name) for key, name in names.items()})
    return found


def stored_picture(path: Path) -> np.ndarray | None:
    """Return a stored photograph, or None where it is missing or damaged."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError:
        return None


def _at_size(picture: np.ndarray, size: int) -> np.ndarray:
    """Return the picture with its longer side at ``size`` pixels."""
    image = Image.fromarray(picture)
    share = size / max(image.size)
    # Small pictures (digits) are enlarged without smoothing, so that their pixels stay visible.
    resample = Image.Resampling.LANCZOS if share < 1 else Image.Resampling.NEAREST
    wanted = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return np.asarray(image.resize(wanted, resample))


def _uri(picture: np.ndarray, size: int, *, photographic: bool) -> str:
    """Return a picture as a data URI: JPEG for photographs, PNG for flat colours."""
    buffer = io.BytesIO()
    image = Image.fromarray(_at_size(picture, size))
    if photographic:
        image.save(buffer, format="JPEG", quality=82, optimize=True)
    else:
        image.save(buffer, format="PNG", optimize=True)
    kind = "jpeg" if photographic else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
