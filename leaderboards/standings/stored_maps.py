"""The heatmaps and photographs that a run has kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .standings import Table

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
            found[method.method] = {str(record["sample"]): record for record in records}
    return found


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
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError:
        return None
