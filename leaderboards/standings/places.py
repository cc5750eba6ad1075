"""Which table every cell belongs to, and what the tables are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...benchmark.store.cell import Task
from .planned import Planned
from .results import Setting


class Place(NamedTuple):
    """What the cells of one table have in common."""

    task: Task
    precision: str
    target: str
    framework: str
    weights: str
    revision: str
    device: str
    first: int = 0
    last: int = 0
    """The range of all samples that the run's plan asks of a method."""


def places_of(planned: Sequence[Planned]) -> list[Place]:
    """Return for every cell the table that it belongs to.

    Which samples a run chose says the range of all cells of a method in its plan, also where some are not done.
    """
    spans: dict[tuple[Path, Place, str], tuple[int, int]] = {}
    found = []
    for cell in planned:
        spec = cell.spec
        place = Place(
            spec.task,
            spec.precision,
            spec.target,
            spec.framework,
            spec.model_weights,
            spec.dataset_revision,
            spec.device_class,
        )
        whole = cell.run, place, cell.method
        first, last = spans.get(whole, (spec.first, spec.last))
        spans[whole] = min(first, spec.first), max(last, spec.last)
        found.append(whole)
    return [whole[1]._replace(first=spans[whole][0], last=spans[whole][1]) for whole in found]


def settings_of(places: Sequence[Place]) -> dict[Place, Setting]:
    """Return what each table is called: where several are of one task and framework, with what tells them apart."""
    siblings: dict[tuple[Task, str], list[Place]] = {}
    for place in places:
        siblings.setdefault((place.task, place.precision), []).append(place)
    named = {}
    for together in siblings.values():
        telling: list[str] = []
        for feature in _FEATURES:
            if _groups(together, [*telling, feature]) > _groups(together, telling):
                telling.append(feature)
        for place in together:
            words = ", ".join(_features(place)[feature] for feature in telling)
            named[place] = Setting(place.task, place.precision, place.target, place.framework, words)
    return named


_FEATURES = ("samples", "target", "weights", "data", "device")
"""What may tell two tables of a task and framework apart, in the order in which it is named."""


def _features(place: Place) -> dict[str, str]:
    count = place.last - place.first
    return {
        "samples": f"{count} samples" if place.first == 0 else f"samples {place.first} to {place.last - 1}",
        "target": f"explaining the {place.target}{' class' if place.target == 'predicted' else ''}",
        "weights": f"weights {place.weights[:8]}",
        "data": f"data {place.revision[:8]}",
        "device": place.device,
    }


def _groups(places: Iterable[Place], telling: Sequence[str]) -> int:
    return len({(place.framework, *(_features(place)[feature] for feature in telling)) for place in places})
