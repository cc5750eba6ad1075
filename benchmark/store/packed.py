"""Finished cells in few files instead of one each: how a run is kept that is read, sent and cited, and not continued.

::

    packed/cells.parquet      one row per planned cell: its key, state, specification, provenance and checksum
    packed/rows.parquet       one row per sample of a finished cell, cells after one another, without heatmaps
    packed/curves.parquet     the curves of these rows, row by row; may be missing
    packed/heatmaps.parquet   some heatmaps, rounded, with the cell and its row; may be missing

Tables of others may lie beside them (mean curves; see `heatmark.leaderboards.standings.kept_curves`).

What is not a number, a text or a key is JSON. A field of a specification or provenance is a column, so that what many
cells share (definitions of metrics, class names) is kept once. ``run.json`` holds the SHA-256 of each file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import HeatmarkError, StorageError
from ...identity import file_digest
from .cell import CellSpec, rows_schema
from .checksum import content_checksum
from .finished import MAPS, Cell
from .packed_maps import HEATMAPS, unpacked

CELLS, ROWS, CURVES = "cells.parquet", "rows.parquet", "curves.parquet"
SPEC, PROVENANCE = "spec:", "provenance:"
"""Prefixes of the columns that hold the fields of a specification and of a provenance."""
NUMBER = "cell"
"""The column of rows that holds the row of ``cells.parquet`` that they belong to."""
DONE, FAILED, NOT_APPLICABLE, MISSING = "done", "failed", "not applicable", "missing"
"""The states of a cell."""
_REMEDY = "Take the folder anew from where it came, or pack it again with `heatmark merge --pack`."


@dataclass(frozen=True, eq=False)
class PackedCell:
    """What is known of a planned cell without its rows."""

    key: str
    spec: CellSpec
    state: str
    first: int = 0
    rows: int = 0
    """Its rows are so many from this one on."""
    checksum: str = ""
    """Of its packed rows and provenance (`checksum.content_checksum`)."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""
    reason: str = ""
    """Why it failed, or has no meaning."""
    heatmaps: int = 0
    """How many of its rows have a heatmap, which is in the cell's own file."""
    size: int = 0
    modified: int = 0
    """The bytes of that file, and when it was changed last, in nanoseconds."""


