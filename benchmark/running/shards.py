"""Whose a cell is where several jobs share a run: shares of about equal cost, the same whatever is done already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from ..executors.shares import shared_out
from ..store.cell import CellSpec
from ..store.folder import RunStore
from ..work.planned_cost import planned_seconds


def shard_of(specs: Sequence[CellSpec], number: int, count: int, recorded: Path | None = None) -> frozenset[str]:
    """Return the keys of the cells that are one job's.

    Parameters
    ----------
    specs
        Every cell of the plan, done or not, in its order.
    number, count
        The number of the job, from 1, and how many there are.
    recorded
        The folder of a finished run whose times tell what cells take, the same for all jobs; None for planned costs.

    Raises
    ------
    StorageError
        If the folder holds no run.
    """
    groups = [(spec.model, spec.framework, spec.precision) for spec in specs]
    share = shared_out(costs(specs, recorded), groups, count)[number - 1]
    return frozenset(specs[place].key for place in share)


def costs(specs: Sequence[CellSpec], recorded: Path | None = None) -> list[float]:
    """Return the seconds that cells are likely to take: recorded of such cells, else planned, at the pace recorded."""
    planned = [planned_seconds(spec) for spec in specs]
    if recorded is None:
        return planned
    times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    paces: list[float] = []
    for cell in RunStore(recorded).cells():
        rows = cell.table
        took = float(rows["explain_seconds"].sum() + rows["score_seconds"].sum())
        times[cell.spec.model, cell.spec.framework, cell.spec.method].append(took / max(1, len(rows)))
        paces.append(took / planned_seconds(cell.spec))
    pace = median(paces) if paces else 1.0
    found = []
    for spec, guess in zip(specs, planned, strict=True):
        known = times.get((spec.model, spec.framework, spec.method))
        found.append(median(known) * (spec.last - spec.first) if known else guess * pace)
    return found
