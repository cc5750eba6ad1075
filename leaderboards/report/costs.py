"""Cost beside quality, for the report and the leaderboard's tables: from a runtime benchmark, else the run's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...benchmark.timing.files import RuntimeRecord, read_runtime
from ...errors import HeatmarkError
from ..costs.pareto import Beside, Pareto, by_task, fitting_costs, measured_costs, own_cost, paretos, paretos_markdown
from ..costs.pareto_plot import draw_paretos
from ..costs.plots import figures_by_device
from ..costs.tables import CostTable, cost_tables, costs_markdown, machine_text
from ..standings.standings import Row, Standings, Table
from ..standings.styles import Style
from ..writing.ink import svg_uri


@dataclass(frozen=True)
class CostSection:
    """What the report says of cost, besides the run's own times."""

    paretos: tuple[tuple[tuple[Pareto, ...], str], ...]
    """Quality against cost of every task, one for each framework and device, with their figure (a data URI)."""
    tables: tuple[CostTable, ...]
    """What a runtime benchmark in the run's folder measured; none where there is none."""
    bars: tuple[tuple[str, str], ...]
    """Titles and figures of these, one for each network, device and precision."""
    machine: str
    """Where they were measured, in words."""

    def beside(self, table: Table, row: Row) -> Beside:
        """Return what stands beside a method's quality: measured where the table's own device was, else the run's."""
        fitting = fitting_costs(table, self.tables)
        measured = measured_costs(fitting[0]) if len(fitting) == 1 else {}
        return measured.get(row.method.id) or own_cost(row)


def measured(standings: Standings) -> tuple[RuntimeRecord | None, tuple[CostTable, ...]]:
    """Return what a runtime benchmark left in the run's folder, or None, and its tables."""
    try:
        record = read_runtime(standings.store.path)
    except HeatmarkError:
        return None, ()
    return record, cost_tables(record)


def cost_section(standings: Standings, styles: Mapping[str, Style] | None = None) -> CostSection:
    """Return what the report says of cost; methods are drawn in these styles, or as the figures' own methods ask."""
    record, tables = measured(standings)
    return CostSection(
        tuple((group, svg_uri(draw_paretos(group, styles))) for group in by_task(paretos(standings, tables))),
        tables,
        tuple((title, svg_uri(figure)) for title, figure in figures_by_device(tables).items()),
        "" if record is None else machine_text(record),
    )


def cost_markdown(standings: Standings) -> str:
    """Return quality against cost, and what a runtime benchmark measured, as Markdown."""
    record, tables = measured(standings)
    found = paretos(standings, tables)
    parts = [paretos_markdown(found)] if found else []
    if record is not None and tables:
        parts.append(costs_markdown(tables, record).replace("\n## ", "\n### ").replace("# Runtime", "## Runtime", 1))
    return "\n".join(parts)
