"""What two measurements of one name differ in: protocol, model, dataset, count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from ...methods.registry import method_from
from ...metrics.registry import metric_from
from ...models.zoo.user_models import is_own
from ..standings.results import MethodRun, Results
from .published import flat
from .published_results import Column, Part, PublishedTable, Row

State = Literal["same", "differs", "not told"]
_HELD = ("name", "parameters.", "protocol.", "levels.")
"""Heads of the names of fields that say nothing to a reader."""
OWN_PICTURES = "image-folder"
"""What names of data begin with of which only the path is known."""


@dataclass(frozen=True)
class Match:
    """Whether one part of two measurements is the same."""

    part: Part
    state: State
    words: tuple[str, ...] = ()
    """What differs, or what the source does not tell."""


def seen_by(method: MethodRun) -> int:
    """Return how many samples a method was measured on."""
    return int(method.rows["sample"].nunique())


def matches_of(
    results: Results, ours: MethodRun, metric: Mapping[str, Any], table: PublishedTable, row: Row, column: Column
) -> tuple[Match, ...]:
    """Return what a run's own value and a published one have in common, one for each of `PARTS`.

    Parameters
    ----------
    results, ours, metric
        The run's results in one setting, its method, and the identity of its metric.
    table, row, column
        Where the published value stands; the row has an entry, and the column a metric.
    """
    return (
        _protocol(results, ours, metric, table, row, column),
        _model(results.setting.task.model, table),
        _dataset(results.setting.task.dataset, table),
        _count(seen_by(ours), table),
    )


def _protocol(
    results: Results, ours: MethodRun, metric: Mapping[str, Any], table: PublishedTable, row: Row, column: Column
) -> Match:
    """Compare the metric's fields, the method's parameters, the explained class and the precision."""
    target, precision = results.setting.target, results.setting.precision
    stated = column.fields if column.differs or column.untold else None
    chosen: Mapping[str, Any] | None = {} if row.differs or row.untold else None
    differing = [
        *_fields(metric, metric_from(column.metric).identity(), stated),
        *(f"method's {words}" for words in _fields(ours.identity, method_from(row.entry).identity(), chosen)),
        *filter(None, (column.differs, row.differs)),
    ]
    if table.target not in (None, target):
        differing.append(f"{target} class explained, published {table.target}")
    if precision != "float32":
        differing.append(f"computed in {precision}")
    untold = [*filter(None, (table.untold.get("protocol"), column.untold, row.untold))]
    if table.target is None:
        untold.append("which class is explained")
    return _match("protocol", differing, untold)


def _match(part: Part, differing: Sequence[str], untold: Sequence[str]) -> Match:
    """Return the match of a part: what is known to differ comes before what is not told."""
    if differing:
        return Match(part, "differs", tuple(differing))
    return Match(part, "not told", tuple(untold)) if untold else Match(part, "same")


def _model(ours: str, table: PublishedTable) -> Match:
    """Compare names; a network of the user's own, or one whose weights have no name, may be the very one."""
    name, untold = ours.partition("[")[0], table.untold.get("model", "")
    if name == table.model_entry:
        return _match("model", [], [untold] if untold else [])
    if is_own(ours):
        return _match("model", [], [f"whether {ours} is {table.model}"])
    if name == table.model_entry.partition("@")[0]:
        return _match("model", [], [f"which weights {name} has here; {table.model_entry} names them"])
    if untold and not table.model_entry:
        return _match("model", [], [untold])
    return _match("model", [f"{ours}, published {table.model_entry or table.model}"], [])


def _dataset(ours: str, table: PublishedTable) -> Match:
    """Compare names; a folder is the same where its last parts are those published, and any may hold the very ones."""
    head, _, path = ours.partition(":")
    there, _, tail = table.data_entry.partition(":")
    parts, wanted = PurePath(path).parts, PurePath(tail).parts
    untold = table.untold.get("dataset", "")
    if table.data_entry and head == there and parts[len(parts) - len(wanted) :] == wanted:
        return _match("dataset", [], [untold] if untold else [])
    if head == OWN_PICTURES:
        return _match("dataset", [], [f"whether {ours} is {table.data}"])
    if untold and not table.data_entry:
        return _match("dataset", [], [untold])
    return _match("dataset", [f"{ours}, published {table.data_entry or table.data}"], [])


def _count(ours: int, table: PublishedTable) -> Match:
    if table.images is None or "count" in table.untold:
        return _match("count", [], [table.untold.get("count", "the number of samples")])
    return _match("count", [] if ours == table.images else [f"{ours:,} samples, published {table.images:,}"], [])


def _fields(ours: Mapping[str, Any], theirs: Mapping[str, Any], stated: Mapping[str, Any] | None) -> list[str]:
    """Return the fields of two identities that differ, in words.

    Where the source does not tell all, or is something else, only what is ``stated`` of it is held against ours, and
    the version: the rest of heatmark's nearest entry is no claim of the source.
    """
    here, there = flat(ours), flat(theirs)
    compared = [
        key
        for key in dict.fromkeys((*there, *here))
        if stated is None or key == "version" or key.removeprefix("protocol.") in stated
    ]
    return [
        f"{_field(key)} {_spelt(here.get(key))}, published {_spelt(there.get(key))}"
        for key in compared
        if _listed(here.get(key)) != _listed(there.get(key))
    ]


def _field(key: str) -> str:
    for head in _HELD:
        key = key.removeprefix(head)
    return key.replace("_", " ")


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _spelt(value: Any) -> str:
    """Return a field's value as people write it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return "+".join(map(_spelt, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
