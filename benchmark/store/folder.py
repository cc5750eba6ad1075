"""The results folder: one Parquet file per finished cell, written whole, with its provenance in the footer.

::

    run.json                  schema version, suite, seed, creation time, heatmark version
    plan.json                 every cell that the last run expects
    cells/KEY.parquet         one row per sample; a cell is done when this file is there and readable
    failures/KEY.json         error and traceback of the last attempt; removed when the cell succeeds
    networks/KEY.json         the examination of a network with a dataset in a framework, before its cells
    skipped/KEY.json          why a cell has no meaning, such as a layer method on a network without layers
    scores/METRIC.parquet     a metric that was computed later from stored curves
    thumbnails/DATASET/MODEL/SAMPLE.png

A packed run has its cells, failures, reasons and plan in few files instead (see `packed`), and small pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from ...errors import StorageError
from ...identity import digest
from ...storage import made_folder, set_aside, written_whole
from .cell import SCHEMA, CellResult, CellSpec, Task, slug
from .checksum import content_checksum
from .keyed import KeyedStore, opened_table, read_json, read_table, write_json, write_table
from .layout import OWN_FOLDERS, OWN_REPORTS, SMALL_PICTURE, check_schema, foreign
from .outcomes import Failed, Outcome
from .packed import DONE, PackedCells

FOOTER = b"heatmark"
PROBE_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class Cell:
    """A finished cell: its specification, per-sample rows (see `cells.rows_schema`) and provenance."""

    key: str
    spec: CellSpec
    table: pd.DataFrame
    provenance: dict[str, Any]


@dataclass(frozen=True, eq=False)
class AddedScores:
    """A metric that was computed later from stored curves."""

    metric: str
    identity: Mapping[str, Any]
    """Its canonical text and its identity."""
    values: Mapping[str, list[float]]
    """Cell key to one value per row of the cell."""


@dataclass(frozen=True)
class Failure:
    """A cell whose last attempt failed."""

    key: str
    spec: CellSpec
    error: str
    traceback: str


class Inapplicable(NamedTuple):
    """A cell that has no meaning, such as a layer method on a model without such a layer."""

    task: Task
    method: str
    framework: str
    reason: str


class RunStore(KeyedStore[CellSpec]):
    """The folder of one run.

    Parameters
    ----------
    path
        A folder that `RunStore.prepared` has made.

    Attributes
    ----------
    path
        The folder.
    run
        The content of ``run.json``: ``schema``, ``suite`` (name and full specification), ``seed``, ``created``,
        ``version``; of a merged run ``sources`` (that of each of its runs), of a packed one ``packed``.

    Raises
    ------
    StorageError
        If the folder holds no run, or one of another schema version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "run.json").is_file():
            raise StorageError(
                f"{self.path} holds no run (no run.json). Give the folder that `heatmark run --out` wrote to."
            )
        run = read_json(self.path / "run.json")
        if not isinstance(run, dict):
            raise StorageError(
                f"{self.path / 'run.json'} is damaged. Start the same `heatmark run` again: it writes the file anew "
                "and keeps the finished cells."
            )
        check_schema(self.path, run)
        self.run: dict[str, Any] = run
        self.packed = PackedCells(self.path, run.get("files")) if run.get("packed") else None
        """The cells of a packed run; None where each has a file of its own."""

    @classmethod
    def prepared(cls, path: str | Path) -> RunStore:
        """Make ``path`` ready for a run, before any work is spent on it, and return its store.

        A new or empty folder becomes a run's folder; one that holds a run of this schema version is continued; a
        folder with other files is left alone.

        Raises
        ------
        StorageError
            If the folder cannot be made or written, is full, holds other files, or a run of another schema version, or
            one that was merged from others.
        """
        folder = Path(path)
        if folder.exists() and not folder.is_dir():
            raise StorageError(f"{folder} is a file, not a folder. Choose another folder with --out.")
        made_folder(folder, hint="Choose another folder with --out.")
        present = {item.name for item in folder.iterdir() if not item.name.startswith(".")}
        run = read_json(folder / "run.json") if "run.json" in present else None
        if isinstance(run, dict):
            check_schema(folder, run)
            if "sources" in run:
                raise StorageError(
                    f"{folder} holds runs that were merged, which is not continued. Choose another folder with --out, "
                    "and merge that one too."
                )
        elif strangers := foreign(present):
            raise StorageError(
                f"{folder} is not the folder of a run: it holds {', '.join(strangers[:3])}. "
                "Choose a new or empty folder with --out."
            )
        with written_whole(folder / ".probe") as temporary:
            temporary.write_bytes(bytes(PROBE_BYTES))
        (folder / ".probe").unlink()
        if not isinstance(run, dict):
            if "run.json" in present:
                set_aside(folder / "run.json")
            write_json(folder / "run.json", {"schema": SCHEMA})
        for name in OWN_FOLDERS:
            made_folder(folder / name)
        return cls(folder)

    def begin(self, run: Mapping[str, Any], expected: Sequence[CellSpec]) -> None:
        """Record what the run is and every cell that it expects, before the first cell runs."""
        new = {"schema": SCHEMA, **run}
        lasting = dict.fromkeys(("created", "command"))  # what began the run, whatever continued it
        if {**self.run, **lasting} == {**new, **lasting}:
            new |= {name: self.run[name] for name in lasting if self.run.get(name)}
        if self.run != new:
            self.run = new
            write_json(self.path / "run.json", new)
        self.plan(expected)

    def plan(self, expected: Sequence[CellSpec]) -> None:
        """Record every cell that is expected."""
        write_json(self.path / "plan.json", [{"key": spec.key, "spec": spec.plain()} for spec in expected])

    def keep(self, spec: CellSpec, outcome: Outcome) -> None:
        """Keep what work came to; see `KeyedStore.keep`. StorageError in a packed run, which is not continued."""
        if self.packed is not None:
            raise StorageError(
                f"{self.path} is a packed run, which is not continued. Choose another folder with --out."
            )
        super().keep(spec, outcome)

    @property
    def empty(self) -> bool:
        """Whether no cell has come to an end, and no leaderboard was written."""
        if self.packed is not None:
            return False
        ended = (item for name in ("cells", "failures", "skipped") for item in (self.path / name).glob("*.*"))
        return next(ended, None) is None and not any((self.path / name).exists() for name in OWN_REPORTS)

    @property
    def expected(self) -> list[CellSpec]:
        """Every cell that the last run's plan holds, in its order."""
        if self.packed is not None:
            return [entry.spec for entry in self.packed.entries.values()]
        listed = read_json(self.path / "plan.json")
        return [CellSpec.from_plain(item["spec"]) for item in listed] if isinstance(listed, list) else []

    def cell(self, key: str) -> Cell | None:
        """Return a finished cell; a file that cannot be read is set aside and counts as missing.

        Raises
        ------
        StorageError
            If the files of a packed run are damaged.
        """
        if self.packed is not None:
            return self._packed_cell(key)
        return read_table(self._cell_path(key), FOOTER, partial(_cell, key))

    def opened(self, key: str) -> tuple[pa.Table, Cell] | None:
        """Return a finished cell and its rows as they are kept, None where there is none.

        Raises
        ------
        StorageError
            If its file is damaged; it stays where it is.
        """
        if self.packed is not None:
            cell = self._packed_cell(key)
            return None if cell is None else (self.packed.table(self.packed.entries[key]), cell)
        path = self._cell_path(key)
        if not path.is_file():
            return None
        return opened_table(path, FOOTER, lambda table, footer: (table, _cell(key, table, footer)))

    def _packed_cell(self, key: str) -> Cell | None:
        assert self.packed is not None
        entry = self.packed.entries.get(key)
        if entry is None or entry.state != DONE:
            return None
        return Cell(key, entry.spec, self.packed.table(entry).to_pandas(), dict(entry.provenance))

    def is_done(self, key: str) -> bool:
        """Whether the cell's file is there and readable to its last page."""
        return self.cell(key) is not None

    def has(self, key: str) -> bool:
        """Whether the cell's file is there, readable or not: cheap, for counting."""
        if self.packed is not None:
            return key in self.packed.entries and self.packed.entries[key].state == DONE
        return self._cell_path(key).is_file()

    def failure(self, key: str) -> Failed | None:
        """Return how the last attempt failed, or None where it did not."""
        if self.packed is None:
            return super().failure(key)
        entry = self.packed.entries.get(key)
        return Failed(entry.error, entry.traceback) if entry is not None and entry.error else None

    def reason(self, key: str) -> str | None:
        """Return why a cell is not applicable, or None where that was never found."""
        if self.packed is None:
            return super().reason(key)
        entry = self.packed.entries.get(key)
        return (entry.reason or None) if entry is not None else None

    def cells(self) -> list[Cell]:
        """Return the finished cells of the last run's plan, in its order.

        Cells of earlier plans stay in the folder, for runs that name them again, and are not returned: two plans may
        cut the same samples into different ranges.
        """
        found = (self.cell(spec.key) for spec in self.expected)
        return [cell for cell in found if cell is not None]

    def failures(self) -> list[Failure]:
        """Return the failed cells of the last run's plan, in its order."""
        found = []
        for spec in self.expected:
            failure = self.failure(spec.key)
            if failure is not None and not self.has(spec.key):
                found.append(Failure(spec.key, spec, failure.error, failure.traceback))
        return found

    def not_applicable(self) -> list[Inapplicable]:
        """Return the cells of the last run's plan that have no meaning, once per task, method and framework."""
        reasons = self.reasons()
        found = {
            Inapplicable(spec.task, spec.method, spec.framework, reasons[spec.key])
            for spec in self.expected
            if spec.key in reasons
        }
        return sorted(found, key=lambda one: (str(one.task), *one[1:]))

    def reasons(self) -> dict[str, str]:
        """Return why cells of the last run's plan are not applicable, by key."""
        found = {spec.key: self.reason(spec.key) for spec in self.expected}
        return {key: reason for key, reason in found.items() if reason is not None}

    def write(self, spec: CellSpec, rows: pa.Table, provenance: Mapping[str, Any]) -> None:
        """Write a cell's rows and provenance, whole or not at all, and forget its earlier failure.

        Raises
        ------
        StorageError
            If the folder is read-only or full.
        """
        checksum = content_checksum(rows, provenance)
        footer = {"key": spec.key, "spec": spec.plain(), "provenance": dict(provenance), "checksum": checksum}
        write_table(self._cell_path(spec.key), rows, FOOTER, footer)
        self._failure_path(spec.key).unlink(missing_ok=True)

    def write_finished(self, spec: CellSpec, value: CellResult) -> None:
        """Write a finished cell and the pictures of its samples."""
        for sample, picture in value.thumbnails.items():
            self.write_thumbnail(spec.task, sample, picture)
        self.write(spec, value.rows, value.provenance)

    def write_scores(self, metric: str, identity: Mapping[str, Any], values: Mapping[str, Sequence[float]]) -> None:
        """Keep the values of a metric that was computed from stored curves: cell key to one value per row.

        Raises
        ------
        StorageError
            If the folder is read-only or full.
        """
        columns = {"key": list(values), "values": [list(row) for row in values.values()]}
        schema = pa.schema([("key", pa.string()), ("values", pa.list_(pa.float64()))])
        path = self.path / "scores" / f"{slug(metric)}.parquet"
        if "sources" in self.run and path.is_file():  # another protocol of the same name, of another run
            path = path.with_name(f"{slug(metric)}-{digest(identity)[:8]}.parquet")
        write_table(path, pa.table(columns, schema=schema), FOOTER, {"metric": metric, "identity": dict(identity)})

    def added_scores(self, *, strict: bool = False) -> list[AddedScores]:
        """Return the metrics that were added, by name; a file that cannot be read is set aside.

        Raises
        ------
        StorageError
            If a file cannot be read and ``strict``; it stays where it is.
        """

        def made(table: pa.Table, footer: Any) -> AddedScores:
            keys, values = (table.column(name).to_pylist() for name in ("key", "values"))
            return AddedScores(footer["metric"], footer["identity"], dict(zip(keys, values, strict=True)))

        read = opened_table if strict else read_table
        found = (read(path, FOOTER, made) for path in sorted((self.path / "scores").glob("*.parquet")))
        return [scores for scores in found if scores is not None]

    def write_examination(self, key: str, spec: Mapping[str, Any], answers: Mapping[str, Any]) -> None:
        """Keep what the examination of a network found.

        Raises
        ------
        StorageError
            If the folder is read-only or full.
        """
        write_json(self._examination_path(key), {"key": key, "spec": dict(spec), "answers": dict(answers)})

    def examination(self, key: str) -> dict[str, Any] | None:
        """Return the answers that `write_examination` kept, or None where there are none."""
        record = read_json(self._examination_path(key))
        return record.get("answers") if isinstance(record, dict) else None

    def thumbnail(self, task: Task, sample: str) -> Path:
        """Return where the picture of a sample is kept, as the model sees it; the file may be missing."""
        path = self.path / "thumbnails" / slug(task.dataset) / slug(task.model) / f"{slug(sample)}.png"
        smaller = path.with_suffix(SMALL_PICTURE)
        return smaller if self.packed is not None and smaller.exists() else path

    def write_thumbnail(self, task: Task, sample: str, picture: np.ndarray) -> None:
        """Write a picture, uint8 (height, width) or (height, width, 3), unless it is there already."""
        path = self.thumbnail(task, sample)
        if not path.exists():
            with written_whole(path) as temporary:
                Image.fromarray(picture).save(temporary, format="PNG")

    def examinations(self) -> list[dict[str, Any]]:
        """Return what `write_examination` kept, ``spec`` and ``answers`` each, of this run's plan and earlier ones."""
        found = (read_json(path) for path in sorted((self.path / "networks").glob("*.json")))
        return [
            record
            for record in found
            if isinstance(record, dict) and isinstance(record.get("spec"), dict) and "answers" in record
        ]

    def _examination_path(self, key: str) -> Path:
        return self.path / "networks" / f"{key}.json"

    def _cell_path(self, key: str) -> Path:
        return self.path / "cells" / f"{key}.parquet"


def _cell(key: str, table: pa.Table, footer: Any) -> Cell:
    """Return a cell from its rows and footer; any error where it is not the one that was written."""
    spec = CellSpec.from_plain(footer["spec"])
    if footer["key"] != key or spec.key != key:
        raise KeyError("the key in the footer is another cell's")
    if footer["checksum"] != content_checksum(table, footer["provenance"]):
        raise ValueError("the content is not what was written")
    return Cell(key, spec, table.to_pandas(), dict(footer["provenance"]))
