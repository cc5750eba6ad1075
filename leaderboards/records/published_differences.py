"""What two measurements of one name differ in: protocol, model, dataset, count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from ...methods.registry import method_from
from ...metrics.registry import metric_from
from ...models.zoo.user_models import is_own
from ..standings.results import MethodRun, Results
from .published import flat
from .published_results import PARTS, Column, Part, PublishedTable, Row

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
    published_method, published_metric = method_from(row.entry).identity(), metric_from(column.metric).identity()
    setting = results.setting
    found: dict[Part, list[str]] = {
        "protocol": [
            *_fields(metric, published_metric, column.fields if column.differs or column.untold else None),
            *(
                f"method's {words}"
                for words in _fields(ours.identity, published_method, {} if row.differs or row.untold else None)
            ),
            *([column.differs] if column.differs else []),
            *([row.differs] if row.differs else []),
            *(
                [f"{setting.target} class explained, published {table.target}"]
                if table.target not in (None, setting.target)
                else []
            ),
            *([f"computed in {setting.precision}"] if setting.precision != "float32" else []),
        ],
        "model": _model(setting.task.model, table),
        "dataset": _dataset(setting.task.dataset, table),
        "count": _count(seen_by(ours), table),
    }
    untold: dict[Part, list[str]] = {part: [table.untold[part]] if part in table.untold else [] for part in PARTS}
    untold["protocol"] += [words for words in (column.untold, row.untold) if words]
    if table.target is None:
        untold["protocol"].append("which class is explained")
    if table.images is None and not untold["count"]:
        untold["count"].append("the number of samples")
    # A network or folder of the user's own may be the very one; so may any where the source does not say which it was.
    own: dict[Part, tuple[str, bool, str]] = {
        "model": (
            setting.task.model,
            is_own(setting.task.model) or (not table.model_entry and bool(untold["model"])),
            table.model,
        ),
        "dataset": (setting.task.dataset, setting.task.dataset.startswith(OWN_PICTURES), table.data),
    }
    for part, (name, may_be, published_as) in own.items():
        if found[part] and may_be:
            found[part], untold[part] = [], untold[part] or [f"whether {name} is {published_as}"]
    return tuple(
        Match(part, "differs", tuple(found[part]))
        if found[part]
        else Match(part, "not told", tuple(untold[part]))
        if untold[part]
        else Match(part, "same")
        for part in PARTS
    )


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


def _model(ours: str, table: PublishedTable) -> list[str]:
    named = table.model_entry or table.model
    return [] if table.model_entry and ours.partition("[")[0] == table.model_entry else [f"{ours}, published {named}"]


def _dataset(ours: str, table: PublishedTable) -> list[str]:
    """Compare names; a dataset that is a folder is the same where the folder's last parts are those published."""
    head, _, path = ours.partition(":")
    there, _, tail = table.data_entry.partition(":")
    parts, wanted = PurePath(path).parts, PurePath(tail).parts
    if table.data_entry and head == there and parts[len(parts) - len(wanted) :] == wanted:
        return []
    return [f"{ours}, published {table.data_entry or table.data}"]


def _count(ours: int, table: PublishedTable) -> list[str]:
    return [] if table.images in (None, ours) else [f"{ours:,} samples, published {table.images:,}"]
