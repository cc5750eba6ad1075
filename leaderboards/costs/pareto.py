"""Quality against cost: which methods no other beats in both, as a table; `pareto_plot` draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..standings.registered import MethodFacts
from ..standings.standings import Row, Standings, Table
from ..statistics.timed import Estimate
from ..writing.numbers import decimals, seconds, times
from ..writing.text_tables import Column, escaped, markdown_table, markdown_text
from .tables import CostTable

NOTE = (
    "A method is on the front if no other ranked method has both a better mean rank and a lower cost. Cost: the time "
    "per image over that of the bare network's forward pass. Controls (†) are shown but compete with no one."
)


@dataclass(frozen=True)
class ParetoPoint:
    """A ranked method with its cost."""

    method: MethodFacts
    """The method."""
    rank: Estimate
    """Its mean rank with interval; 1 is best."""
    cost: Estimate
    """Its relative cost with interval; the interval is NaN where the run's own times are all there is."""
    seconds: float
    """Its time per image."""
    on_front: bool
    """Whether no other contender is better in both."""


@dataclass(frozen=True)
class Pareto:
    """The ranked methods of one leaderboard table on one device, from the cheapest."""

    task: str
    place: str
    """Its task; its framework and device."""
    points: tuple[ParetoPoint, ...]
    """The methods whose rank and cost are known."""
    measured: bool
    """Whether the costs are those of a runtime benchmark rather than of the run itself."""

    @property
    def title(self) -> str:
        """Task, framework and device."""
        return f"{self.task} · {self.place}"

    @property
    def source(self) -> str:
        """Whose costs these are, in words."""
        return "a runtime benchmark" if self.measured else "the run's own times"

    @property
    def front(self) -> tuple[ParetoPoint, ...]:
        """The methods on the front, from the cheapest."""
        return tuple(point for point in self.points if point.on_front)


class Beside(NamedTuple):
    """What a method costs, as it stands beside its quality: its relative cost, and its seconds per image."""

    relative: Estimate
    seconds: float

    @property
    def text(self) -> str:
        """The cost as words."""
        return times(self.relative.value)

    @property
    def interval(self) -> str:
        """Its interval, where there is one."""
        return self.relative.between(times, "[{}, {}]")


def measured_costs(table: CostTable) -> dict[str, Beside]:
    """Return the measured cost of each method."""
    return {name: Beside(row.relative, row.time.value) for name, row in table.by_method.items()}


def own_cost(row: Row) -> Beside:
    """Return what a method cost in the run itself."""
    return Beside(Estimate(row.cost.relative), row.cost.seconds)


def on_front(ranks: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Return for each entry whether no other is at least as good in both and better in one; lower is better."""
    pairs = list(zip(ranks, costs, strict=True))
    return [not any(other != pair and other[0] <= pair[0] and other[1] <= pair[1] for other in pairs) for pair in pairs]


def paretos(standings: Standings, costs: Sequence[CostTable] = ()) -> tuple[Pareto, ...]:
    """Return the quality and cost of every leaderboard table, one for each device that costs were measured on.

    Parameters
    ----------
    standings
        A run's standings.
    costs
        Measured costs; a table without any of its network, framework and precision takes the run's own times.
    """
    found = []
    for table in standings.tables:
        name, framework = table.setting.task_title, table.setting.framework_name
        own = {row.method.id: own_cost(row) for row in table.rows}
        found += [
            _pareto(name, f"{framework} · {cost.setting.device}", table, measured_costs(cost), measured=True)
            for cost in fitting_costs(table, costs)
        ] or [_pareto(name, f"{framework} · {table.results.device}", table, own, measured=False)]
    return tuple(item for item in found if item.points)


def fitting_costs(table: Table, costs: Sequence[CostTable]) -> list[CostTable]:
    """Return the measured costs of a table's network, framework and precision, one for each device."""
    setting = table.setting
    wanted = (setting.task.shown_model, setting.framework, setting.precision)
    return [cost for cost in costs if (cost.setting.model, cost.setting.framework, cost.setting.precision) == wanted]


def _pareto(task: str, place: str, table: Table, costs: Mapping[str, Beside], *, measured: bool) -> Pareto:
    """Return the methods of a table whose rank and cost are known."""
    known = {name: cost for name, cost in costs.items() if math.isfinite(cost.relative.value)}
    usable = [row for row in table.rows if math.isfinite(row.mean_rank) and row.method.id in known]
    rivals = [row for row in usable if not row.method.control]
    best = on_front([row.mean_rank for row in rivals], [known[row.method.id].relative.value for row in rivals])
    front = {row.method.id for row, chosen in zip(rivals, best, strict=True) if chosen}
    points = []
    for row in usable:
        rank = Estimate(row.mean_rank, row.mean_rank_low, row.mean_rank_high)
        points.append(ParetoPoint(row.method, rank, *known[row.method.id], row.method.id in front))
    points.sort(key=lambda point: (point.cost.value, point.rank.value))
    return Pareto(task, place, tuple(points), measured)


def by_task(found: Sequence[Pareto]) -> list[tuple[Pareto, ...]]:
    """Return those of one task together, its frameworks and devices, also where they do not stand side by side."""
    tasks: dict[str, list[Pareto]] = {}
    for item in found:
        tasks.setdefault(item.task, []).append(item)
    return [tuple(mine) for mine in tasks.values()]


COLUMNS: tuple[Column[ParetoPoint], ...] = (
    Column("method", lambda point: point.method.label),
    Column("mean rank", lambda point: decimals(point.rank.value)),
    Column("interval", lambda point: point.rank.between(decimals, "[{}, {}]")),
    Column("cost", lambda point: times(point.cost.value)),
    Column("interval", lambda point: point.cost.between(times)),
    Column("time", lambda point: seconds(point.seconds)),
    Column("on the front", lambda point: "yes" if point.on_front else ""),
)


def paretos_markdown(found: Sequence[Pareto]) -> str:
    """Return quality against cost as Markdown tables."""
    blocks = ["## Quality against cost", NOTE]
    for item in found:
        blocks += [f"### {escaped(item.title)} (costs of {item.source})", markdown_table(COLUMNS, item.points)]
    return markdown_text(blocks)
