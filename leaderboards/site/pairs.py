"""Who wins against whom, as data: of each table by mean ranks, and by every metric that ranks; who is told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..report.pairs import Pairs, why_no_diagram
from ..standings.standings import Table
from ..statistics.wins import Wins, win_matrix
from .catalogue import Catalogue
from .encoding import doubles


def win_data(catalogue: Catalogue, table: Table, name: str) -> dict[str, dict[str, Any]]:
    """Return the win matrices of a table by the name of their data; none of fewer than two ranked methods.

    Parameters
    ----------
    catalogue
        What the site shows.
    table
        One of its tables.
    name
        The name of the table's data: mean ranks stand under it, each metric below it.
    """
    numbers = [catalogue.method_numbers[row.method.id] for row in table.rows]
    placed = [place for place, row in enumerate(table.rows) if row.place is not None]
    found = {f"wins/{name}": (numbers, placed, table.wins)}
    in_scores = {run.method: place for place, run in enumerate(table.results.methods)}
    order = [in_scores[row.method.id] for row in table.rows]
    for place, metric in enumerate(table.metrics):
        ranks = [row.values[place].rank for row in table.rows]
        if metric.higher_is_better is None or not any(map(math.isfinite, ranks)):
            continue
        scores = table.results.scores[place][order]
        wins = win_matrix(scores, metric.higher_is_better, np.isfinite(ranks))
        best_first = sorted((one for one, rank in enumerate(ranks) if math.isfinite(rank)), key=lambda one: ranks[one])
        found[f"wins/{name}/{catalogue.metrics[catalogue.metric_numbers[metric.id]].slug}"] = (
            numbers,
            best_first,
            wins,
        )
    data = {key: _data(*one) for key, one in found.items() if len(one[1]) > 1}
    if f"wins/{name}" in data:
        data[f"wins/{name}"] |= _differences(table)
    return data


def _differences(table: Table) -> dict[str, Any]:
    """Return what the diagram of critical differences is drawn from, or why there is none."""
    why = why_no_diagram(table)
    if why:
        return {"why": why}
    pairs = Pairs.of_table(table)
    return {"ranks": doubles(np.array(pairs.mean_ranks)), "groups": pairs.groups}


def _data(numbers: Sequence[int], order: Sequence[int], wins: Wins) -> dict[str, Any]:
    """Return the upper triangle, row by row: the other one follows from it."""
    above = np.triu_indices(len(order), 1)
    where = np.ix_(order, order)
    return {
        "methods": [numbers[one] for one in order],
        "share": doubles(wins.share[where][above]),
        "p": doubles(wins.p[where][above]),
    }
