"""Every figure of a board, each method alike in all of them, for the report, for files and for notebooks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from matplotlib.figure import Figure

from ..audits.plots import draw_agreement
from ..costs.pareto import by_task, paretos
from ..costs.pareto_plot import draw_paretos
from ..costs.plots import figures_by_device
from ..standings.standings import Standings, Table
from ..standings.styles import Style, family_styles
from .costs import measured_tables
from .curves import curves_figure
from .ranks import ranks_figure

Titled = list[tuple[str, Figure]]
"""Figures by the task, or whatever else, that they show."""


def looks(standings: Standings) -> dict[str, Style]:
    """Return how the methods of a board are drawn, the same in all of its figures."""
    return family_styles(row.method for table in standings.tables for row in table.rows)


def ranks_figures(standings: Standings) -> Titled:
    """Return the mean ranks of every task."""
    return _each_task(standings, lambda tables, styles: ranks_figure(tables, styles))


def curves_figures(standings: Standings) -> Titled:
    """Return the mean curves of every task that has any."""
    return _each_task(standings, lambda tables, styles: curves_figure(tables, None, styles))


def pareto_figures(standings: Standings) -> Titled:
    """Return quality against cost for every task."""
    styles = looks(standings)
    groups = by_task(paretos(standings, measured_tables(standings)))
    return [(group[0].task, draw_paretos(group, styles)) for group in groups]


def board_figures(standings: Standings) -> dict[str, Figure]:
    """Return every figure of a board by the stem of its file.

    Mean ranks, mean curves and quality against cost of every task; what a runtime benchmark in the run's folder
    measured; and how far the metrics agree, where an audit has them.
    """
    known = {metric.audit.key for metric in standings.metrics if metric.audit is not None}
    audit = standings.audits.covering(known)
    agreement = None if audit is None else draw_agreement(audit, known)
    return {
        **stems("ranks", ranks_figures(standings)),
        **stems("curves", curves_figures(standings)),
        **stems("pareto", pareto_figures(standings)),
        **stems("costs", list(figures_by_device(measured_tables(standings)).items())),
        **({} if agreement is None else {"agreement": agreement}),
    }


def stems(kind: str, figures: Titled) -> dict[str, Figure]:
    """Return figures by file stems: the kind alone where there is one, else with what each shows."""
    if len(figures) == 1:
        return {kind: figures[0][1]}
    found: dict[str, Figure] = {}
    seen: Counter[str] = Counter()
    for title, figure in figures:
        stem = f"{kind}-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}"
        seen[stem] += 1
        found[stem if seen[stem] == 1 else f"{stem}-{seen[stem]}"] = figure
    return found


def _each_task(standings: Standings, drawn: Callable[[Sequence[Table], Mapping[str, Style]], Figure | None]) -> Titled:
    styles = looks(standings)
    figures: Iterable[tuple[str, Figure | None]] = (
        (tables[0].setting.task_title, drawn(tables, styles)) for tables in standings.by_task
    )
    return [(title, figure) for title, figure in figures if figure is not None]
