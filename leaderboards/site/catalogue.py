"""What has a page in the site, under which address: methods, metrics and tasks, each once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from ...benchmark.store.cell import slug
from ...identity import digest
from ..standings.registered import MethodFacts, MetricFacts
from ..standings.standings import Standings, Table
from ..standings.styles import Style, family_styles
from ..writing.names import Kind, shown

Facts = TypeVar("Facts")


@dataclass(frozen=True, eq=False)
class Paged(Generic[Facts]):
    """Something with a page of its own."""

    facts: Facts
    shown: str
    """What readers see."""
    slug: str
    """Its page's and its data's name, safe on every system and in every address."""


@dataclass(frozen=True, eq=False)
class TaskPages:
    """A task, with its table in every framework."""

    tables: tuple[Table, ...]
    slug: str

    @property
    def shown(self) -> str:
        """The task in words, with what is not as usual."""
        setting = self.tables[0].setting
        precision, target = setting.precision, setting.target
        odd = [precision] * (precision != "float32") + [f"explaining the {target}"] * (target != "predicted")
        return f"{setting.task_title} ({', '.join(odd)})" if odd else setting.task_title


class Slugs:
    """Gives each thing a name that no other has, also where capitals make no difference."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, text: str) -> str:
        """Return a name for ``text``; the second of two equal texts gets a number."""
        name = first = slug(text)
        number = 1
        while name.lower() in self._taken:
            number += 1
            name = f"{first}-{number}"
        self._taken.add(name.lower())
        return name


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Every page of a site, and the number that stands for a method or metric in its data."""

    standings: Standings

    @cached_property
    def methods(self) -> tuple[Paged[MethodFacts], ...]:
        """The methods; two versions of one are two."""
        return _paged(
            {method_key(row.method): row.method for table in self.standings.tables for row in table.rows}, "method"
        )

    @cached_property
    def metrics(self) -> tuple[Paged[MetricFacts], ...]:
        """The metrics; two protocols of one are two."""
        return _paged({metric_key(one): one for table in self.standings.tables for one in table.metrics}, "metric")

    @cached_property
    def tasks(self) -> tuple[TaskPages, ...]:
        """The tasks, each with its frameworks."""
        slugs = Slugs()
        return tuple(
            TaskPages(
                tuple(tables),
                slugs.of(
                    f"{tables[0].setting.task.model}-{tables[0].setting.task.dataset} {tables[0].setting.variant}".strip()
                ),
            )
            for tables in self.standings.by_task
        )

    @cached_property
    def settings(self) -> tuple[tuple[TaskPages, Table, str], ...]:
        """Every table with its task and the name of its data."""
        return tuple(
            (task, table, f"{task.slug}-{slug(table.setting.framework)}")
            for task in self.tasks
            for table in task.tables
        )

    @cached_property
    def method_numbers(self) -> Mapping[Hashable, int]:
        """The place of each method in the data, by `method_key`."""
        return {method_key(one.facts): number for number, one in enumerate(self.methods)}

    @cached_property
    def metric_numbers(self) -> Mapping[Hashable, int]:
        """The place of each metric in the data, by `metric_key`."""
        return {metric_key(one.facts): number for number, one in enumerate(self.metrics)}

    @cached_property
    def styles(self) -> tuple[Style, ...]:
        """How each method is drawn, as in every figure."""
        styles = family_styles([one.facts for one in self.methods])
        return tuple(styles[one.facts.id] for one in self.methods)


def method_key(method: MethodFacts) -> Hashable:
    """Return what tells methods apart: the text and everything that it ran with, its version among that."""
    return method.id, digest(dict(method.parameters))


def metric_key(metric: MetricFacts) -> Hashable:
    """Return what tells metrics apart: the text and the protocol."""
    return metric.id, digest(dict(metric.protocol))


def _paged(found: Mapping[Any, Any], kind: Kind) -> tuple[Paged[Any], ...]:
    slugs, names = Slugs(), _distinct(found.values(), kind)
    return tuple(Paged(one, name, slugs.of(one.id)) for one, name in zip(found.values(), names, strict=True))


def _distinct(things: Iterable[MethodFacts | MetricFacts], kind: Kind) -> list[str]:
    """Return what readers see of each, with the version where two would look the same."""
    things = list(things)
    texts = [shown(one.id, kind) for one in things]
    return [
        f"{text} (version {_version(one)})" if texts.count(text) > 1 else text
        for one, text in zip(things, texts, strict=True)
    ]


def _version(one: MethodFacts | MetricFacts) -> Any:
    return (one.parameters if isinstance(one, MethodFacts) else one.protocol).get("version", "unknown")
