"""The cells that runs expect, what they came to, and in which table of a board they stand under which names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...benchmark.store.added import AddedScores
from ...benchmark.store.cell import CellSpec, Task, rows_schema, score_column
from ...benchmark.store.finished import Cell, flat_columns
from ...benchmark.store.folder import RunStore
from .results import Setting
from .told_apart import EntryNames, Identity


@dataclass(frozen=True, eq=False)
class Planned:
    """A cell that a run expects, and what it came to there."""

    run: Path
    key: str
    spec: CellSpec
    method: str
    metrics: tuple[str, ...]
    """The names on the board of its method and its metrics."""
    cell: Cell | None
    """What is kept of it; None while it is not done."""
    added: Mapping[str, Sequence[float]]
    """The metrics that were added later, by their names on the board, each with one score per row."""
    failed: bool
    reason: str | None
    """Why it has no meaning, where that is so."""

    @property
    def samples(self) -> int:
        """How many rows it has."""
        return 0 if self.cell is None else self.cell.samples

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How its rows were made; nothing while it is not done."""
        return {} if self.cell is None else self.cell.provenance


@dataclass(frozen=True, eq=False)
class RunRead:
    """A run as it is read."""

    store: RunStore
    """Its folder."""
    expected: Sequence[tuple[str, CellSpec, int]]
    """The cells of its plan, each with its key and the place in ``metrics`` of those that it is to be scored with."""
    metrics: Sequence[Sequence[tuple[str, Identity]]]
    """Metrics by text and identity, as they occur together in cells."""
    added: Sequence[AddedScores]
    """Metrics that were added later."""

    @classmethod
    def of(cls, store: RunStore) -> RunRead:
        """Read a run's plan."""
        expected: list[tuple[str, CellSpec, int]] = []
        metrics: list[Sequence[tuple[str, Identity]]] = []
        last: CellSpec | None = None
        for spec in store.expected:
            if last is None or (spec.metrics, spec.metric_identities) != (last.metrics, last.metric_identities):
                metrics.append(list(zip(spec.metrics, spec.metric_identities, strict=True)))
            last = spec
            expected.append((spec.key, spec, len(metrics) - 1))
        return cls(store, expected, metrics, store.added_scores())

    @property
    def all_metrics(self) -> Iterator[tuple[str, Identity]]:
        """The metrics that it names, some several times."""
        for together in self.metrics:
            yield from together
        yield from ((one.metric, one.identity) for one in self.added)


def planned_in(run: RunRead, methods: EntryNames, metrics: EntryNames) -> list[Planned]:
    """Return every cell of a run's plan with what it came to, under the names of the board."""
    cells = {cell.key: cell for cell in run.store.cells()}
    failed, reasons = {failure.key for failure in run.store.failures()}, run.store.reasons()
    added = [(metrics.name(one.metric, one.identity), one.values) for one in run.added]
    names = [tuple(metrics.name(*pair) for pair in together) for together in run.metrics]
    planned = []
    for key, spec, place in run.expected:
        cell, method = cells.get(key), methods.name(spec.method, spec.method_identity)
        later = {} if cell is None else {n: found[key] for n, found in added if len(found.get(key, ())) == cell.samples}
        planned.append(
            Planned(run.store.path, key, spec, method, names[place], cell, later, key in failed, reasons.get(key))
        )
    return planned


def rows_of(cells: Iterable[Planned]) -> pd.DataFrame:
    """Return the rows of finished cells after one another, score columns by the metrics' names on the board.

    What was read together is taken together: there is no work for each cell but telling where its rows are.
    """
    parts = [_taken(list(together)) for _, together in groupby(cells, _like)]
    if not parts:
        return pd.DataFrame({"sample": pd.Series(dtype=object), "index": pd.Series(dtype=np.int64)})
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _like(one: Planned) -> tuple[object, ...]:
    """Return what cells have in common whose rows are taken together."""
    return id(None if one.cell is None else one.cell.rows), one.spec.metrics, one.metrics, tuple(one.added)


def _taken(together: Sequence[Planned]) -> pd.DataFrame:
    """Return the rows of cells that were read together and have the same metrics."""
    first, cells = together[0], [one.cell for one in together if one.cell is not None]
    whole = cells[0].rows
    there = [name for name in flat_columns(rows_schema(first.spec.metrics).names) if name in whole]
    starts = np.array([cell.first for cell in cells])
    counts = np.array([cell.samples for cell in cells])
    # Where each row is: the beginning of its cell, and how far it is from there.
    before = np.cumsum(counts) - counts
    places = np.repeat(starts - before, counts) + np.arange(counts.sum())
    rows = pd.DataFrame({name: whole[name].to_numpy()[places] for name in there})
    changed = zip(first.spec.metrics, first.metrics, strict=True)
    rows = rows.rename(columns={score_column(text): score_column(name) for text, name in changed})
    later = {score_column(name): list(chain.from_iterable(one.added[name] for one in together)) for name in first.added}
    return rows.assign(**later) if later else rows


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

    Which samples a run chose says the range of all cells of a method in its plan, also where some are not done. A plan
    that joins runs may have a method twice, on other samples, with other metrics.
    """
    spans: dict[tuple[Path, Place, str, tuple[str, ...]], tuple[int, int]] = {}
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
        whole = cell.run, place, cell.method, cell.metrics
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
            if _tells(feature, together, telling):
                telling.append(feature)
        for place in together:
            words = ", ".join(_features(place)[feature] for feature in telling)
            named[place] = Setting(place.task, place.precision, place.target, place.framework, words)
    return named


_FEATURES = ("samples", "target", "weights", "data", "device")
"""What may tell two tables of a task and framework apart, in the order in which it is named."""
_SAME_TASK = ("weights", "data")
"""What tells two tables apart in two frameworks as well: other weights are another network under the same name."""


def _features(place: Place) -> dict[str, str]:
    count = place.last - place.first
    return {
        "samples": f"{count} samples" if place.first == 0 else f"samples {place.first} to {place.last - 1}",
        "target": f"explaining the {place.target}{' class' if place.target == 'predicted' else ''}",
        "weights": f"weights {place.weights[:8]}",
        "data": f"data {place.revision[:8]}",
        "device": place.device,
    }


def _tells(feature: str, places: Sequence[Place], telling: Sequence[str]) -> bool:
    """Return whether a feature tells tables apart that those named before do not."""

    def groups(features: Sequence[str], apart: bool) -> int:
        found = {(apart and place.framework, *(_features(place)[one] for one in features)) for place in places}
        return len(found)

    ways = (True, False) if feature in _SAME_TASK else (True,)
    return any(groups([*telling, feature], apart) > groups(telling, apart) for apart in ways)
