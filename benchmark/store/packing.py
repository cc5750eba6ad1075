"""Writing the few files of a packed run: the same cells give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import StorageError
from ...identity import file_digest
from ...storage import written_whole
from .cell import CellSpec, rows_schema
from .checksum import content_checksum
from .finished import BAND, MAPS
from .packed import CELLS, CURVES, NUMBER, PROVENANCE, ROWS, SPEC, PackedCell, completed
from .packed_maps import HEATMAPS, PackedMap, first_maps, maps_table

GROUP = 1 << 16
"""Rows are written in groups of at least so many, so that memory does not grow with a run."""
SMALL, FAST = 19, 1
"""Levels of compression."""


@dataclass(frozen=True, eq=False)
class ToPack:
    """A planned cell to be packed, with its rows where it is done."""

    known: PackedCell
    rows: pa.Table | None = None


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of the cells but their scores."""

    curves: bool = True
    """Whether curves are."""
    maps: int = 0
    """So many heatmaps of each cell are, rounded (`packed_maps`)."""
    beside: Mapping[str, pa.Table] = field(default_factory=dict)
    """Tables of others, by file name."""


def write_packed(
    folder: Path, cells: Iterable[ToPack], specs: Sequence[CellSpec], kept: Kept, *, lasting: bool = True
) -> dict[str, str]:
    """Write cells into a folder; return the SHA-256 of each file by its name, for `packed.PackedCells`.

    Parameters
    ----------
    folder
        Where to.
    cells
        The cells in the plan's order; each is read when its turn comes.
    specs
        Their specifications, in the same order, which name the columns beforehand.
    kept
        What is kept of them.
    lasting
        Whether the files are to be kept and sent: small ones, with a checksum for each cell.

    Raises
    ------
    StorageError
        If the folder is read-only or full, or a cell's rows have columns that no cell has.
    """
    level = {"compression": "zstd", "compression_level": SMALL if lasting else FAST}
    schemas = {ROWS: _rows_columns(specs), CURVES: _curve_columns()}
    names = (ROWS, CURVES) if kept.curves else (ROWS,)
    listed: list[PackedCell] = []
    maps: list[PackedMap] = []
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                pq.ParquetWriter(
                    stack.enter_context(written_whole(folder / name)), schemas[name], **_layout(schemas[name]), **level
                )
            )
            for name in names
        }
        told = _aligned(_with_maps(cells, maps, kept.maps), listed, curves=kept.curves, checked=lasting)
        for together in _groups(told, schemas):
            for name, writer in writers.items():
                writer.write_table(together[name])
    tables = {CELLS: _cells_table(listed), **({HEATMAPS: maps_table(maps)} if maps else {}), **kept.beside}
    for name, table in tables.items():
        layout = _layout(table.schema) if name in kept.beside else {}
        with written_whole(folder / name) as temporary:
            pq.write_table(table, temporary, **layout, **level)
    return {name: file_digest(folder / name) for name in (*tables, *names)}


def _with_maps(cells: Iterable[ToPack], kept: list[PackedMap], most: int) -> Iterator[ToPack]:
    """Yield the cells, and list the maps of them that are packed."""
    for number, cell in enumerate(cells):
        if cell.rows is None or not most:
            yield cell
            continue
        found = list(first_maps(number, cell.rows, most))
        kept += found
        yield replace(cell, known=replace(cell.known, heatmaps=len(found)))


def _aligned(
    cells: Iterable[ToPack], listed: list[PackedCell], *, curves: bool, checked: bool
) -> Iterator[tuple[int, pa.Table]]:
    """Yield every finished cell's number and rows as they are packed; list what is known of every cell."""
    for number, cell in enumerate(cells):
        known, rows = cell.known, cell.rows
        if rows is None:
            listed.append(known)
            continue
        kept = aligned(rows, known.spec, curves=curves)
        checksum = content_checksum(kept, known.provenance) if checked else ""
        listed.append(replace(known, rows=len(kept), checksum=checksum))
        yield number, kept


