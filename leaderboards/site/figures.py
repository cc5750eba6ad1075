"""The data of the site's figures: quality against cost, ranks across tasks, and what the audit found.

Fronts, ranks, intervals and grades are those of the tables and of the printed figures; a page only draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..audits.audit import QUESTIONS, MetricAudit
from ..audits.plots import clustered
from ..audits.tables import ANSWERS
from ..costs.pareto import Pareto, paretos
from ..costs.tables import CostTable
from ..report.costs import measured_tables
from ..report.overall import worth_showing
from ..standings.registered import MethodFacts
from ..standings.standings import Standings, Table
from ..standings.styles import Style, family_styles
from ..statistics.timed import Estimate
from ..writing.numbers import counted, seconds, times
from ..writing.text_tables import texts_of
from .catalogue import Catalogue
from .colours import on_dark
from .encoding import floats, short

DIGITS = 6
"""Significant digits of what is drawn."""


def drawn_method(method: MethodFacts, style: Style) -> dict[str, Any]:
    """Return what a figure needs to know of a method to draw it."""
    return {
        "control": method.control,
        "colour": style.colour,
        "dark": on_dark(style.colour),
        "marker": style.marker,
        "fill": style.fill,
    }


def cost_data(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Return quality against cost by the name of its data: of each table, in each place where its costs are known."""
    standings, measured = catalogue.standings, measured_tables(catalogue.standings)
    found = {}
    for _, table, name in catalogue.settings:
        places = [_place(catalogue, one) for one in _paretos(standings, table, measured)]
        if places:
            found[f"costs/{name}"] = {"places": places}
    return found


def _paretos(standings: Standings, table: Table, measured: Sequence[CostTable]) -> tuple[Pareto, ...]:
    """Return those of one table, which several may have the same task's name."""
    return paretos(replace(standings, tables=(table,)), measured)


def _place(catalogue: Catalogue, found: Pareto) -> dict[str, Any]:
    return {
        "title": found.title,
        "source": found.source,
        "points": [
            {
                "m": catalogue.method_numbers[point.method.id],
                "rank": _estimate(point.rank),
                "cost": _estimate(point.cost),
                "seconds": short(point.seconds, DIGITS),
                "costText": times(point.cost.value),
                "costEnds": point.cost.between(times, "[{}, {}]"),
                "timeText": seconds(point.seconds),
                "front": point.on_front,
            }
            for point in found.points
        ],
    }


def _estimate(value: Estimate) -> list[float | int | None]:
    return [short(one, DIGITS) for one in (value.value, value.low, value.high)]


def across_data(catalogue: Catalogue) -> dict[str, Any] | None:
    """Return the mean ranks across tasks; None where there are none."""
    standing = catalogue.standing
    if not worth_showing(standing) or not standing.ranked:
        return None
    looks = dict(zip(catalogue.method_numbers, catalogue.styles, strict=True))
    styles: Mapping[str, Style] = {**family_styles(row.method for row in standing.rows), **looks}
    return {
        "title": f"{counted(len(standing.tasks), 'task')} in {counted(len(standing.blocks), 'block')}",
        "rows": [
            {
                "method": {"shown": row.method.name, **drawn_method(row.method, styles[row.method.id])},
                "rank": short(row.mean_rank, DIGITS),
                "low": short(row.mean_rank_low, DIGITS),
                "high": short(row.mean_rank_high, DIGITS),
                "leads": bool(row.leads),
                "blocks": [short(one, DIGITS) for one in row.in_blocks],
            }
            for row in standing.ranked
        ],
        "blocks": [block.name for block in standing.blocks],
    }


def audit_data(catalogue: Catalogue) -> dict[str, Any] | None:
    """Return what the audits found of the board's metrics, and which of them agree; None where none was audited."""
    audited = [(number, one.facts.audit) for number, one in enumerate(catalogue.metrics) if one.facts.audit is not None]
    if not audited:
        return None
    datasets = list(dict.fromkeys(task.dataset for _, audit in audited for task in audit.tasks))
    return {
        "questions": QUESTIONS,
        "datasets": datasets,
        "metrics": [_audited(number, audit, datasets) for number, audit in audited],
        "without": [number for number, one in enumerate(catalogue.metrics) if one.facts.audit is None],
        "agreement": _agreement(catalogue),
    }


def _audited(number: int, audit: MetricAudit, datasets: Sequence[str]) -> dict[str, Any]:
    return {
        "m": number,
        "grades": list(audit.answers.values()),
        "texts": texts_of(ANSWERS, audit),
        "on": {
            datasets.index(task.dataset): [[one.passed, one.words] for one in task.checks(audit.about_truth)]
            for task in audit.tasks
        },
    }


def _agreement(catalogue: Catalogue) -> dict[str, Any] | None:
    """Return Kendall's tau of every two metrics, those that agree side by side: the triangle above, row by row."""
    of_key = {one.facts.audit.key: number for number, one in enumerate(catalogue.metrics) if one.facts.audit}
    audit = catalogue.standings.audits.covering(of_key)
    if audit is None:
        return None
    tau = np.array(audit.tau, np.float64)
    wanted = [at for at, one in enumerate(audit.metrics) if one.key in of_key and np.isfinite(tau[at]).any()]
    if len(wanted) < 2:
        return None
    order = [wanted[place] for place in clustered(tau[np.ix_(wanted, wanted)])]
    return {
        "metrics": [of_key[audit.metrics[at].key] for at in order],
        "datasets": list(dict.fromkeys(task.dataset for task in audit.tasks)),
        "tau": floats(tau[np.ix_(order, order)][np.triu_indices(len(order), 1)]),
    }