class PackedCells:
    """The cells of a packed run; each file is read, and compared with its digest, when it is first asked for.

    Parameters
    ----------
    folder
        Where the files are.
    digests
        The SHA-256 of each file by its name.
    """

    def __init__(self, folder: Path, digests: Any) -> None:
        self._folder = folder
        self._group: tuple[int, pa.Table] | None = None
        self._digests: Mapping[str, Any] = digests if isinstance(digests, Mapping) else {}

    @cached_property
    def entries(self) -> dict[str, PackedCell]:
        """Every planned cell by key, in the plan's order.

        Raises
        ------
        StorageError
            If the file is missing, damaged, or not as it was packed.
        """
        table = self._read(CELLS)
        try:
            columns = {name: table[name].to_pylist() for name in _PLAIN if name in table.column_names}
            specs, provenances = (_objects(table, prefix) for prefix in (SPEC, PROVENANCE))
        except (KeyError, ValueError) as error:
            raise self._damaged(CELLS, str(error)) from error
        found: dict[str, PackedCell] = {}
        first = 0
        for number, plain in enumerate(specs):
            known = {name: values[number] for name, values in columns.items()}
            try:
                spec = CellSpec.from_plain(plain)
            except HeatmarkError as error:
                raise self._damaged(CELLS, f"row {number + 1}: {error}") from error
            found[known["key"]] = PackedCell(spec=spec, first=first, provenance=provenances[number], **known)
            first += known["rows"]
        return found

    @cached_property
    def rows(self) -> pa.Table:
        """The rows of all cells, without curves; StorageError as for `entries`."""
        table = self._read(ROWS)
        wanted = sum(entry.rows for entry in self.entries.values())
        if len(table) != wanted:
            raise self._damaged(ROWS, f"it has {len(table)} rows, and its cells {wanted}")
        return table

    def cells(self, keys: Sequence[str]) -> list[Cell]:
        """Return the finished ones among some cells, in their order; StorageError as for `entries`."""
        known = (self.entries.get(key) for key in keys)
        done = [entry for entry in known if entry is not None and entry.state == DONE]
        return [
            Cell(one.key, one.spec, self.frame, one.first, one.rows, one.provenance, self, one.heatmaps) for one in done
        ]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """``rows`` as pandas has them; StorageError as for `entries`."""
        frame: pd.DataFrame = self.rows.to_pandas()
        return frame

    def table(self, entry: PackedCell) -> pa.Table:
        """Return a finished cell's rows as `cell.rows_schema` has them; what is not there is null."""
        names = self.rows.column_names
        columns = {name: self.rows[name].slice(entry.first, entry.rows) for name in names}
        curves = self._curves(entry)
        if curves is not None:
            columns |= {name: curves[name] for name in curves.column_names}
        return completed(columns, entry.rows, entry.spec.metrics)

    def nested(self, key: str, columns: Sequence[str]) -> pa.Table:
        """Return some columns of a cell's curves and heatmaps; those that are not packed are null."""
        entry = self.entries[key]
        if set(columns) <= set(MAPS) and entry.heatmaps:
            return completed(self._maps(entry), entry.rows, ()).select(list(columns))
        found = self.nested_in(entry, columns)
        return completed({}, entry.rows, ()).select(list(columns)) if found is None else found

    def with_maps(self, rows: pa.Table, key: str) -> pa.Table:
        """Return the rows of a cell with the heatmaps that are packed."""
        maps = self.nested(key, MAPS)
        for name in MAPS:
            rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), maps[name])
        return rows

    def nested_in(self, entry: PackedCell, columns: Sequence[str]) -> pa.Table | None:
        """Return some columns of a cell's curves, None where they are not packed."""
        curves = self._curves(entry)
        if curves is None or not set(columns) <= set(curves.column_names):
            return None
        return curves.select(list(columns))

    def _curves(self, entry: PackedCell) -> pa.Table | None:
        """Return the curves of a cell, None where they were not packed; a part of the file is read at a time."""
        file = self._curves_file
        if file is None:
            return None
        ends = np.cumsum([file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)])
        group = int(np.searchsorted(ends, entry.first, side="right"))
        if self._group is None or self._group[0] != group:
            try:
                self._group = (group, file.read_row_group(group))
            except (OSError, ValueError, pa.ArrowException) as error:
                raise self._damaged(CURVES, str(error)) from error
        start = entry.first - int(ends[group] - file.metadata.row_group(group).num_rows)
        return self._group[1].slice(start, entry.rows)

    @cached_property
    def _curves_file(self) -> pq.ParquetFile | None:
        if CURVES not in self._digests:
            return None
        self._check(CURVES)
        try:
            file = pq.ParquetFile(self._folder / CURVES)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._damaged(CURVES, str(error)) from error
        if file.metadata.num_rows != len(self.rows):
            raise self._damaged(CURVES, f"it has {file.metadata.num_rows} rows, and {ROWS} {len(self.rows)}")
        return file

    def _maps(self, entry: PackedCell) -> Mapping[str, pa.Array]:
        """Return the heatmaps of a cell."""
        numbers, table = self._heatmaps
        return unpacked(table[table["cell"] == numbers[entry.key]], entry.rows)

    @cached_property
    def _heatmaps(self) -> tuple[dict[str, int], pd.DataFrame]:
        """The number of each cell, and the table of all packed heatmaps."""
        return {key: number for number, key in enumerate(self.entries)}, self._read(HEATMAPS).to_pandas()

    def beside(self, name: str) -> pa.Table | None:
        """Return a table that lies beside the cells, None where there is none; StorageError as for `entries`."""
        return self._read(name) if name in self._digests else None

    def verify(self) -> None:
        """Compare every cell with its own checksum and key.

        Raises
        ------
        StorageError
            With the file, and where it is one the cell, that is not what was packed.
        """
        for name in self._digests:
            self._check(name)
        for number, entry in enumerate(self.entries.values()):
            if entry.spec.key != entry.key:
                raise self._damaged(CELLS, f"row {number + 1} ({entry.spec.label}): its key is another cell's")
            if entry.state == DONE and entry.checksum != content_checksum(self.table(entry), entry.provenance):
                rows = f"rows {entry.first + 1} to {entry.first + entry.rows}"
                raise self._damaged(ROWS, f"{rows} ({entry.spec.label}) are not what was packed")

    def _read(self, name: str) -> pa.Table:
        self._check(name)
        try:
            return pq.read_table(self._folder / name)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._damaged(name, str(error)) from error

    def _check(self, name: str) -> None:
        try:
            digest = file_digest(self._folder / name)
        except OSError as error:
            raise self._damaged(name, str(error)) from error
        if digest != self._digests.get(name):
            raise self._damaged(name, "its content is not what was packed (its SHA-256 is not the one in run.json)")

    def _damaged(self, name: str, why: str) -> StorageError:
        return StorageError(f"{self._folder / name} is damaged: {why.rstrip('.')}. {_REMEDY}")


_PLAIN = ("key", "state", "rows", "checksum", "error", "traceback", "reason", "heatmaps", "size", "modified")


def completed(columns: Mapping[str, Any], rows: int, metrics: Sequence[str]) -> pa.Table:
    """Return a cell's rows from the columns that there are; the others are null."""
    schema = rows_schema(metrics)
    made = [columns[item.name] if item.name in columns else pa.nulls(rows, item.type) for item in schema]
    return pa.table(made, schema=schema).combine_chunks()


def _objects(table: pa.Table, prefix: str) -> list[dict[str, Any]]:
    """Return the JSON objects whose fields are the columns with a prefix; what cells share is read once."""
    found: list[dict[str, Any]] = [{} for _ in range(len(table))]
    for name in table.column_names:
        if name.startswith(prefix):
            column = table[name].combine_chunks().dictionary_encode()
            values = [json.loads(text) for text in column.dictionary.to_pylist()]
            for one, place in zip(found, column.indices.to_pylist(), strict=True):
                if place is not None:
                    one[name[len(prefix) :]] = values[place]
    return found
