"""What a run's examinations found of its networks, for the report, the tables and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...benchmark.checking.examination import Examination
from ...benchmark.store.cell import Task
from ...errors import BadInput
from ..standings.results import framework_text
from ..standings.standings import Standings

_ABOUT = ("model", "model_weights", "dataset", "framework", "precision", "device_class")
"""What an examination and the cells after it have in common."""


@dataclass(frozen=True)
class ExaminedNetwork:
    """A network of the run with what its examination found."""

    task: Task
    framework: str
    precision: str
    """Where it was examined; it holds for every choice of samples."""
    found: Examination

    @property
    def title(self) -> str:
        """The task and the framework, as the tables are headed."""
        return f"{self.task} · {framework_text(self.framework, self.precision)}"

    @property
    def summary(self) -> str:
        """One line: what does not hold, or that all does."""
        told = [f"{one.sign} {one.question}" for verdict in ("fails", "doubtful") for one in self.found.of(verdict)]
        return f"{self.title}: " + ("; ".join(told) or f"all {len(self.found.of('holds'))} questions hold")


def examined_networks(standings: Standings) -> tuple[ExaminedNetwork, ...]:
    """Return the networks that were examined, in the plan's order; a run of an older version may hold none."""
    latest: dict[tuple[str, ...], Mapping[str, object]] = {}
    for record in (record for store in standings.stores for record in store.examinations()):
        about = tuple(str(record["spec"].get(name)) for name in _ABOUT)
        if about not in latest or _version(latest[about]) <= _version(record):
            latest[about] = record
    networks: dict[tuple[str, ...], ExaminedNetwork] = {}
    for cell in (spec for store in standings.stores for spec in store.expected):
        about = tuple(str(getattr(cell, name)) for name in _ABOUT)
        if about in networks or about not in latest:
            continue
        try:
            found = Examination.from_plain(latest[about]["answers"])  # type: ignore[arg-type]  # read from JSON
        except BadInput:
            continue
        task = Task(cell.model, cell.dataset, cell.model_weights)
        networks[about] = ExaminedNetwork(task, cell.framework, cell.precision, found)
    return tuple(networks.values())


def _version(record: Mapping[str, object]) -> int:
    spec = record["spec"]
    return int(spec.get("version", 0)) if isinstance(spec, Mapping) else 0
