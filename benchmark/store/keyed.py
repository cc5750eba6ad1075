"""A folder of results by key: finished ones, failures that are tried again, and what has no meaning."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import HeatmarkError
from ...storage import set_aside, written_whole
from .cell import KeyedSpec
from .outcomes import Failed, Finished, Outcome

Spec = TypeVar("Spec", bound=KeyedSpec)

DAMAGE = (OSError, ValueError, KeyError, TypeError, MemoryError, pa.ArrowException, HeatmarkError)
"""What reading a damaged file may raise."""


class KeyedStore(ABC, Generic[Spec]):
    """What became of keyed work, one file each, written whole or not at all.

    ``failures/KEY.json`` holds error and traceback of the last attempt until one succeeds; ``skipped/KEY.json`` why
    work has no meaning, such as a layer method on a network without layers.
    """

    path: Path

    @abstractmethod
    def write_finished(self, spec: Spec, value: Any) -> None:
        """Write what came out, whole or not at all, and forget an earlier failure.

        Raises
        ------
        StorageError
            If the folder is read-only or full.
        """

    def keep(self, spec: Spec, outcome: Outcome) -> None:
        """Keep what work came to."""
        if isinstance(outcome, Finished):
            self.write_finished(spec, outcome.value)
        elif isinstance(outcome, Failed):
            self.write_failure(spec, outcome.error, outcome.traceback)
        else:
            self.write_reason(spec, outcome.reason)

    def write_failure(self, spec: Spec, error: str, traceback: str) -> None:
        """Record why work failed; it is tried again next time."""
        record = {"key": spec.key, "spec": spec.plain(), "error": error, "traceback": traceback}
        write_json(self._failure_path(spec.key), record)

    def write_reason(self, spec: Spec, reason: str) -> None:
        """Record why work is not applicable."""
        write_json(self._reason_path(spec.key), {"key": spec.key, "spec": spec.plain(), "reason": reason})
        self._failure_path(spec.key).unlink(missing_ok=True)

    def failure(self, key: str) -> Failed | None:
        """Return how the last attempt failed, or None where it did not."""
        record = read_json(self._failure_path(key))
        return Failed(str(record.get("error")), str(record.get("traceback"))) if isinstance(record, dict) else None

    def reason(self, key: str) -> str | None:
        """Return why work is not applicable, or None where that was never found."""
        record = read_json(self._reason_path(key))
        return str(record["reason"]) if isinstance(record, dict) and "reason" in record else None

    def _failure_path(self, key: str) -> Path:
        return self.path / "failures" / f"{key}.json"

    def _reason_path(self, key: str) -> Path:
        return self.path / "skipped" / f"{key}.json"


def write_table(path: Path, table: pa.Table, name: bytes, footer: Mapping[str, Any]) -> None:
    """Write a Parquet file whole or not at all, with what belongs to its rows as JSON under ``name`` in its footer.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    with written_whole(path) as temporary:
        described = table.replace_schema_metadata({name: json.dumps(dict(footer))})
        pq.write_table(described, temporary, compression="zstd")


def read_table(path: Path, name: bytes) -> tuple[pa.Table, Any]:
    """Return what `write_table` wrote; one of `DAMAGE` where the file is damaged."""
    table = pq.read_table(path)
    return table, json.loads((table.schema.metadata or {})[name])


def read_json(path: Path) -> Any:
    """Return the file's content, or None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def try_to_set_aside(path: Path) -> None:
    """Move a damaged file away; a folder that may only be read keeps it, and the file still counts as missing."""
    try:
        set_aside(path)
    except OSError:
        return
