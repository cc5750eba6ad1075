"""The values of an audit as files, one for each method on each task, so that an audit goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import StorageError
from ...storage import made_folder
from ..store.keyed import KeyedStore, check_content, read_table, write_table
from .units import UnitSpec, UnitValues

FOLDER = "values"
FOOTER = b"heatmark-audit"
_OWN = ("sample", "way", "right")


class AuditStore(KeyedStore[UnitSpec]):
    """A folder of audited values: ``values/KEY.parquet``, one row for each way and sample, a column for each metric.

    Columns are named by the metric's key, so that a changed protocol finds none of its old values.

    Parameters
    ----------
    path
        Where; made where it is missing.

    Raises
    ------
    StorageError
        If the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise StorageError(f"{path} is a file, not a folder. Choose another folder with --out.")
        made_folder(path / FOLDER, hint="Choose another folder with --out.")
        self.path = path

    def read(self, spec: UnitSpec) -> UnitValues | None:
        """Return what is known of a unit; a file that cannot be read is set aside and counts as missing."""
        return read_table(self._path(spec), FOOTER, _values)

    def write_finished(self, spec: UnitSpec, value: UnitValues) -> None:
        """Write a unit, with what was known of further metrics before, and forget its earlier failure."""
        known = self.read(spec)
        found = value if known is None else known.joined(value)
        ways = next((len(one) for one in found.values.values()), 1)
        columns: dict[str, Any] = {
            "sample": list(found.samples) * ways,
            "way": np.repeat(np.arange(ways, dtype=np.int32), len(found.samples)),
            "right": np.tile(found.right, ways),
            **{key: values.ravel() for key, values in found.values.items()},
        }
        footer = {"spec": spec.plain(), "reasons": dict(found.reasons), "metrics": dict(found.names)}
        write_table(self._path(spec), pa.table(columns), FOOTER, footer)
        self._failure_path(spec.key).unlink(missing_ok=True)

    def _path(self, spec: UnitSpec) -> Path:
        return self.path / FOLDER / f"{spec.key}.parquet"


def _values(rows: pa.Table, footer: Mapping[str, Any]) -> UnitValues:
    check_content(rows, footer)
    table = rows.to_pandas()
    first = table[table["way"] == 0]
    ways = int(table["way"].max()) + 1
    if len(table) != ways * len(first) or not len(first):
        raise ValueError("rows are missing")
    return UnitValues(
        tuple(first["sample"]),
        first["right"].to_numpy(bool),
        {
            str(name): table[name].to_numpy(np.float64).reshape(ways, len(first))
            for name in table.columns
            if name not in _OWN
        },
        footer["reasons"],
        footer["metrics"],
    )
