"""Heatmaps of a packed run: those of its first samples, with 256 levels each, to be looked at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from .finished import MAPS

HEATMAPS = "heatmaps.parquet"
LEVELS = 255
"""A packed map differs from the map by at most 1/500 of its range, and not where it is zero; scores were taken of the
map itself.
"""


class PackedMap(NamedTuple):
    """One map: the row that it belongs to, and its values as shares of the way from ``low`` to ``high``."""

    cell: int
    row: int
    shape: list[int]
    low: float
    high: float
    levels: np.ndarray


def first_maps(number: int, rows: pa.Table, most: int) -> Iterable[PackedMap]:
    """Yield the first finite maps of a cell's rows, packed; ``number`` is the cell's."""
    if most <= 0 or not set(MAPS) <= set(rows.column_names):
        return
    kept = [row for row in range(len(rows)) if rows["map"][row].is_valid]
    for row in kept[:most]:
        values = np.asarray(rows["map"][row].values, np.float64)
        shape = rows["map_shape"][row].as_py() or ()
        if values.size and values.size == math.prod(shape) and np.isfinite(values).all():
            low, high = _ends(float(values.min()), float(values.max()))
            share = (values - low) / (high - low) if high > low else np.zeros_like(values)
            yield PackedMap(number, row, list(shape), low, high, np.rint(LEVELS * share).astype(np.uint8))


def _ends(low: float, high: float) -> tuple[float, float]:
    """Return the least range around two values in which zero, where it lies between them, is a level.

    What is zero in a signed map speaks neither for nor against the class, and must not be coloured as if it did.
    """
    if not low < 0 < high:
        return low, high
    place = LEVELS * -low / (high - low)
    below = (min(max(number, 1), LEVELS - 1) for number in (math.floor(place), math.ceil(place)))
    step, zero = min((max(-low / number, high / (LEVELS - number)), number) for number in below)
    return -zero * step, (LEVELS - zero) * step


def maps_table(maps: Iterable[PackedMap]) -> pa.Table:
    """Return packed maps as the table of `HEATMAPS`."""
    columns: list[tuple[str, pa.DataType]] = [
        ("cell", pa.int32()),
        ("row", pa.int32()),
        ("shape", pa.list_(pa.int32())),
        ("low", pa.float32()),
        ("high", pa.float32()),
        ("levels", pa.list_(pa.uint8())),
    ]
    listed = list(maps)
    arrays = [pa.array([one[place] for one in listed], kind) for place, (_, kind) in enumerate(columns)]
    return pa.table(arrays, schema=pa.schema(columns))


def unpacked(table: pd.DataFrame, rows: int) -> Mapping[str, pa.Array]:
    """Return the columns of `MAPS` for a cell's rows from its part of `HEATMAPS`; null where no map is packed."""
    maps: list[Any] = [None] * rows
    shapes: list[Any] = [None] * rows
    for row, shape, low, high, levels in table[["row", "shape", "low", "high", "levels"]].itertuples(index=False):
        first, last = float(low), float(high)  # in double precision, in which no difference of two is infinite
        maps[row] = (first + (last - first) * np.asarray(levels, np.float64) / LEVELS).astype(np.float32)
        shapes[row] = list(shape)
    return {"map": pa.array(maps, pa.list_(pa.float32())), "map_shape": pa.array(shapes, pa.list_(pa.int32()))}
