"""A folder of results by key: finished ones, failures that are tried again, and what has no meaning."""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from ...declared_sizes import MOST_NUMBERS, TooLarge, check_unpacked
from ...errors import Damaged, HeatmarkError, StorageError, shortened
from ...identity import parsed_json
from ...storage import set_aside, written_whole
from .cell import KeyedSpec
from .checksum import content_checksum
from .outcomes import MOST_OF_A_TRACEBACK, Failed, Finished, Outcome

Spec = TypeVar("Spec", bound=KeyedSpec)
T = TypeVar("T")

WORTH_COMPRESSING = 2**15
"""Tables of so many bytes are written compressed."""

CHECKSUM = "checksum"
"""The field of a footer that holds it."""
_DAMAGE = (OSError, ValueError, KeyError, TypeError, MemoryError, pa.ArrowException, HeatmarkError)
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
        """Keep what work came to; what failed is tried again next time."""
        record = {"key": spec.key, "spec": spec.plain()}
        if isinstance(outcome, Finished):
            self.write_finished(spec, outcome.value)
        elif isinstance(outcome, Failed):
            failure = {"error": outcome.error, "traceback": outcome.traceback}
            write_json(self._failure_path(spec.key), record | failure)
        else:
            write_json(self._reason_path(spec.key), record | {"reason": outcome.reason})
            self._failure_path(spec.key).unlink(missing_ok=True)

    def failure(self, key: str) -> Failed | None:
        """Return how the last attempt failed, or None where it did not."""
        record = read_json(self._failure_path(key))
        if not isinstance(record, dict):
            return None
        # Earlier versions kept texts of any length.
        error, lines = str(record.get("error")), str(record.get("traceback"))
        return Failed(shortened(error), shortened(lines, MOST_OF_A_TRACEBACK))

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

    A checksum of both is added to the footer, unless that has one; see `check_content`.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    summed = dict(footer) if CHECKSUM in footer else {**footer, CHECKSUM: content_checksum(table, footer)}
    with written_whole(path) as temporary:
        described = table.replace_schema_metadata({name: json.dumps(summed)})
        # Of few rows nothing is saved, and setting up a compressor for each column takes longer than all the rest.
        pq.write_table(described, temporary, compression="zstd" if table.nbytes > WORTH_COMPRESSING else "none")


def check_content(table: pa.Table, footer: Mapping[str, Any]) -> None:
    """Raise ValueError unless rows and footer are those that `write_table` wrote; files of earlier versions pass."""
    told = {name: value for name, value in footer.items() if name != CHECKSUM}
    if CHECKSUM in footer and footer[CHECKSUM] != content_checksum(table, told):
        raise ValueError("the content is not what was written")


def read_table(path: Path, name: bytes, made: Callable[[pa.Table, Any], T]) -> T | None:
    """Return what ``made`` makes of the rows and the JSON that `write_table` wrote, or None where there is no file.

    A damaged file is moved away with a warning and counts as missing; a folder that may only be read keeps it.
    """
    if not path.is_file():
        return None
    try:
        return opened_table(path, name, made)
    except StorageError as error:
        moved = ""
        with suppress(OSError):
            moved = f" It was moved to {set_aside(path).name}."
        warnings.warn(f"{error}{moved} It counts as missing; the same command does it anew.", Damaged, stacklevel=2)
        return None


def opened_table(path: Path, name: bytes, made: Callable[[pa.Table, Any], T]) -> T:
    """Return what ``made`` makes of the rows and the JSON that `write_table` wrote.

    Raises
    ------
    StorageError
        If the file cannot be read, or ``made`` finds that it is not what was written; it stays where it is.
    """
    try:
        # Of small files, what `read_table` does besides takes more than half of its time.
        with pq.ParquetFile(path) as file:
            _check_declared(path, file.metadata)
            table = file.read(use_threads=False)
        return made(table, parsed_json((table.schema.metadata or {})[name]))
    except _DAMAGE as error:
        words = " ".join(str(error).split()).rstrip(".")
        raise StorageError(f"{path} is damaged, or no result of heatmark: {words}.") from error


def _check_declared(path: Path, metadata: Any) -> None:
    """Raise TooLarge where a file says that it has more than a table of results can have.

    What a damaged file says of single columns is not asked: there pyarrow ends the process.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    check_unpacked(str(path), sum(group.total_byte_size for group in groups), path.stat().st_size)
    rows = max([metadata.num_rows, *(group.num_rows for group in groups)])
    if rows * len(metadata.schema) > MOST_NUMBERS:
        raise TooLarge(f"{path} says that it has {rows} rows of {len(metadata.schema)} values")


def read_json(path: Path) -> Any:
    """Return the file's content, or None where it is missing or damaged."""
    try:
        return parsed_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
