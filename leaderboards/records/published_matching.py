"""Published results beside a run's own: what is the same, what differs, and only then whether the numbers do.

A published value is put beside the run's value that has the same method and metric by name and differs in the least.
Of four parts (protocol, model, dataset, count) each is the same, differs, or cannot be told since the source does not
say; only where all four are the same is a difference of the numbers one, and flagged where it is beyond the run's
interval, the published spread and the tolerance together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...benchmark.store.folder import RunStore
from ...datasets.registry import find_dataset
from ...errors import HeatmarkError, StorageError
from ...identity import digest
from ...methods.registry import method_from
from ...metrics.registry import metric_from
from ..standings.gathering import gather, opened
from ..standings.registered import metric_facts
from ..standings.results import Results
from ..statistics.means import mean_intervals
from ..writing.numbers import finite
from .commands import made_by
from .official import official_runs, runs_named, with_published_protocols
from .published import list_published, published
from .published_differences import Match, State, matches_of, seen_by
from .published_results import Column, Measured, Paper, Part, PublishedTable, Row

PHOTOGRAPHS, OWN_IMAGES = "photographs", "own images"
"""Families of data sets."""


@dataclass(frozen=True)
class Ours:
    """A run's own value."""

    run: str
    method: str
    metric: str
    model: str
    dataset: str
    framework: str
    samples: int
    undefined: int
    """Samples seen, and those of them for which the metric gives no value."""
    mean: float
    low: float
    high: float
    """In the published unit, with its 95 % interval; NaN where there is none."""
    command: str
    """What made the run, as far as its folder tells."""


