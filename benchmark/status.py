"""How far a run has come: what ``heatmark status`` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .store.cell import CellSpec, Task
from .store.folder import Failure, Inapplicable, RunStore
from .store.ownership import owners_of


@dataclass(frozen=True)
class TaskStatus:
    """The cells of one task in one framework."""

    task: Task
    framework: str
    """Which cells these are."""
    done: int
    failed: int
    missing: int
    not_applicable: int
    """How many are in each state."""
    seconds: float
    """The time that the finished ones took."""

    @property
    def total(self) -> int:
        """All cells."""
        return self.done + self.failed + self.missing + self.not_applicable


@dataclass(frozen=True)
class Status:
    """A run's progress by task and framework, its failures, and what has no meaning."""

    path: Path
    suite: str
    rows: tuple[TaskStatus, ...]
    failures: tuple[Failure, ...]
    not_applicable: tuple[Inapplicable, ...]
    owners: tuple[str, ...] = ()
    """Which processes are at work in the folder now, in words."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or failed."""
        return not any(row.missing or row.failed for row in self.rows)

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {
            "path": str(self.path),
            "suite": self.suite,
            "complete": self.complete,
            "rows": [{**asdict(row), "task": str(row.task)} for row in self.rows],
            "failures": [{"cell": failure.spec.label, "error": failure.error} for failure in self.failures],
            "owners": list(self.owners),
            "not_applicable": [{**item._asdict(), "task": str(item.task)} for item in self.not_applicable],
        }


def status(path: str | Path) -> Status:
    """Return how far the run in a folder has come.

    Raises
    ------
    StorageError
        If the folder holds no run, or one of another schema version.
    """
    store = RunStore(path)
    failures = store.failures()
    failed, reasons, done = {failure.key for failure in failures}, store.reasons(), store.provenances()
    groups: dict[tuple[Task, str], list[tuple[str, float]]] = {}
    for spec in store.expected:
        groups.setdefault((spec.task, spec.framework), []).append(_state(spec, done, failed, reasons))
    rows = tuple(_row(*group, found) for group, found in groups.items())
    return Status(
        store.path,
        str(store.run.get("name", "")),
        rows,
        tuple(failures),
        tuple(store.not_applicable()),
        tuple(owners_of(store.path)),
    )


def _row(task: Task, framework: str, found: list[tuple[str, float]]) -> TaskStatus:
    counts, seconds = Counter(state for state, _ in found), sum(took for _, took in found)
    return TaskStatus(
        task, framework, counts["done"], counts["failed"], counts["missing"], counts["not applicable"], seconds
    )


def _state(
    spec: CellSpec, done: Mapping[str, Mapping[str, Any]], failed: set[str], reasons: Mapping[str, str]
) -> tuple[str, float]:
    if spec.key in done:
        begun, ended = (datetime.fromisoformat(done[spec.key][name]) for name in ("started", "finished"))
        return "done", (ended - begun).total_seconds()
    if spec.key in failed:
        return "failed", 0.0
    return ("not applicable" if spec.key in reasons else "missing"), 0.0
