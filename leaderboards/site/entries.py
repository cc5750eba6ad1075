"""What the pages of single methods, metrics and tasks tell, besides the numbers that scripts draw from the board."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...definitions import Selectable
from ...errors import HeatmarkError
from ...selection import parse_selection
from ..audits.audit import MetricAudit
from ..report.networks import ExaminedNetwork, examined_networks
from ..report.verdict import Verdict, verdicts
from ..standings.registered import MethodFacts, MetricFacts
from ..standings.standings import Standings
from ..writing.names import parted
from .catalogue import Paged, TaskPages
from .rendering import Link

PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class ParameterRow:
    """A parameter with the value that it had."""

    name: str
    value: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Code:
    """The function or dataclass that a method or metric is."""

    place: str
    """The file, and the line where it begins."""
    text: str


@dataclass(frozen=True)
class EntryFacts:
    """What the registry knows of a method or metric; little of a plugin's that is not loaded."""

    cost: str
    parameters: tuple[ParameterRow, ...]
    links: tuple[Link, ...]
    """Where it comes from."""
    code: Code | None


@dataclass(frozen=True)
class AuditedTaskRow:
    """What an audit found of a metric on one data set."""

    dataset: str
    model: str
    answers: tuple[tuple[str, bool | None, str], ...]
    """(question, whether it was passed, the answer)."""


def method_entry(method: MethodFacts) -> EntryFacts:
    """Return what the registry knows of a method."""
    from ...methods.registry import METHODS

    return _entry(METHODS, method.id, method.parameters, method.reference)


def metric_entry(metric: MetricFacts) -> EntryFacts:
    """Return what the registry knows of a metric."""
    from ...metrics.registry import METRICS

    return _entry(METRICS, metric.id, metric.protocol, metric.reference)


def _entry(registry: Any, text: str, values: Mapping[str, Any], reference: str) -> EntryFacts:
    links = tuple(
        Link(f"arXiv {one}", f"https://arxiv.org/abs/{one}") for one in re.findall(r"arXiv ([\w./-]+)", reference)
    )
    try:
        entry: Selectable | None = registry.get(parse_selection(parted(text)[0]).name)
    except HeatmarkError:
        entry = None
    docs = {} if entry is None else {parameter.name: parameter.doc for parameter in entry.parameters}
    rows = tuple(
        ParameterRow(
            name.replace("_", " "),
            spelt(value),
            docs[name].text if name in docs else "",
            docs[name].source if name in docs else "",
        )
        for name, value in values.items()
    )
    return EntryFacts(str(getattr(entry, "cost", "") or ""), rows, links, None if entry is None else _code(entry))


def _code(entry: Selectable) -> Code | None:
    try:
        lines, first = inspect.getsourcelines(entry.function)
        path = Path(inspect.getsourcefile(entry.function) or "")
    except (OSError, TypeError):  # made at run time, as a plugin may be
        return None
    inside = path.is_relative_to(PACKAGE)
    place = path.relative_to(PACKAGE).as_posix() if inside else path.name
    return Code(f"{place}, line {first}", "".join(lines))


def spelt(value: Any) -> str:
    """Return a parameter's value in words."""
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value, ensure_ascii=False)


def audit_rows(audit: MetricAudit) -> tuple[AuditedTaskRow, ...]:
    """Return an audit's answers, a row for each data set."""
    return tuple(
        AuditedTaskRow(
            task.dataset,
            task.model,
            tuple((check.name, check.passed, check.words) for check in task.checks(audit.about_truth)),
        )
        for task in audit.tasks
    )


def task_verdicts(standings: Standings, task: TaskPages) -> list[Verdict]:
    """Return what a task's tables say."""
    return verdicts(replace(standings, tables=task.tables))


def task_networks(standings: Standings, task: TaskPages) -> list[ExaminedNetwork]:
    """Return what was found of a task's network before it was used."""
    settings = {
        (one.setting.task, one.results.weights, one.setting.framework, one.setting.precision) for one in task.tables
    }
    return [
        one
        for one in examined_networks(standings)
        if (one.task, one.task.weights, one.framework, one.precision) in settings
    ]


def by_family(things: Sequence[Paged[Any]]) -> dict[str, list[Paged[Any]]]:
    """Return methods or metrics by family, in the order of first appearance."""
    found: dict[str, list[Paged[Any]]] = {}
    for one in things:
        found.setdefault(one.facts.family or "other", []).append(one)
    return found
