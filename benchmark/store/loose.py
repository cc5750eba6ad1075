"""Finished cells in a file each, with an index beside them that spares opening all of them.

The index (``index/``) is made of the same files as a packed run, with the size and the time of change of each cell's
file. It is checked and never trusted: of a cell whose file has changed since, or that is not in it, the file itself is
read and compared with its checksum; without it, or where it cannot be read or written, everything is read from the
cells. A flipped bit that changes neither size nor time is found by `RunStore.verify` alone, which reads every cell.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import StorageError
from .cell import CellSpec
from .checksum import content_checksum
from .finished import Cell, flat_columns
from .keyed import opened_table, read_json, read_table, write_json
from .layout import INDEX
from .packed import DONE, PackedCell, PackedCells
from .packing import Kept, ToPack, write_packed

FOOTER = b"heatmark"
WORTH = 64
"""So many cells that the index lacks are worth writing it anew."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a file that changes again is sure to have another time of change."""
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Opened:
    """A cell with all that is kept of it."""

    spec: CellSpec
    rows: pa.Table
    provenance: Mapping[str, Any]

    @property
    def heatmaps(self) -> int:
        """How many of its rows have a heatmap."""
        return len(self.rows) - self.rows["map"].null_count if "map" in self.rows.column_names else 0


class LooseCells:
    """The cells of a run that has a file for each.

    Parameters
    ----------
    folder
        The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: PackedCells | None = None

    def path(self, key: str) -> Path:
        """Return a cell's file."""
        return self._folder / "cells" / f"{key}.parquet"

    def opened(self, key: str) -> Opened | None:
        """Return a cell as its file has it, None where there is none; StorageError where it is damaged."""
        path = self.path(key)
        return opened_table(path, FOOTER, partial(_made, key)) if path.is_file() else None

    def provenances(self, specs: Sequence[CellSpec]) -> dict[str, Mapping[str, Any]]:
        """Return how the finished ones among some cells were made, by key; a damaged file is set aside."""
        known = self._known(specs)
        found: dict[str, Mapping[str, Any]] = {}
        for spec in specs:
            if spec.key in known:
                found[spec.key] = known[spec.key].provenance
            elif (opened := self._read(spec.key)) is not None:
                found[spec.key] = opened.provenance
        return found

    def cells(self, specs: Sequence[CellSpec]) -> list[Cell]:
        """Return the finished ones among some cells, in their order; a damaged file is set aside."""
        known = self._known(specs)
        try:
            frame = self._frame(known)
        except StorageError:  # its rows are damaged: it is made anew
            self._index = PackedCells(self._folder / INDEX, None)
            known = self._known(specs)
            frame = self._frame(known)
        found = self._together({spec.key: self._read(spec.key) for spec in specs if spec.key not in known})
        for spec in specs:
            if (one := known.get(spec.key)) is not None:
                place = frame, one.first, one.rows
                found[spec.key] = Cell(spec.key, spec, *place, one.provenance, self, one.heatmaps)
        return [found[spec.key] for spec in specs if spec.key in found]

    def cell(self, key: str) -> Cell | None:
        """Return a finished cell, read from its file; a damaged one is set aside and counts as missing."""
        return self._together({key: self._read(key)}).get(key)

    def nested(self, key: str, columns: Sequence[str]) -> pa.Table:
        """Return some columns of a cell's rows, from its file or the index."""
        entry = self._entries.get(key)
        if self._index is not None and entry is not None and self._unchanged(entry):
            with suppress(StorageError):
                if (found := self._index.nested_in(entry, columns)) is not None:
                    return found
        return pq.read_table(self.path(key), columns=list(columns))

    def _frame(self, known: Mapping[str, PackedCell]) -> pd.DataFrame:
        return self._index.frame if self._index is not None and known else pd.DataFrame()

    def _together(self, read: Mapping[str, Opened | None]) -> dict[str, Cell]:
        """Return cells whose files were read, with their rows after one another."""
        there = {key: opened for key, opened in read.items() if opened is not None}
        if not there:
            return {}
        tables = [one.rows.select(flat_columns(one.rows.column_names)) for one in there.values()]
        frame = pa.concat_tables(
            [table.replace_schema_metadata(None) for table in tables], promote_options="permissive"
        ).to_pandas()
        found, first = {}, 0
        for key, one in there.items():
            found[key] = Cell(key, one.spec, frame, first, len(one.rows), one.provenance, self, one.heatmaps)
            first += len(one.rows)
        return found

    def _read(self, key: str) -> Opened | None:
        return read_table(self.path(key), FOOTER, partial(_made, key))

    @property
    def _entries(self) -> Mapping[str, PackedCell]:
        if self._index is None:
            record = read_json(self._folder / INDEX / "index.json")
            usable = isinstance(record, dict) and record.get("format") == _FORMAT
            self._index = PackedCells(self._folder / INDEX, record.get("files") if usable else None)
        try:
            return self._index.entries
        except StorageError:
            return {}

    def _unchanged(self, entry: PackedCell) -> bool:
        try:
            found = self.path(entry.key).stat()
        except OSError:
            return False
        return entry.state == DONE and (found.st_size, found.st_mtime_ns) == (entry.size, entry.modified)

    def _known(self, specs: Sequence[CellSpec]) -> dict[str, PackedCell]:
        """Return what the index knows of some cells, after it was written anew where that is worth it."""
        known = self._matching(specs)
        lacking = [spec for spec in specs if spec.key not in known and self.path(spec.key).is_file()]
        if len(lacking) < WORTH:
            return known
        try:
            self._write(specs, known)
        except (StorageError, OSError):  # a folder that may only be read
            return known
        return self._matching(specs)

    def _matching(self, specs: Sequence[CellSpec]) -> dict[str, PackedCell]:
        entries = self._entries
        found = {spec.key: entries[spec.key] for spec in specs if spec.key in entries}
        return {key: entry for key, entry in found.items() if self._unchanged(entry)}

    def _write(self, specs: Sequence[CellSpec], known: Mapping[str, PackedCell]) -> None:
        files = write_packed(self._folder / INDEX, self._to_index(specs, known), specs, Kept(), lasting=False)
        write_json(self._folder / INDEX / "index.json", {"format": _FORMAT, "files": files})
        self._index = None

    def _to_index(self, specs: Sequence[CellSpec], known: Mapping[str, PackedCell]) -> Iterator[ToPack]:
        now = time.time_ns()
        for spec in specs:
            if spec.key in known:
                assert self._index is not None
                yield ToPack(known[spec.key], self._index.table(known[spec.key]))
                continue
            path = self.path(spec.key)
            with suppress(OSError):
                facts = path.stat()  # before it is read: one that is changed meanwhile is read again
                opened = self._read(spec.key)
                if opened is not None and now - facts.st_mtime_ns > SETTLED:
                    entry = PackedCell(
                        spec.key,
                        spec,
                        DONE,
                        provenance=opened.provenance,
                        heatmaps=opened.heatmaps,
                        size=facts.st_size,
                        modified=facts.st_mtime_ns,
                    )
                    yield ToPack(entry, opened.rows)


def _made(key: str, rows: pa.Table, footer: Any) -> Opened:
    """Return a cell from its rows and footer; any error where it is not the one that was written."""
    spec = CellSpec.from_plain(footer["spec"])
    if footer["key"] != key or spec.key != key:
        raise KeyError("the key in the footer is another cell's")
    if footer["checksum"] != content_checksum(rows, footer["provenance"]):
        raise ValueError("the content is not what was written")
    return Opened(spec, rows, dict(footer["provenance"]))
