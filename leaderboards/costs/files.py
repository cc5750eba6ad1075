"""The files beside runtime results: tables, plots, scaling, comparisons and device checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...benchmark.timing.files import RuntimeRecord
from ..standings.standings import Standings
from ..writing.files import csv_text, numbered, write_files
from .comparison import Comparison
from .device_parity import Parity, parity_frame, parity_markdown
from .pareto import draw_pareto, paretos, paretos_markdown
from .plots import figures_by_device
from .scaling import ScalingCurve, draw_scaling, scaling_frame, scaling_markdown
from .tables import CostTable, cost_frame, cost_tables, costs_markdown


def write_costs(record: RuntimeRecord, folder: Path) -> list[Path]:
    """Write ``runtime.csv``, ``runtime.md`` and a plot for each network and device; return what was written."""
    tables = cost_tables(record)
    if not tables:
        return []
    texts = {"runtime.csv": csv_text(cost_frame(tables)), "runtime.md": costs_markdown(tables, record)}
    return write_files(folder, {**texts, **numbered("runtime-costs", figures_by_device(tables).values())})


def write_quality_and_cost(standings: Standings, tables: Sequence[CostTable], folder: Path) -> list[Path]:
    """Write ``runtime-pareto.md`` and a plot for each leaderboard table and device; return what was written."""
    found = paretos(standings, tables)
    if not found:
        return []
    figures = numbered("runtime-pareto", list(map(draw_pareto, found)))
    return write_files(folder, {"runtime-pareto.md": paretos_markdown(found), **figures})


def write_scaling(curves: Sequence[ScalingCurve], folder: Path) -> list[Path]:
    """Write ``runtime-scaling.csv``, ``.md`` and ``.png``; return what was written."""
    if not curves:
        return []
    table, text, figure = csv_text(scaling_frame(curves)), scaling_markdown(curves), draw_scaling(curves)
    return write_files(
        folder, {"runtime-scaling.csv": table, "runtime-scaling.md": text, "runtime-scaling.png": figure}
    )


def write_parity(found: Sequence[Parity], folder: Path, notes: Sequence[str] = ()) -> list[Path]:
    """Write ``runtime-devices.csv`` and ``.md``; return what was written."""
    table, text = csv_text(parity_frame(found)), parity_markdown(found, notes)
    return write_files(folder, {"runtime-devices.csv": table, "runtime-devices.md": text})


def write_comparison(found: Comparison, folder: Path) -> list[Path]:
    """Write ``runtime-comparison.csv``; return what was written."""
    return write_files(folder, {"runtime-comparison.csv": csv_text(found.frame)})
