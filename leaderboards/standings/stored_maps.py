"""The heatmaps and photographs that a run has kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.store.cell import Task
from ...benchmark.work.thumbnails import LARGEST_MAP, block_edges
from ...datasets.decoding import opened_picture
from ...errors import BadInput, HeatmarkError
from .standings import Standings, Table

StoredRow = Mapping[str, Any]
"""A row of a cell that holds a heatmap, by column."""


def kept_maps(table: Table) -> dict[str, dict[str, StoredRow]]:
    """Return the rows that hold a heatmap, by method and sample, in the dataset's order."""
    found: dict[str, dict[str, StoredRow]] = {}
    for method in table.results.methods:
        rows = method.maps()
        if len(rows):
            rows = rows.drop_duplicates("sample").sort_values("index")
            records = [{str(name): value for name, value in record.items()} for record in rows.to_dict("records")]
            whole = (record for record in records if _is_whole(record))
            found[method.method] = {str(record["sample"]): record for record in whole}
    return found


def _is_whole(row: StoredRow) -> bool:
    """Return whether a row's heatmap has values, and as many as its shape says: a run of others may hold anything."""
    shape = row["map_shape"]
    return shape is not None and 0 < len(row["map"]) == math.prod(int(length) for length in shape)


def heatmap_of(row: StoredRow) -> np.ndarray:
    """Return a row's heatmap in its own shape."""
    return np.asarray(row["map"], dtype=np.float32).reshape([int(length) for length in row["map_shape"]])


def class_names(table: Table) -> dict[int, str]:
    """Return the class names that the cells recorded, by class id."""
    found: dict[int, str] = {}
    for provenance in table.provenances:
        names = provenance.get("class_names")
        if isinstance(names, Mapping):
            found.update({int(key): str(name) for key, name in names.items()})
    return found


def stored_picture(path: Path) -> np.ndarray | None:
    """Return a stored photograph, or None where it is missing or damaged."""
    try:
        with opened_picture(path, str(path)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, BadInput):
        return None


def seen_input(standings: Standings, task: Task, sample: str, row: StoredRow) -> np.ndarray | None:
    """Return what the network saw: the stored photograph, or a series read from its dataset; None where unknown.

    Parameters
    ----------
    row
        One that holds a heatmap of the sample: a map with one axis is of a series.
    """
    from ...datasets.registry import load_dataset

    if len(row["map_shape"]) != 1:
        return stored_picture(standings.thumbnail(task, sample))
    try:
        data = load_dataset(task.dataset)
        # A row knows its place among the samples that were chosen, which need not be the first of the data.
        places = [int(row["index"]), *range(len(data))]
        found = next((data.sample(one) for one in places if one < len(data) and data.sample_id(one) == sample), None)
    except HeatmarkError:
        return None
    if found is None:
        return None
    series = found.array.reshape(len(found.array), -1)
    # Data may have changed since.
    return series if min(len(series), LARGEST_MAP) == int(row["map_shape"][0]) else None


def heatmap_over(row: StoredRow, picture: np.ndarray | None) -> np.ndarray:
    """Return a row's heatmap for what the network saw: of a long series, each position has its block's stored mean."""
    heatmap = heatmap_of(row)
    if heatmap.ndim != 1 or picture is None or len(heatmap) == len(picture):
        return heatmap
    return heatmap[np.searchsorted(block_edges(len(picture)), np.arange(len(picture)), side="right") - 1]
