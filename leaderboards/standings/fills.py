"""Where a ranking depends on what stands in for what is gone: columns that differ in their fill alone, compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..statistics.ranks import spearman
from ..writing.names import shown
from .registered import MetricFacts
from .standings import Row, Table

SAME, ALIKE = 0.9, 0.7
"""From such rank correlations on two fills put methods in nearly the same order, and in a similar one; 0.7 is what the
audit asks of two seeds, or of two halves of the samples, before it calls an order repeatable."""


@dataclass(frozen=True)
class FillComparison:
    """Two columns of a table that differ in their fill alone."""

    metrics: tuple[str, str]
    fills: tuple[str, str]
    """Their metrics, and what each fills with."""
    correlation: float
    """Spearman's correlation, over the methods that are no controls, of their means; NaN where it is undefined."""
    methods: int
    """How many methods both columns have a value for."""
    most_moved: tuple[str, int, int]
    """The method whose ranks are furthest apart, with its rank under each fill; 1 is best."""

    @property
    def depends(self) -> bool:
        """Whether the order is another one with the other fill."""
        return self.correlation < ALIKE

    @property
    def text(self) -> str:
        """What it means, in words."""
        name = shown(self.metrics[0].partition("[")[0], "metric")
        numbers = f"rank correlation {self.correlation:.2f} over {self.methods} methods"
        both = " and ".join(self.fills)
        if self.correlation >= SAME:
            return f"{name} hardly depends on the fill: {both} put methods in nearly one order ({numbers})."
        method, first, second = self.most_moved
        moved = (
            f"{shown(method, 'method')} is number {first} with {self.fills[0]} and number {second} with {self.fills[1]}"
        )
        if not self.depends:
            return f"{name} depends a little on the fill: {both} put methods in similar orders ({numbers}); {moved}."
        return (
            f"{name} depends on the fill: {both} put methods in different orders ({numbers}); {moved}. Believe what "
            "holds with both."
        )


def fill_comparisons(table: Table) -> tuple[FillComparison, ...]:
    """Compare every two metrics of a table that are the same but for their fill."""
    found = []
    for first, second in combinations(range(len(table.metrics)), 2):
        if _only_fills_differ(table.metrics[first], table.metrics[second]):
            compared = _comparison(table, first, second)
            if compared is not None:
                found.append(compared)
    return tuple(found)


def _only_fills_differ(first: MetricFacts, second: MetricFacts) -> bool:
    one, other = dict(first.protocol), dict(second.protocol)
    fills = one.pop("fill", None), other.pop("fill", None)
    same = first.id.partition("[")[0] == second.id.partition("[")[0] and one == other
    return same and None not in fills and fills[0] != fills[1]


def _comparison(table: Table, first: int, second: int) -> FillComparison | None:
    rows = [row for row in table.rows if not row.method.control and _known(row, first) and _known(row, second)]
    if len(rows) < 3 or table.metrics[first].higher_is_better is None:
        return None
    sign = 1.0 if table.metrics[first].higher_is_better else -1.0
    means = [np.array([sign * row.values[place].mean for row in rows]) for place in (first, second)]
    correlation = spearman(*means)
    if math.isnan(correlation):
        return None
    ranks = [(one[None, :] > one[:, None]).sum(axis=1) + 1 for one in means]
    moved = int(np.abs(ranks[0] - ranks[1]).argmax())
    return FillComparison(
        (table.metrics[first].id, table.metrics[second].id),
        (str(table.metrics[first].protocol["fill"]), str(table.metrics[second].protocol["fill"])),
        correlation,
        len(rows),
        (rows[moved].method.id, int(ranks[0][moved]), int(ranks[1][moved])),
    )


def _known(row: Row, place: int) -> bool:
    return math.isfinite(row.values[place].mean)
