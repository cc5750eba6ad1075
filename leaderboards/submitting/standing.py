"""Where a submission stands, in words: places with intervals, neighbours, and whether every control is beaten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...benchmark.store.folder import RunStore
from ...errors import HeatmarkError
from ..records.official import official_runs
from ..report.tables import tie_text
from ..report.verdict import beside_controls
from ..standings.standings import Row, Standings, Table
from ..trust.submission import RESULTS, Submission
from ..writing.numbers import decimals

RESAMPLES = 500
"""Enough for an interval in a sentence."""


def standing_words(folder: Path, submission: Submission) -> list[str]:
    """Return a sentence for each row of a submission, beside the official results where it can stand there."""
    run = folder / RESULTS
    beside = _of_the_same_tasks(run)
    told = list(_words(Standings.of_runs([*beside, run], RESAMPLES), submission))
    if beside and any(" is not ranked" in sentence for sentence in told):
        told += _words(Standings.of_runs([run], RESAMPLES), submission)
    return told


def _of_the_same_tasks(run: Path) -> list[Path]:
    """Return the official runs of the tasks of a run."""
    wanted = {spec.task for spec in RunStore(run).expected}
    try:
        return [path for path in official_runs() if wanted & {spec.task for spec in RunStore(path).expected}]
    except HeatmarkError:
        return []


def _words(standings: Standings, submission: Submission) -> Iterator[str]:
    for table in standings.tables:
        official = any(row.trust is None for row in table.rows)
        where = "beside the official results" if official else "with its controls alone"
        for row in table.rows:
            if row.trust is not None and row.trust.submission == submission.name and not row.method.control:
                yield _sentence(table, row, where)


def _sentence(table: Table, row: Row, where: str) -> str:
    head = f"{table.setting.title}, {where}: {row.method.name}"
    if row.place is None:
        return f"{head} is not ranked: {row.why_unplaced}."
    placed = [one for one in table.rows if one.place is not None]
    number = placed.index(row)
    low, high = decimals(row.mean_rank_low), decimals(row.mean_rank_high)
    tie = "told apart from every other" if row.tied is None or row.tied[0] == row.tied[1] else f"tied {tie_text(row)}"
    return (
        f"{head} has place {row.place} of {len(placed)} (mean rank {decimals(row.mean_rank)}, 95 % {low} to {high}; "
        f"{tie}), {_between(placed, number)}. {beside_controls(row, placed)}"
    )


def _between(placed: Sequence[Row], number: int) -> str:
    """Return who stands before and behind a row."""
    before = placed[number - 1].method.label if number else ""
    behind = placed[number + 1].method.label if number + 1 < len(placed) else ""
    if before and behind:
        return f"between {before} and {behind}"
    return f"behind {before}" if before else f"before {behind}" if behind else "alone"
