"""Every figure of a board, each method alike in all of them, for the report, for files and for notebooks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from ..across.overall import Overall
from ..audits.plots import draw_agreement
from ..costs.pareto import by_task, paretos
from ..costs.pareto_plot import draw_paretos
from ..costs.plots import figures_by_device
from ..galleries.of_runs import run_gallery
from ..standings.standings import Standings, Table
from ..standings.styles import Style, family_styles
from .costs import measured_tables
from .curves import curves_figure
from .overall import worth_showing
from .overall_figure import overall_figure
from .pairs import Pairs, differences_figure, why_no_diagram, wins_figure
from .ranks import ranks_figure
from .score_matrix import draw_board

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


def overall_figures(standings: Standings, standing: Overall) -> Titled:
    """Return the mean ranks across tasks, where there are several."""
    figure = overall_figure(standing, looks(standings)) if worth_showing(standing) else None
    return [] if figure is None else [("across tasks", figure)]


def wins_figures(standings: Standings) -> Titled:
    """Return who wins against whom in every table."""
    return _each_table(standings, lambda table, words: wins_figure(Pairs.of_table(table), words))


def differences_figures(standings: Standings) -> Titled:
    """Return the critical difference diagram of every table whose samples can tell methods apart."""
    return _each_table(
        standings,
        lambda table, words: None if why_no_diagram(table) else differences_figure(Pairs.of_table(table), words),
    )


def heatmaps_figures(standings: Standings) -> Titled:
    """Return the first heatmaps that were kept of every task."""
    return _each_task(standings, lambda tables, styles: run_gallery(standings, tables))


def board_figures(standings: Standings, standing: Overall) -> dict[str, Figure]:
    """Return every figure of a board, and of the standing across its tasks, by the stem of its file.

    Mean ranks across tasks, and of every task with its mean curves, quality against cost, and the first heatmaps that
    were kept; every table with its means; who wins against whom and
    the critical differences of every table; what a runtime benchmark in the run's folder measured; and how far the
    metrics agree, where an audit has them.
    """
    return {stem: figure for found in figures_by_kind(standings, standing) for stem, figure in found.items()}


def figures_by_kind(standings: Standings, standing: Overall) -> Iterator[dict[str, Figure]]:
    """Yield the figures of `board_figures` one kind after another, so that no one need hold all at once."""
    yield stems("overall", overall_figures(standings, standing))
    yield stems("ranks", ranks_figures(standings))
    yield stems("wins", wins_figures(standings))
    yield stems("differences", differences_figures(standings))
    yield stems("curves", curves_figures(standings))
    yield stems("pareto", pareto_figures(standings))
    yield stems("board", [(table.setting.title, draw_board(table, looks(standings))) for table in standings.tables])
    yield stems("heatmaps", heatmaps_figures(standings))
    yield stems("costs", list(figures_by_device(measured_tables(standings)).items()))
    known = {metric.audit.key for metric in standings.metrics if metric.audit is not None}
    audit = standings.audits.covering(known)
    agreement = None if audit is None else draw_agreement(audit, known)
    yield {} if agreement is None else {"agreement": agreement}


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


def _each_table(standings: Standings, drawn: Callable[[Table, str], Figure | None]) -> Titled:
    figures = [(table.setting.title, drawn(table, table.setting.title)) for table in standings.tables]
    return [(title, figure) for title, figure in figures if figure is not None]
