"""What has a page in the site, under which address: methods, metrics and tasks, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from ...benchmark.store.cell import slug
from ..across.overall import Overall, overall
from ..standings.registered import MethodFacts, MetricFacts
from ..standings.results import Setting
from ..standings.standings import Standings, Table
from ..standings.styles import Style, family_styles

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
        odd = [setting.precision] * (setting.precision != "float32")
        odd += [f"explaining the {setting.target}"] * (setting.target != "predicted")
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
    def standing(self) -> Overall:
        """The standing across tasks."""
        return overall(self.standings)

    @cached_property
    def methods(self) -> tuple[Paged[MethodFacts], ...]:
        """The methods; two versions of one are two."""
        return _paged(self.standings.methods)

    @cached_property
    def metrics(self) -> tuple[Paged[MetricFacts], ...]:
        """The metrics; two protocols of one are two."""
        return _paged(self.standings.metrics)

    @cached_property
    def tasks(self) -> tuple[TaskPages, ...]:
        """The tasks, each with its frameworks."""
        slugs = Slugs()
        return tuple(
            TaskPages(tuple(tables), slugs.of(_task_text(tables[0].setting))) for tables in self.standings.by_task
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
    def method_numbers(self) -> Mapping[str, int]:
        """The place of each method in the data, by its name on the board."""
        return {one.facts.id: number for number, one in enumerate(self.methods)}

    @cached_property
    def metric_numbers(self) -> Mapping[str, int]:
        """The place of each metric in the data, by its name on the board."""
        return {one.facts.id: number for number, one in enumerate(self.metrics)}

    @cached_property
    def styles(self) -> tuple[Style, ...]:
        """How each method is drawn, as in every figure."""
        styles = family_styles([one.facts for one in self.methods])
        return tuple(styles[one.facts.id] for one in self.methods)


def _paged(found: Sequence[Any]) -> tuple[Paged[Any], ...]:
    slugs = Slugs()
    names = [one.name for one in found]
    # Where two would look the same, each has the name by which the board tells them apart.
    return tuple(
        Paged(one, name if names.count(name) == 1 else one.id, slugs.of(one.id))
        for one, name in zip(found, names, strict=True)
    )


def _task_text(setting: Setting) -> str:
    return "-".join(filter(None, (setting.task.model, setting.task.dataset, setting.variant)))
