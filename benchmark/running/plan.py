"""From a suite to cells, and what is left to do of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from ...datasets.base import Dataset
from ...datasets.registry import find_dataset, load_dataset
from ...methods.registry import Method, method_from
from ...metrics.registry import Metric, metric_from
from ..store.cell import CellSpec, with_keys
from ..store.folder import RunStore
from ..store.outcomes import NotMeant, Outcome
from ..suite import Suite
from ..work.messages import Described, NamedModel
from ..work.named_models import check_name
from .jobs import facts_of, known_outcome


@dataclass(frozen=True)
class ResolvedSuite:
    """A suite with its names looked up: nothing in it needs a framework."""

    suite: Suite
    """The suite."""
    device: str
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    methods: tuple[Method, ...]
    metrics: tuple[Metric, ...]
    """Each once: two spellings may name the same thing. Metrics are sorted by canonical text, so that their order does
    not matter to a key.
    """

    @classmethod
    def of(cls, suite: Suite, device: str) -> ResolvedSuite:
        """Look up the names of a suite.

        Raises
        ------
        UnknownName
            For unknown methods, metrics, models and datasets, with suggestions.
        BadInput
            For bad parameters.
        """
        methods = {method.id: method for method in map(method_from, suite.methods)}
        metrics = {metric.id: metric for metric in map(metric_from, suite.metrics)}
        for model in suite.models:
            check_name(model)
        for dataset in suite.datasets:
            find_dataset(dataset)
        return cls(suite, device, tuple(methods.values()), tuple(metrics[name] for name in sorted(metrics)))

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """The datasets by name, opened when they are first asked for, which downloads what is missing.

        Raises
        ------
        BadInput
            For datasets that cannot be used.
        MissingExtra
            If a package that carries data is not installed.
        """
        return {name: load_dataset(name) for name in self.suite.datasets}

    @cached_property
    def samples(self) -> Mapping[tuple[str, str], Dataset]:
        """The samples by model and dataset that the suite's rule takes."""
        rule = self.suite.rule
        return {
            (task.model, task.dataset): rule.of(self.datasets[task.dataset], task.model) for task in self.suite.tasks
        }

    @property
    def named_models(self) -> list[NamedModel]:
        """Every model in every framework."""
        return [self.named_model(*pair) for pair in product(self.suite.models, self.suite.frameworks)]

    def named_model(self, model: str, framework: str) -> NamedModel:
        """Return a model in a framework as workers are asked for it: a run examines every network."""
        return NamedModel(model, framework, self.device, self.suite.precision, examined=True)


def planned_cells(
    resolved: ResolvedSuite, answers: Mapping[NamedModel, Described], store: RunStore
) -> list[tuple[CellSpec, Outcome | None]]:
    """Return every cell, in the order of execution, with its `known_outcome`.

    A model that does not exist in a framework has no cells there.
    """
    cells = list(_specs(resolved, answers))
    done = store.provenances(with_keys(spec for spec, _ in cells))
    return [(spec, known_outcome(spec, answer, store, spec.key in done)) for spec, answer in cells]


def _specs(resolved: ResolvedSuite, answers: Mapping[NamedModel, Described]) -> Iterator[tuple[CellSpec, Described]]:
    """Yield every cell, all methods of a sample range before the next range."""
    suite = resolved.suite
    methods = [(method.id, method.identity()) for method in resolved.methods]
    metric_identities = tuple(metric.identity() for metric in resolved.metrics)
    for task, seed in product(suite.tasks, suite.seeds):
        dataset = resolved.samples[task.model, task.dataset]
        count = len(dataset)
        for first, (method, identity) in product(range(0, count, suite.cell_samples), methods):
            for framework in suite.frameworks:
                answer = answers[resolved.named_model(task.model, framework)]
                if isinstance(answer, NotMeant):
                    continue
                model = facts_of(answer, resolved.device)
                spec = CellSpec(
                    model=task.model,
                    model_weights=model.weights,
                    dataset=task.dataset,
                    dataset_revision=dataset.revision,
                    first=first,
                    last=min(first + suite.cell_samples, count),
                    method=method,
                    method_identity=identity,
                    metrics=tuple(metric.id for metric in resolved.metrics),
                    metric_identities=metric_identities,
                    framework=framework,
                    precision=suite.precision,
                    device_class=model.device_class,
                    seed=seed,
                    target=suite.target,
                )
                yield spec, answer
