"""From a suite to cells, and what is left to do of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from ...datasets.base import Framing
from ...datasets.registry import find_dataset, load_dataset
from ...methods.registry import method_from
from ...metrics.registry import metric_from
from ...models.zoo.loading import find_model
from ..setting.environment import gpu_possible
from ..store.cell import UNKNOWN_WEIGHTS, CellSpec, Task
from ..store.folder import RunStore
from ..suite import Suite
from ..work.messages import Description, Failed, ModelRequest, NotMeant
from ..work.named_models import check_name, identity_without_loading, is_own, possible_frameworks

State = Literal["done", "to do", "not applicable", "failed"]
Answer = Description | Failed | NotMeant


@dataclass(frozen=True)
class DatasetFacts:
    """What a plan needs of a dataset: its revision, how many samples are used, and how they are framed."""

    revision: str
    samples: int
    framing: Framing


@dataclass(frozen=True)
class Definition:
    """A method or metric: its canonical text and everything that its numbers depend on."""

    id: str
    identity: Mapping[str, Any]
    origin: str


@dataclass(frozen=True)
class Work:
    """A suite with its names looked up: nothing in it needs a framework.

    Attributes
    ----------
    suite
        The suite.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    datasets
        Facts by name.
    methods, metrics
        The definitions; metrics are sorted by canonical text, so that their order does not matter to a key.
    """

    suite: Suite
    device: str
    datasets: Mapping[str, DatasetFacts]
    methods: tuple[Definition, ...]
    metrics: tuple[Definition, ...]

    @property
    def requests(self) -> list[ModelRequest]:
        """Every model in every framework."""
        pairs = product(self.suite.models, self.suite.frameworks)
        return [ModelRequest(model, framework, self.device, self.suite.precision) for model, framework in pairs]

    @property
    def origins(self) -> tuple[str, ...]:
        """The modules outside heatmark that registered something that this work names."""
        found = [definition.origin for definition in (*self.methods, *self.metrics)]
        found += [find_model(name)[0].origin for name in self.suite.models if not is_own(name)]
        found += [find_dataset(name).origin for name in self.suite.datasets]
        return tuple(sorted({name for name in found if name in sys.modules and name.partition(".")[0] != "heatmark"}))


@dataclass(frozen=True)
class PlannedCell:
    """A cell and what is known about it; ``reason`` says why it cannot start or has no meaning."""

    spec: CellSpec
    state: State
    reason: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Plan:
    """Every cell of a suite, in the order of execution."""

    cells: tuple[PlannedCell, ...]

    @property
    def specs(self) -> list[CellSpec]:
        """All cells."""
        return [cell.spec for cell in self.cells]

    def of(self, state: State) -> list[PlannedCell]:
        """Return the cells in one state."""
        return [cell for cell in self.cells if cell.state == state]

    def part(self, shard: tuple[int, int] | None) -> Plan:
        """Return every n-th cell, counted over all cells, so that shards never overlap whatever is done already."""
        if shard is None:
            return self
        number, count = shard
        return Plan(self.cells[number - 1 :: count])


def looked_up(suite: Suite) -> tuple[tuple[Definition, ...], tuple[Definition, ...]]:
    """Return the definitions of a suite's methods and metrics, and check the other names; nothing is loaded.

    Raises
    ------
    UnknownName
        For unknown methods, metrics, models and datasets, with suggestions.
    BadInput
        For bad parameters.
    """
    methods = [method_from(text) for text in suite.methods]
    metrics = sorted((metric_from(text) for text in suite.metrics), key=lambda metric: metric.id)
    for model in suite.models:
        check_name(model)
    for dataset in suite.datasets:
        find_dataset(dataset)
    return (
        _distinct([Definition(method.id, method.identity(), method.entry.origin) for method in methods]),
        _distinct([Definition(metric.id, metric.identity(), metric.entry.origin) for metric in metrics]),
    )


def work_of(suite: Suite, device: str) -> Work:
    """Look up a suite's names and open its datasets, downloading what is missing.

    Raises
    ------
    UnknownName, BadInput
        As `looked_up`, and for datasets that cannot be used.
    MissingExtra
        If a package that carries data is not installed.
    """
    methods, metrics = looked_up(suite)
    datasets = {name: _facts(name, suite.limit) for name in suite.datasets}
    return Work(suite, device, datasets, methods, metrics)


def known_without_loading(request: ModelRequest) -> Description | NotMeant | None:
    """Return a model's description if that needs no framework: known weights, and no GPU that it could be on."""
    if request.framework not in possible_frameworks(request.model):
        return NotMeant(f"{request.model} does not exist in {request.framework}")
    weights = identity_without_loading(request.model)
    if weights is None or not (request.device == "cpu" or (request.device == "auto" and not gpu_possible())):
        return None
    return Description(weights, "cpu")


def planned(work: Work, answers: Mapping[ModelRequest, Answer], store: RunStore) -> Plan:
    """Return the plan: every cell with what the store and the models' descriptions say about it.

    A model that does not exist in a framework has no cells there.
    """
    return Plan(tuple(_state(spec, answer, store) for spec, answer in _specs(work, answers)))


def _specs(work: Work, answers: Mapping[ModelRequest, Answer]) -> Iterator[tuple[CellSpec, Answer]]:
    """Yield every cell, all methods of a sample range before the next range."""
    suite = work.suite
    for task, seed in product(suite.tasks, suite.seeds):
        facts = work.datasets[task.dataset]
        for first, method in product(range(0, facts.samples, suite.cell_samples), work.methods):
            for framework in suite.frameworks:
                answer = answers[ModelRequest(task.model, framework, work.device, suite.precision)]
                if isinstance(answer, NotMeant):
                    continue
                last = min(first + suite.cell_samples, facts.samples)
                yield _spec(work, task, method, framework, (first, last), seed, answer), answer


def _spec(
    work: Work, task: Task, method: Definition, framework: str, samples: tuple[int, int], seed: int, answer: Answer
) -> CellSpec:
    known = answer if isinstance(answer, Description) else Description(UNKNOWN_WEIGHTS, work.device)
    return CellSpec(
        model=task.model,
        model_weights=known.weights,
        dataset=task.dataset,
        dataset_revision=work.datasets[task.dataset].revision,
        first=samples[0],
        last=samples[1],
        method=method.id,
        method_identity=method.identity,
        metrics=tuple(metric.id for metric in work.metrics),
        metric_identities=tuple(metric.identity for metric in work.metrics),
        framework=framework,
        precision=work.suite.precision,
        device_class=known.device_class,
        seed=seed,
        target=work.suite.target,
    )


def _state(spec: CellSpec, answer: Answer, store: RunStore) -> PlannedCell:
    if isinstance(answer, Failed):
        return PlannedCell(spec, "failed", answer.error, answer.traceback)
    if store.is_done(spec.key):
        return PlannedCell(spec, "done")
    reason = store.reason(spec.key)
    return PlannedCell(spec, "to do") if reason is None else PlannedCell(spec, "not applicable", reason)


def _facts(name: str, limit: int | None) -> DatasetFacts:
    dataset = load_dataset(name)
    return DatasetFacts(dataset.revision, min(len(dataset), limit or len(dataset)), dataset.framing)


def _distinct(definitions: Sequence[Definition]) -> tuple[Definition, ...]:
    """Return each definition once: two spellings may name the same thing."""
    return tuple({definition.id: definition for definition in definitions}.values())
