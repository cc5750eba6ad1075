"""From a suite to cells, and what is left to do of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ...datasets.base import Framing
from ...datasets.registry import find_dataset, load_dataset
from ...methods.registry import Method, method_from
from ...metrics.registry import Metric, metric_from
from ..store.cell import CellSpec
from ..store.folder import RunStore
from ..suite import Suite
from ..work.messages import Described, NamedModel, NotMeant
from ..work.named_models import check_name
from .jobs import PlannedCell, State, facts_of, origins_outside, planned


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
class ResolvedSuite:
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
    def named_models(self) -> list[NamedModel]:
        """Every model in every framework."""
        pairs = product(self.suite.models, self.suite.frameworks)
        return [NamedModel(model, framework, self.device, self.suite.precision) for model, framework in pairs]

    @property
    def origins(self) -> tuple[str, ...]:
        """The modules outside heatmark that registered something that this suite names."""
        registered = [definition.origin for definition in (*self.methods, *self.metrics)]
        return origins_outside(registered, self.suite.models, self.suite.datasets)


@dataclass(frozen=True)
class Plan:
    """Every cell of a suite, in the order of execution."""

    cells: tuple[PlannedCell[CellSpec], ...]

    @property
    def specs(self) -> list[CellSpec]:
        """All cells."""
        return [cell.spec for cell in self.cells]

    def of(self, state: State) -> list[PlannedCell[CellSpec]]:
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
    return _definitions(methods), _definitions(metrics)


def resolved_suite(
    suite: Suite, device: str, methods: tuple[Definition, ...], metrics: tuple[Definition, ...]
) -> ResolvedSuite:
    """Open the datasets of a suite whose names were `looked_up`, downloading what is missing.

    Raises
    ------
    BadInput
        For datasets that cannot be used.
    MissingExtra
        If a package that carries data is not installed.
    """
    return ResolvedSuite(suite, device, {name: _facts(name, suite.limit) for name in suite.datasets}, methods, metrics)


def planned_cells(resolved: ResolvedSuite, answers: Mapping[NamedModel, Described], store: RunStore) -> Plan:
    """Return the plan: every cell with what the store and the models' descriptions say about it.

    A model that does not exist in a framework has no cells there.
    """
    return Plan(
        tuple(planned(spec, answer, store, store.is_done(spec.key)) for spec, answer in _specs(resolved, answers))
    )


def _specs(resolved: ResolvedSuite, answers: Mapping[NamedModel, Described]) -> Iterator[tuple[CellSpec, Described]]:
    """Yield every cell, all methods of a sample range before the next range."""
    suite = resolved.suite
    for task, seed in product(suite.tasks, suite.seeds):
        facts = resolved.datasets[task.dataset]
        for first, method in product(range(0, facts.samples, suite.cell_samples), resolved.methods):
            for framework in suite.frameworks:
                answer = answers[NamedModel(task.model, framework, resolved.device, suite.precision)]
                if isinstance(answer, NotMeant):
                    continue
                model = facts_of(answer, resolved.device)
                spec = CellSpec(
                    model=task.model,
                    model_weights=model.weights,
                    dataset=task.dataset,
                    dataset_revision=facts.revision,
                    first=first,
                    last=min(first + suite.cell_samples, facts.samples),
                    method=method.id,
                    method_identity=method.identity,
                    metrics=tuple(metric.id for metric in resolved.metrics),
                    metric_identities=tuple(metric.identity for metric in resolved.metrics),
                    framework=framework,
                    precision=suite.precision,
                    device_class=model.device_class,
                    seed=seed,
                    target=suite.target,
                )
                yield spec, answer


def _facts(name: str, limit: int | None) -> DatasetFacts:
    dataset = load_dataset(name)
    return DatasetFacts(dataset.revision, min(len(dataset), limit or len(dataset)), dataset.framing)


def _definitions(chosen: Sequence[Method | Metric]) -> tuple[Definition, ...]:
    """Return each definition once: two spellings may name the same thing."""
    found = {one.id: Definition(one.id, one.identity(), one.entry.origin) for one in chosen}
    return tuple(found.values())
