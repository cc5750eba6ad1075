"""A finished cell as it is read: its scores with those of many others, its curves and heatmaps when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from .cell import CellSpec, rows_schema

BAND = "band_"
"""Prefix of the columns that hold curves."""
MAPS = ("map", "map_shape")
"""The columns that hold heatmaps."""


class Nested(Protocol):
    """Where the curves and heatmaps of cells lie."""

    def nested(self, key: str, columns: Sequence[str]) -> pa.Table:
        """Return some columns of a cell's rows; what is not kept is null."""
        ...


@dataclass(frozen=True, eq=False)
class Cell:
    """A finished cell."""

    key: str
    spec: CellSpec
    rows: pd.DataFrame = field(repr=False)
    """The rows of many cells that were read together, one per sample (see `cell.rows_schema`), without curves and
    heatmaps; a column that a cell does not have is null in its rows.
    """
    first: int
    samples: int
    """Its own are so many rows from this one on."""
    provenance: Mapping[str, Any]
    """How they were made."""
    place: Nested = field(repr=False)
    """Where the rest lies."""
    heatmaps: int = 0
    """How many of its rows have a heatmap."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """Its own rows; whoever reads many cells takes them out of ``rows`` together, which is faster."""
        columns = [name for name in flat_columns(rows_schema(self.spec.metrics).names) if name in self.rows]
        return self.rows[columns].iloc[self.first : self.first + self.samples].reset_index(drop=True)

    def curves(self) -> list[dict[str, Any]]:
        """Return the curves of every row, by column; None where none are kept."""
        names = [name for name in rows_schema(()).names if name.startswith(BAND)]
        table = self.place.nested(self.key, names)
        columns = [table[name].to_numpy().tolist() for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def maps(self) -> pd.DataFrame:
        """Return the rows that have a heatmap, with the heatmap and its shape."""
        if not self.heatmaps:
            return self.table.iloc[:0].assign(**dict.fromkeys(MAPS))
        maps = self.place.nested(self.key, MAPS).to_pandas()
        both = self.table.assign(**{name: maps[name].to_numpy() for name in MAPS})
        return both[both["map"].notna()]


def flat_columns(names: Sequence[str]) -> list[str]:
    """Return the columns that are neither curves nor heatmaps."""
    return [name for name in names if not name.startswith(BAND) and name not in MAPS]
