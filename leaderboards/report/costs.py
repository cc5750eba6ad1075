"""Cost beside quality, for the report and the leaderboard's tables: from a runtime benchmark, else the run's own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...benchmark.timing.files import RuntimeRecord, read_runtime
from ...errors import HeatmarkError
from ..costs.files import facts_of
from ..costs.pareto import Pareto, draw_pareto, fitting_costs, paretos, paretos_markdown
from ..costs.plots import figures_by_device
from ..costs.tables import CostTable, cost_tables, cost_text, costs_markdown, machine_text
from ..standings.standings import Row, Standings, Table
from ..statistics.timed import Estimate
from .plots import svg_uri


@dataclass(frozen=True)
class Beside:
    """A method's relative cost, and its seconds per image."""

    relative: Estimate
    seconds: float

    @property
    def text(self) -> str:
        """The cost as words."""
        return cost_text(self.relative.value)

    @property
    def interval(self) -> str:
        """Its interval, where there is one."""
        low, high = self.relative.low, self.relative.high
        return f"[{cost_text(low)}, {cost_text(high)}]" if math.isfinite(low) else ""


@dataclass(frozen=True)
class CostSection:
    """What the report says of cost, besides the run's own times.

    Attributes
    ----------
    paretos
        Quality against cost with its figure (a data URI), one for each leaderboard table and device.
    tables
        What a runtime benchmark in the run's folder measured; none where there is none.
    bars
        Titles and figures of these, one for each network, device and precision.
    machine
        Where they were measured, in words.
    """

    paretos: tuple[tuple[Pareto, str], ...]
    tables: tuple[CostTable, ...]
    bars: tuple[tuple[str, str], ...]
    machine: str

    def beside(self, table: Table, row: Row) -> Beside:
        """Return what stands beside a method's quality: measured where the table's own device was, else the run's."""
        fitting = fitting_costs(table, self.tables)
        measured = fitting[0].by_method.get(row.method.id) if len(fitting) == 1 else None
        if measured is None:
            return Beside(Estimate(row.cost.relative, math.nan, math.nan), row.cost.seconds)
        return Beside(measured.relative, measured.measurement.latency.median)


def runtime_record(standings: Standings) -> RuntimeRecord | None:
    """Return what a runtime benchmark left in the run's folder, or None."""
    try:
        return read_runtime(standings.store.path)
    except HeatmarkError:
        return None


def cost_section(standings: Standings) -> CostSection:
    """Return what the report says of cost."""
    record = runtime_record(standings)
    tables = () if record is None else cost_tables(record)
    figures = figures_by_device(tables, facts_of(row.method for table in tables for row in table.rows))
    return CostSection(
        tuple((item, svg_uri(draw_pareto(item))) for item in paretos(standings, tables)),
        tables,
        tuple((title, svg_uri(figure)) for title, figure in figures.items()),
        "" if record is None else machine_text(record),
    )


def cost_markdown(standings: Standings) -> str:
    """Return quality against cost, and what a runtime benchmark measured, as Markdown."""
    record = runtime_record(standings)
    tables = () if record is None else cost_tables(record)
    found = paretos(standings, tables)
    parts = [paretos_markdown(found)] if found else []
    if record is not None and tables:
        parts.append(costs_markdown(tables, record).replace("\n## ", "\n### ").replace("# Runtime", "## Runtime", 1))
    return "\n".join(parts)
