"""The files beside runtime results: tables, plots, scaling, comparisons and device checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ...benchmark.timing.files import RuntimeRecord
from ...benchmark.timing.rows import ENGINE, WORKS
from ...errors import HeatmarkError
from ...storage import written_whole
from ..standings.registered import MethodFacts, method_facts
from ..standings.standings import Standings
from ..writing.files import write_figure
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
    written = [
        _write_table(cost_frame(tables), folder / "runtime.csv"),
        _write_text(costs_markdown(tables, record), folder / "runtime.md"),
    ]
    figures = figures_by_device(tables, facts_of(row.method for table in tables for row in table.rows))
    for number, figure in enumerate(figures.values()):
        path = folder / f"runtime-costs{f'-{number + 1}' if len(figures) > 1 else ''}.png"
        write_figure(figure, path)
        written.append(path)
    return written


def write_quality_and_cost(standings: Standings, tables: Sequence[CostTable], folder: Path) -> list[Path]:
    """Write ``runtime-pareto.md`` and a plot for each leaderboard table and device; return what was written."""
    found = paretos(standings, tables)
    if not found:
        return []
    written = [_write_text(paretos_markdown(found), folder / "runtime-pareto.md")]
    for number, item in enumerate(found):
        path = folder / f"runtime-pareto{f'-{number + 1}' if len(found) > 1 else ''}.png"
        write_figure(draw_pareto(item), path)
        written.append(path)
    return written


def write_scaling(curves: Sequence[ScalingCurve], folder: Path) -> list[Path]:
    """Write ``runtime-scaling.csv``, ``.md`` and ``.png``; return what was written."""
    if not curves:
        return []
    picture = folder / "runtime-scaling.png"
    write_figure(draw_scaling(curves, facts_of(curve.method for curve in curves)), picture)
    return [
        _write_table(scaling_frame(curves), folder / "runtime-scaling.csv"),
        _write_text(scaling_markdown(curves), folder / "runtime-scaling.md"),
        picture,
    ]


def write_parity(found: Sequence[Parity], folder: Path, notes: Sequence[str] = ()) -> list[Path]:
    """Write ``runtime-devices.csv`` and ``.md``; return what was written."""
    return [
        _write_table(parity_frame(found), folder / "runtime-devices.csv"),
        _write_text(parity_markdown(found, notes), folder / "runtime-devices.md"),
    ]


def write_comparison(found: Comparison, folder: Path) -> list[Path]:
    """Write ``runtime-comparison.csv``; return what was written."""
    return [_write_table(found.frame, folder / "runtime-comparison.csv")]


def facts_of(methods: Iterable[str]) -> Mapping[str, MethodFacts]:
    """Return what is known of methods, by their text; an engine's work has its meaning as summary."""
    found: dict[str, MethodFacts] = {}
    for text in dict.fromkeys(methods):
        if text.startswith(ENGINE):
            found[text] = MethodFacts(text, "engine", summary=WORKS.get(text, ""))
            continue
        try:
            found[text] = method_facts(text, {})
        except HeatmarkError:
            found[text] = MethodFacts(text)
    return found


def _write_table(frame: pd.DataFrame, path: Path) -> Path:
    with written_whole(path) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.10g", lineterminator="\n")
    return path


def _write_text(text: str, path: Path) -> Path:
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return path
