"""Metrics that were computed later from stored curves, kept in ``scores/`` beside the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from .keyed import check_content, opened_table, read_table, write_table
from .loose import FOOTER

FOLDER = "scores"


@dataclass(frozen=True, eq=False)
class AddedScores:
    """A metric that was computed later from stored curves."""

    metric: str
    identity: Mapping[str, Any]
    """Its canonical text and its identity."""
    values: Mapping[str, list[float]]
    """Cell key to one value per row of the cell."""


def write_added(path: Path, metric: str, identity: Mapping[str, Any], values: Mapping[str, Sequence[float]]) -> None:
    """Write a metric's values: cell key to one value per row; StorageError if the folder is read-only or full."""
    columns = {"key": list(values), "values": [list(row) for row in values.values()]}
    schema = pa.schema([("key", pa.string()), ("values", pa.list_(pa.float64()))])
    write_table(path, pa.table(columns, schema=schema), FOOTER, {"metric": metric, "identity": dict(identity)})


def read_added(run: Path, *, strict: bool) -> list[AddedScores]:
    """Return the metrics that were added to a run, by name.

    A file that cannot be read is set aside, or where ``strict`` stays where it is and is a StorageError.
    """
    read = opened_table if strict else read_table
    found = (read(path, FOOTER, _made) for path in added_files(run))
    return [scores for scores in found if scores is not None]


def added_files(run: Path) -> list[Path]:
    """Return the files of the metrics that were added to a run, by name."""
    return sorted((run / FOLDER).glob("*.parquet"))


def opened_added(path: Path) -> AddedScores:
    """Return one metric that was added; StorageError where its file is damaged, and it stays where it is."""
    return opened_table(path, FOOTER, _made)


def _made(table: pa.Table, footer: Any) -> AddedScores:
    check_content(table, footer)
    keys, values = (table.column(name).to_pylist() for name in ("key", "values"))
    return AddedScores(footer["metric"], footer["identity"], dict(zip(keys, values, strict=True)))
