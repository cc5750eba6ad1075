"""The checksum of a cell's content: independent of how Parquet lays it out, so that any damage to a file shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...identity import canonical_json


def content_checksum(rows: pa.Table, provenance: Mapping[str, Any]) -> str:
    """Return the SHA-256 of column names, all values and the provenance.

    Parquet's own page checksums cover neither page headers nor the footer, where a flipped bit can change values.
    """
    hasher = hashlib.sha256(canonical_json(provenance).encode())
    for name in rows.column_names:
        hasher.update(name.encode())
        column = rows[name].combine_chunks()
        for part in _flat(column):
            hasher.update(str(part.type).encode())
            hasher.update(_bytes(part))
    return hasher.hexdigest()


def _flat(column: pa.Array) -> Iterator[pa.Array]:
    """Yield a column, or for a column of lists (of lists) their lengths and then all their items."""
    if pa.types.is_list(column.type):
        yield pc.list_value_length(column)
        yield from _flat(pc.list_flatten(column))
    else:
        yield column


def _bytes(column: pa.Array) -> bytes:
    if pa.types.is_string(column.type):
        return json.dumps(column.to_pylist()).encode()
    if not column.null_count:
        whole: bytes = column.to_numpy(zero_copy_only=False).tobytes()
        return bytes(len(column)) + whole
    nulls: bytes = column.is_null().to_numpy(zero_copy_only=False).tobytes()
    values: bytes = (
        column.fill_null(False if pa.types.is_boolean(column.type) else 0).to_numpy(zero_copy_only=False).tobytes()
    )
    return nulls + values