@dataclass(frozen=True)
class Beside:
    """A published value with the run's own beside it."""

    paper: str
    table: PublishedTable
    row: Row
    column: Column
    ours: Ours
    matches: tuple[Match, ...]
    """One for each of `PARTS`."""
    metric_is_theirs: bool
    """Whether the run's metric is, field by field, the one that stands for the published protocol."""

    @property
    def claimed(self) -> float | None:
        """The published number, or None where there are only words."""
        return self.row.claimed.get(self.column.name)

    @property
    def comparable(self) -> bool:
        """Whether everything is the same, so that numbers may be compared."""
        return self.claimed is not None and all(match.state == "same" for match in self.matches)

    @property
    def same(self) -> tuple[Part, ...]:
        """The parts that are the same."""
        return tuple(match.part for match in self.matches if match.state == "same")

    @property
    def differing(self) -> tuple[Part, ...]:
        """The parts that differ."""
        return tuple(match.part for match in self.matches if match.state == "differs")

    @property
    def untold(self) -> tuple[Part, ...]:
        """The parts of which the source does not say enough."""
        return tuple(match.part for match in self.matches if match.state == "not told")

    @property
    def expected(self) -> tuple[float, float] | None:
        """The lowest and highest value to expect: the published spread, widened by the tolerance."""
        if self.claimed is None:
            return None
        low, high = self.row.spread.get(self.column.name, (self.claimed, self.claimed))
        reach = self.column.tolerance or 0.0
        return low - reach, high + reach

    @property
    def flagged(self) -> bool:
        """Whether everything is the same and the numbers are not: our interval lies beside what is to be expected."""
        if not self.comparable or self.expected is None or not math.isfinite(self.ours.mean):
            return False
        low, high = self.expected
        ours = (self.ours.low, self.ours.high)
        ours = ours if all(map(math.isfinite, ours)) else (self.ours.mean, self.ours.mean)
        return ours[1] < low or ours[0] > high

    @property
    def verdict(self) -> str:
        """``agrees``, ``DIFFERS``, or ``not comparable``."""
        if not self.comparable or not math.isfinite(self.ours.mean):
            return "not comparable"
        return "DIFFERS" if self.flagged else "agrees"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON types; what is not finite is None."""
        ours = {key: finite(value) for key, value in asdict(self.ours).items()}
        name = self.column.name
        return {
            "published": self.paper,
            "table": self.table.name,
            "method": self.row.method,
            "metric": name,
            "claimed": self.claimed,
            "in_words": self.row.in_words.get(name),
            "spread": list(self.row.spread[name]) if name in self.row.spread else None,
            "unit": self.column.unit,
            "higher_is_better": self.column.higher_is_better,
            "tolerance": self.column.tolerance,
            "expected": None if self.expected is None else list(self.expected),
            "ours": ours,
            **{match.part: {"state": match.state, "words": list(match.words)} for match in self.matches},
            "differs_in": list(self.differing),
            "not_told": list(self.untold),
            "comparable": self.comparable,
            "flagged": self.flagged,
            "unreliable": self.row.unreliable,
        }


@dataclass(frozen=True)
class Missing:
    """A published value that nothing of the run can be put beside."""

    paper: str
    table: str
    method: str
    metric: str
    why: str
    here: bool
    """Whether heatmark has such a method and metric, so that a run could hold it."""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class PublishedComparison:
    """A run, or several, beside published results."""

    runs: tuple[str, ...]
    papers: tuple[Paper, ...]
    beside: tuple[Beside, ...]
    """In the papers' order."""
    missing: tuple[Missing, ...]

    @property
    def flagged(self) -> tuple[Beside, ...]:
        """The values that differ where everything else is the same."""
        return tuple(one for one in self.beside if one.flagged)

    @property
    def comparable(self) -> tuple[Beside, ...]:
        """The values that may be compared."""
        return tuple(one for one in self.beside if one.comparable)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per published value with one beside it; a column for each part has its state."""
        kept = ("published", "table", "method", "metric", "claimed", "in_words", "unit")
        rows = []
        for one in self.beside:
            plain = one.plain()
            ours = {
                f"our_{key}": plain["ours"][key] for key in ("method", "metric", "framework", "mean", "low", "high")
            }
            states: dict[str, Any] = {match.part: match.state for match in one.matches}
            rows.append({**{key: plain[key] for key in kept}, **ours, **states, "verdict": one.verdict})
        return pd.DataFrame(rows)

    def plain(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "runs": list(self.runs),
            "published": [paper.name for paper in self.papers],
            "beside": [one.plain() for one in self.beside],
            "missing": [one.plain() for one in self.missing],
            "comparable": len(self.comparable),
            "flagged": len(self.flagged),
        }

    def __repr__(self) -> str:
        names = ", ".join(paper.name for paper in self.papers)
        return f"<PublishedComparison with {names}: {len(self.beside)} values, {len(self.flagged)} flagged>"


def compare_published(runs: object, name: str | Path | Paper | None = None) -> PublishedComparison:
    """Put a run beside published results, and say for each value what is the same and what differs.

    Parameters
    ----------
    runs
        What `heatmark.run` returned, the path of a run's folder, ``official``, or several of these.
    name
        The published results: their name, the path of your own ``.toml`` file, or what `published` returned; all that
        come with heatmark by default.

    Raises
    ------
    StorageError
        If a folder holds no run, or a file cannot be read.
    UnknownName, BadInput
        If there are no such published results, or the file is wrong.
    """
    chosen = list_published() if name is None else [name if isinstance(name, Paper) else published(name)]
    return _compared(opened(with_published_protocols(runs_named(runs))), chosen)


def _compared(stores: Sequence[RunStore], papers: Sequence[Paper], *, alike: bool = False) -> PublishedComparison:
    """Return what is beside what; where ``alike``, photographs only beside photographs, series beside series."""
    # Runs without a cell say nothing, as on a leaderboard of several; where all are, it is an error.
    begun = [store for store in stores if store.expected] or stores
    found = [(store, results) for store in begun for results in gather([store]).settings]
    beside: list[Beside] = []
    missing: list[Missing] = []
    for paper, table, row, column in _values(papers):
        near, why = _nearest(_alike(found, table) if alike else found, paper.name, table, row, column)
        beside += near
        if not near:
            here = bool(row.entry and column.metric)
            missing.append(Missing(paper.name, table.name, row.method, column.name, why, here))
    return PublishedComparison(tuple(str(store.path) for store in stores), tuple(papers), tuple(beside), tuple(missing))


def with_measured(found: PublishedComparison) -> tuple[Paper, ...]:
    """Return the papers with what the runs measured by the published protocol, be it on another network or other data.

    Only where the metric is theirs, field by field: by any other, a number would be beside the point. What the file
    itself has measured stays.
    """
    measured: dict[tuple[str, str, str], dict[str, Measured]] = {}
    for one in found.beside:
        ours, key = one.ours, (one.paper, one.table.name, one.row.method)
        if one.metric_is_theirs and math.isfinite(ours.mean):
            differs, untold = (_by_part(one.matches, state) for state in ("differs", "not told"))
            value, *ends = (float(f"{number:.4g}") for number in (ours.mean, ours.low, ours.high))
            interval = (ends[0], ends[1]) if all(map(math.isfinite, ends)) else None
            found_here = Measured(value, ours.command, differs, untold, interval)
            measured.setdefault(key, {}).setdefault(one.column.name, found_here)

    def filled(paper: Paper, table: PublishedTable) -> PublishedTable:
        rows = [
            replace(row, measured={**measured.get((paper.name, table.name, row.method), {}), **row.measured})
            for row in table.rows
        ]
        return replace(table, rows=tuple(rows))

    return tuple(replace(paper, tables=tuple(filled(paper, table) for table in paper.tables)) for paper in found.papers)


def _by_part(matches: Iterable[Match], state: State) -> str:
    """Return what is in a state, each part with its words."""
    return ", ".join(f"{match.part} ({'; '.join(match.words)})" for match in matches if match.state == state)


def with_official(papers: Sequence[Paper], version: str | None = None) -> tuple[Paper, ...]:
    """Return papers with what heatmark's official results measured, where it carries any; see `with_measured`.

    A paper on photographs gets no value of digits beside its own: that would tell nothing.
    """
    try:
        runs = with_published_protocols(official_runs(version))
    except StorageError:
        return tuple(papers)
    return with_measured(_compared(opened(runs), papers, alike=True))


def _alike(found: Iterable[tuple[RunStore, Results]], table: PublishedTable) -> list[tuple[RunStore, Results]]:
    """Return the results on data of the same kind as a published table's."""
    kind = _kind(table.data_entry)
    return [(store, results) for store, results in found if _kind(results.setting.task.dataset) == kind]