def aligned(rows: pa.Table, spec: CellSpec, *, curves: bool) -> pa.Table:
    """Return a cell's rows as they are packed: all of `cell.rows_schema`, but null where something is left out.

    Raises
    ------
    StorageError
        If there are columns that no cell has.
    """
    schema = rows_schema(spec.metrics)
    if odd := [name for name in rows.column_names if name not in schema.names]:
        raise StorageError(f"The rows of {spec.label} have columns that this heatmark does not know: {', '.join(odd)}.")
    left_out = [name for name in schema.names if name in MAPS or (name.startswith(BAND) and not curves)]
    columns = {name: rows[name] for name in rows.column_names if name not in left_out}
    return completed(columns, len(rows), spec.metrics)


def _groups(cells: Iterator[tuple[int, pa.Table]], schemas: Mapping[str, pa.Schema]) -> Iterator[dict[str, pa.Table]]:
    """Yield the rows of several cells together, by file."""
    gathered: list[tuple[int, pa.Table]] = []
    count = 0
    for cell in cells:
        gathered.append(cell)
        count += len(cell[1])
        if count >= GROUP:
            yield _together(gathered, schemas)
            gathered, count = [], 0
    if gathered:
        yield _together(gathered, schemas)


def _together(cells: Sequence[tuple[int, pa.Table]], schemas: Mapping[str, pa.Schema]) -> dict[str, pa.Table]:
    found = {}
    for file, schema in schemas.items():
        parts = []
        for number, rows in cells:
            columns = {name: rows[name] for name in rows.column_names}
            columns[NUMBER] = pa.array([number] * len(rows), pa.int32())
            made = [columns[item.name] if item.name in columns else pa.nulls(len(rows), item.type) for item in schema]
            parts.append(pa.table(made, schema=schema))
        found[file] = pa.concat_tables(parts).combine_chunks()
    return found


def _rows_columns(specs: Sequence[CellSpec]) -> pa.Schema:
    """Return the columns of all cells' rows but heatmaps and curves, scores in the order of their first appearance."""
    metrics = list(dict.fromkeys(metric for spec in specs for metric in spec.metrics))
    kept = [item for item in rows_schema(metrics) if item.name not in MAPS and not item.name.startswith(BAND)]
    return pa.schema([pa.field(NUMBER, pa.int32()), *kept])


def _curve_columns() -> pa.Schema:
    return pa.schema([item for item in rows_schema([]) if item.name.startswith(BAND)])


def _layout(schema: pa.Schema) -> dict[str, Any]:
    """Return how columns are laid out: bytes of floating-point numbers by their place, the rest by what repeats."""
    split = [_leaf(item) for item in schema if pa.types.is_floating(_inner(item.type))]
    rest = [_leaf(item) for item in schema if not pa.types.is_floating(_inner(item.type))]
    return {"use_dictionary": rest, "use_byte_stream_split": split}


def _inner(kind: pa.DataType) -> pa.DataType:
    return _inner(kind.value_type) if pa.types.is_list(kind) else kind


def _leaf(item: pa.Field) -> str:
    """Return the name that Parquet has for the values of a column."""
    name, kind = item.name, item.type
    while pa.types.is_list(kind):
        name, kind = f"{name}.list.element", kind.value_type
    return str(name)


def _cells_table(cells: Sequence[PackedCell]) -> pa.Table:
    columns: dict[str, pa.Array] = {
        **{
            name: pa.array([getattr(cell, name) for cell in cells], pa.int64())
            for name in ("rows", "heatmaps", "size", "modified")
            if name == "rows" or any(getattr(cell, name) for cell in cells)
        },
        **{
            name: pa.array([getattr(cell, name) for cell in cells], pa.string())
            for name in ("key", "state", "checksum", "error", "traceback", "reason")
        },
    }
    for prefix, objects in (
        (SPEC, [cell.spec.plain() for cell in cells]),
        (PROVENANCE, [cell.provenance for cell in cells]),
    ):
        for name in dict.fromkeys(name for one in objects for name in one):
            texts = [_text(one[name]) if name in one else None for one in objects]
            columns[f"{prefix}{name}"] = pa.array(texts, pa.string())
    return pa.table(columns)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
