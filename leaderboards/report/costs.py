"""Cost beside quality, for the report and the leaderboard's tables: from a runtime benchmark, else the run's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
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
    """What runtime benchmarks in the runs' folders measured; none where there are none."""
    bars: tuple[tuple[str, str], ...]
    """Titles and figures of these, one for each network, device and precision."""
    machine: str
    """Where they were measured, in words."""

    def beside(self, table: Table, row: Row) -> Beside:
        """Return what stands beside a method's quality: measured where the table's own device was, else the run's."""
        fitting = fitting_costs(table, self.tables)
        measured = measured_costs(fitting[0]) if len(fitting) == 1 else {}
        return measured.get(row.method.id) or own_cost(row)


def measured(standings: Standings) -> list[tuple[RuntimeRecord, tuple[CostTable, ...]]]:
    """Return what runtime benchmarks left in the runs' folders, each with its tables."""
    found = []
    for store in standings.stores:
        with suppress(HeatmarkError):
            record = read_runtime(store.path)
            found.append((record, cost_tables(record)))
    return found


def measured_tables(standings: Standings) -> tuple[CostTable, ...]:
    """Return the tables of all of these."""
    return tuple(table for _, tables in measured(standings) for table in tables)


def cost_section(standings: Standings, styles: Mapping[str, Style] | None = None) -> CostSection:
    """Return what the report says of cost; methods are drawn in these styles, or as the figures' own methods ask."""
    records, tables = measured(standings), measured_tables(standings)
    return CostSection(
        tuple((group, svg_uri(draw_paretos(group, styles))) for group in by_task(paretos(standings, tables))),
        tables,
        tuple((title, svg_uri(figure)) for title, figure in figures_by_device(tables).items()),
        "; ".join(dict.fromkeys(machine_text(record) for record, _ in records)),
    )


def cost_markdown(standings: Standings) -> str:
    """Return quality against cost, and what a runtime benchmark measured, as Markdown."""
    records = measured(standings)
    found = paretos(standings, measured_tables(standings))
    parts = [paretos_markdown(found)] if found else []
    for record, tables in records:
        if tables:
            text = costs_markdown(tables, record)
            parts.append(text.replace("\n## ", "\n### ").replace("# Runtime", "## Runtime", 1))
    return "\n".join(parts)
