"""Cost beside quality, for the report and the leaderboard's tables: from a runtime benchmark, else the run's own."""

from __future__ import annotations

from dataclasses import dataclass

from ..benchmark.runtime_files import RuntimeRecord, read_runtime
from ..errors import HeatmarkError
from .pareto import Pareto, draw_pareto, paretos, paretos_markdown
from .plots import svg_uri
from .runtime_plots import figures_by_device
from .runtime_reports import facts_of
from .runtime_tables import CostTable, cost_tables, costs_markdown, machine_text
from .standings import Standings


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
