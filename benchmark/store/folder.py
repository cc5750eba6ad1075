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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from ...errors import StorageError
from ...identity import digest
from ...storage import made_folder, set_aside, written_whole
from .added import FOLDER as SCORES
from .added import AddedScores, added_files, opened_added, read_added, write_added
from .cell import SCHEMA, CellResult, CellSpec, Task, slug
from .checksum import content_checksum
from .finished import Cell
from .keyed import KeyedStore, read_json, write_json, write_table
from .layout import OWN_FOLDERS, OWN_REPORTS, PACKED, SMALL_PICTURE, check_schema, damaged_run, foreign, unplanned
from .loose import FOOTER, LooseCells, Opened
from .outcomes import Failed, Outcome
from .packed import DONE, PackedCells
from .plan_file import NAME as PLAN
from .plan_file import plan_facts, read_plan, write_plan

PROBE_BYTES = 1 << 20


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
            raise damaged_run(self.path)
        check_schema(self.path, run)
        self.run: dict[str, Any] = run
        self.packed = PackedCells(self.path / PACKED, run.get("files")) if run.get("packed") else None
        """The cells of a packed run; None where each has a file of its own."""
        self._loose = LooseCells(self.path)
        self._plan: tuple[Any, list[CellSpec]] | None = None

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
        (folder / ".probe").unlink(missing_ok=True)  # another shard's may have been the same
        if not isinstance(run, dict):
            if "run.json" in present:
                set_aside(folder / "run.json")
            write_json(folder / "run.json", {"schema": SCHEMA})
        store = cls(folder)
        try:
            _ = store.expected
        except StorageError:
            set_aside(folder / PLAN)
        for name in OWN_FOLDERS:
            made_folder(folder / name)
        return store

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
        write_plan(self.path, expected)

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
        """Every cell that the last run's plan holds, in its order.

        Raises
        ------
        StorageError
            If the plan is damaged.
        """
        if self.packed is not None:
            return [entry.spec for entry in self.packed.entries.values()]
        facts = plan_facts(self.path)
        if self._plan is None or self._plan[0] != facts:
            self._plan = (facts, read_plan(self.path))
        return self._plan[1]

    def cell(self, key: str) -> Cell | None:
        """Return a finished cell; a file that cannot be read is set aside and counts as missing.

        Raises
        ------
        StorageError
            If the files of a packed run are damaged.
        """
        if self.packed is None:
            return self._loose.cell(key)
        return next(iter(self.packed.cells([key])), None)

    def opened(self, key: str) -> Opened | None:
        """Return a finished cell with all that is kept of it, None where there is none.

        Raises
        ------
        StorageError
            If its file is damaged; it stays where it is.
        """
        if self.packed is None:
            return self._loose.opened(key)
        entry = self.packed.entries.get(key)
        if entry is None or entry.state != DONE:
            return None
        return Opened(entry.spec, self.packed.table(entry), entry.provenance)

    def provenances(self, specs: Sequence[CellSpec] | None = None) -> dict[str, Mapping[str, Any]]:
        """Return how the finished ones among some cells (by default those of the plan) were made, by key."""
        wanted = self.expected if specs is None else specs
        if self.packed is None:
            return self._loose.provenances(wanted)
        entries = (self.packed.entries.get(spec.key) for spec in wanted)
        return {one.key: one.provenance for one in entries if one is not None and one.state == DONE}

    def verify(self) -> list[str]:
        """Read all finished cells of the plan and added scores, return in words what is damaged, and change nothing."""
        added = [words for path in added_files(self.path) for words in _damage(opened_added, path)]
        if self.packed is not None:
            return _damage(self.packed.verify) + added
        if not self.expected and (self.path / "cells").is_dir() and not self.empty:
            return [unplanned(self.path)]
        return [words for spec in self.expected for words in _damage(self._loose.opened, spec.key)] + added

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
        if self.packed is None:
            return self._loose.cells(self.expected)
        return self.packed.cells(list(self.packed.entries))

    def failures(self) -> list[Failure]:
        """Return the failed cells of the last run's plan, in its order."""
        found = []
        listed = self._listed("failures")
        for spec in self.expected:
            failure = self.failure(spec.key) if listed is None or spec.key in listed else None
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
        listed = self._listed("skipped")
        keys = (spec.key for spec in self.expected if listed is None or spec.key in listed)
        return {key: reason for key in keys if (reason := self.reason(key)) is not None}

    def _listed(self, folder: str) -> set[str] | None:
        """Return the keys of the records in a folder, None in a packed run, which has no such folder."""
        return None if self.packed is not None else {path.stem for path in (self.path / folder).glob("*.json")}

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
        path = self.path / SCORES / f"{slug(metric)}.parquet"
        if "sources" in self.run and path.is_file():  # another protocol of the same name, of another run
            path = path.with_name(f"{slug(metric)}-{digest(identity)[:8]}.parquet")
        write_added(path, metric, identity, values)

    def added_scores(self, *, strict: bool = False) -> list[AddedScores]:
        """Return the metrics that were added, by name; a file that cannot be read is set aside.

        Raises
        ------
        StorageError
            If a file cannot be read and ``strict``; it stays where it is.
        """
        return read_added(self.path, strict=strict)

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
        return self._loose.path(key)


def _damage(read: Callable[..., object], *arguments: object) -> list[str]:
    try:
        read(*arguments)
    except StorageError as error:
        return [str(error)]
    return []
