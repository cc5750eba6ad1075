"""The scores of one task as the standing across tasks reads them: frameworks joined, variants folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..standings.registered import MetricFacts
from ..standings.standings import Table
from ..statistics.across import ranks_by_metric, shares_beaten
from .folding import Folded


@dataclass(frozen=True, eq=False)
class TaskScores:
    """What all methods score on one task."""

    title: str
    """The task in words, with its framework where another one has other samples."""
    table: Table
    """The task's table in its first framework."""
    scores: np.ndarray
    """(counted metrics, methods, samples), NaN where missing; means over frameworks and over the variants taken."""
    metrics: tuple[MetricFacts, ...]
    """The counted ones."""
    uncounted: tuple[MetricFacts, ...]
    """Those that count in one of the task's frameworks and not in another."""
    placed: np.ndarray
    """Boolean (methods,): the method has a place, in one framework at least."""

    def mean_ranks(self, among: np.ndarray) -> np.ndarray:
        """Return the mean over metrics of the ranks of some methods among themselves; NaN where there is no metric."""
        order = self._ranks(among)
        return order.mean(axis=0) if len(order) else np.full(int(among.sum()), np.nan)

    def shares_beaten(self) -> np.ndarray:
        """Return the share of the other placed methods that each placed one beats, 0 to 1."""
        order = self._ranks(self.placed)
        return shares_beaten(order) if len(order) else np.full(int(self.placed.sum()), np.nan)

    def left_out(self, among: np.ndarray) -> tuple[str, ...]:
        """Return the metrics that count in a framework, but not in the mean ranks of some methods among themselves."""
        common = np.isfinite(self.scores[:, among]).all(axis=1).any(axis=1)
        lacking = (metric for metric, there in zip(self.metrics, common, strict=True) if not there)
        return tuple(metric.name for metric in (*self.uncounted, *lacking))

    def _ranks(self, among: np.ndarray) -> np.ndarray:
        return ranks_by_metric(self.scores[:, among], [bool(metric.higher_is_better) for metric in self.metrics])


def scores_of(title: str, tables: Sequence[Table], methods: Sequence[Folded]) -> TaskScores:
    """Return the scores of some methods on one task, given its title and tables.

    The metrics are those that count in every table of the task in which they stand.
    """
    facts = {metric.id: metric for table in tables for metric in table.metrics}
    counting: dict[str, set[bool]] = {}
    for table in tables:
        for metric, counted in zip(table.metrics, table.counted, strict=True):
            counting.setdefault(metric.id, set()).add(counted)
    metrics = [metric for metric, counted in counting.items() if counted == {True}]
    uncounted = tuple(facts[metric] for metric, counted in counting.items() if len(counted) > 1)
    samples = tables[0].results.samples
    layers = np.full((len(tables), len(metrics), len(methods), len(samples)), np.nan)
    for layer, table in zip(layers, tables, strict=True):
        _fill(layer, table, metrics, methods, samples)
    known = np.isfinite(layers)
    with np.errstate(invalid="ignore"):
        scores = np.where(known, layers, 0.0).sum(axis=0) / known.sum(axis=0)
    placed = np.array([any(has_place(table, method) for table in tables) for method in methods], bool)
    return TaskScores(title, tables[0], scores, tuple(facts[metric] for metric in metrics), uncounted, placed)


def has_place(table: Table, method: Folded) -> bool:
    """Return whether all that stands for a method has a place in a table."""
    placed = {row.method.id for row in table.rows if row.place is not None}
    return placed.issuperset(method.taken)


def _fill(
    layer: np.ndarray, table: Table, metrics: Sequence[str], methods: Sequence[Folded], samples: Sequence[str]
) -> None:
    """Write one table's scores of the methods that have a place in it: (metrics, methods, samples)."""
    results = table.results
    rows = {run.method: number for number, run in enumerate(results.methods)}
    columns = {metric.id: number for number, metric in enumerate(table.metrics)}
    there = [place for place, metric in enumerate(metrics) if metric in columns]
    scores = results.scores[[columns[metrics[place]] for place in there]]
    places = {sample: number for number, sample in enumerate(results.samples)}
    order = [places[sample] for sample in samples]
    for number, method in enumerate(methods):
        if has_place(table, method):
            taken = [rows[text] for text in method.taken]
            layer[there, number] = scores[:, taken][:, :, order].mean(axis=1)
