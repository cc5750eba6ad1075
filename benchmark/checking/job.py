"""Examining a run's network in a worker: once for each model, dataset and framework, before its cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ...identity import digest
from ...models.queries import Precision
from ..store.cell import CellSpec, Task
from ..work.messages import NamedModel, Report
from ..work.samples import SampleRule
from ..work.worker import Worker, check_device, check_planned
from .examination import Examination
from .examine import examine
from .inputs import samples
from .sources import what_was_read

VERSION = 2
"""Raised whenever a question is added or asked in another way, so that runs that go on ask again."""


@dataclass(frozen=True, kw_only=True)
class ExaminationSpec:
    """What the answers about a network depend on."""

    model: str
    model_weights: str
    """The model's name and the SHA-256 of its weights."""
    dataset: str
    dataset_revision: str
    """The dataset's name and revision."""
    framework: str
    device_class: str
    precision: Precision
    """Where and in which numbers it runs, as in `CellSpec`."""
    version: int = VERSION
    """Of the questions."""

    @classmethod
    def before(cls, cell: CellSpec) -> ExaminationSpec:
        """Return the examination that goes before a cell."""
        return cls(
            model=cell.model,
            model_weights=cell.model_weights,
            dataset=cell.dataset,
            dataset_revision=cell.dataset_revision,
            framework=cell.framework,
            device_class=cell.device_class,
            precision=cell.precision,
        )

    @property
    def key(self) -> str:
        """The SHA-256 of the canonical JSON of all fields."""
        return digest(self)

    @property
    def method(self) -> str:
        """What progress says is being done."""
        return "examining"

    @property
    def label(self) -> str:
        """The examination in one line."""
        return f"{Task(self.model, self.dataset, self.model_weights)} · examined · {self.framework}"

    def plain(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class ExaminationJob:
    """An examination to be made, with what its answers do not depend on."""

    spec: ExaminationSpec
    device: str
    rule: SampleRule

    @property
    def named_model(self) -> NamedModel:
        """The model that it is about."""
        return NamedModel(self.spec.model, self.spec.framework, self.device, self.spec.precision, examined=True)

    def result(self, worker: Worker, report: Report) -> Examination:
        """Examine the network with samples of the dataset.

        Raises
        ------
        BadInput
            If the model or the dataset is not what the run was planned with.
        """
        spec = self.spec
        task = worker.task(self.named_model, spec.model_weights, spec.dataset, self.rule)
        check_device(task.model, spec.device_class)
        check_planned(f"The dataset {spec.dataset}", task.dataset.revision, spec.dataset_revision)
        with task.telling(report):
            x, inputs = samples(task.model, task.dataset)
            return examine(task.model, x, inputs, [what_was_read(spec.model, task.model)])