def _kind(dataset: str) -> str:
    """Return the family that a data set is registered in; what heatmark has not got, and folders, are photographs."""
    try:
        family = find_dataset(dataset).family
    except HeatmarkError:
        return PHOTOGRAPHS
    return PHOTOGRAPHS if family == OWN_IMAGES else family


def _values(papers: Iterable[Paper]) -> Iterator[tuple[Paper, PublishedTable, Row, Column]]:
    for paper in papers:
        for table in paper.tables:
            for row in table.rows:
                for column in table.columns:
                    if column.name in row.claimed or column.name in row.in_words:
                        yield paper, table, row, column


def _nearest(
    found: Iterable[tuple[RunStore, Results]], paper: str, table: PublishedTable, row: Row, column: Column
) -> tuple[list[Beside], str]:
    """Return the run's values that differ in the least, all of those that may be compared; or why there is none."""
    if not row.entry:
        return [], row.differs
    if not column.metric:
        return [], column.differs
    method, metric = method_from(row.entry).identity(), metric_from(column.metric).identity()
    near: list[tuple[int, int, int, Beside]] = []
    for store, results in found:
        for k, ours in enumerate(results.methods):
            if _called(ours.identity) != _called(method) or not len(ours.rows):
                continue
            for m, identity in enumerate(results.metric_identities):
                if identity.get("name") == metric["name"] and np.isfinite(results.scores[m, k]).any():
                    matches = matches_of(results, ours, identity, table, row, column)
                    own = _ours(store, results, m, k, column)
                    here = Beside(paper, table, row, column, own, matches, digest(identity) == digest(metric))
                    words = sum(len(match.words) for match in matches)
                    near.append((_distance(matches), words, len(here.ours.method + here.ours.metric), here))
    if not near:
        return [], f"not in this run: {row.entry} with {column.metric.partition('[')[0]}"
    whole = [one[-1] for one in near if one[-1].comparable]
    return whole or [min(near, key=lambda one: one[:-1])[-1]], ""


def _called(identity: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the name of a method, and of those that it wraps."""
    inner = identity.get("inner")
    return (identity.get("name"), *(_called(inner) if isinstance(inner, Mapping) else ()))


def _distance(matches: Iterable[Match]) -> int:
    return sum({"same": 0, "not told": 1, "differs": 2}[match.state] for match in matches)


def _ours(store: RunStore, results: Results, m: int, k: int, column: Column) -> Ours:
    text, method, setting = results.metric_texts[m], results.methods[k], results.setting
    scores = results.scores[m, k][None]
    defined = np.isfinite(scores)
    bounds = metric_facts(text, results.metric_identities[m]).range
    mean, low, high = (float(value[0]) / column.scale for value in mean_intervals(scores, defined, bounds))
    seen = seen_by(method)
    return Ours(
        str(store.path),
        method.text,
        text,
        setting.task.shown_model,
        setting.task.dataset,
        setting.framework_name,
        seen,
        seen - int(defined.sum()),
        mean,
        low,
        high,
        "; ".join(made_by(store.run, store.path.name)),
    )
