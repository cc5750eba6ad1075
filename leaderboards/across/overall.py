"""The standing across tasks: mean ranks and Borda's count over independent blocks of tasks, computed once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import stats

from ...errors import NotApplicable
from ..standings.registered import MethodFacts
from ..standings.standings import Standings
from ..statistics.across import LEAST_BLOCKS, Spread, p_against, p_ahead_of, spreads
from ..statistics.ranks import rounded
from ..statistics.significance import LEVEL, Places, friedman_p, least_pairs, pair_p, places_by
from ..statistics.wins import Wins, shares_won
from ..writing.numbers import counted
from .blocks import Block, blocks_of
from .folding import Folded, folded
from .task_scores import TaskScores, scores_of

NAMED = 3
"""So many tasks are named in which a method is missing, or metrics are left out."""


@dataclass(frozen=True, eq=False)
class OverallRow:
    """One method across all tasks."""

    method: MethodFacts
    folded: Folded
    """What stands for it, and which variants it stands for."""
    rank: int | None
    """By the mean rank, 1 for the best; equal ones share it. None where it has no place in some task."""
    rank_low: float
    rank_high: float
    """The rank's 95 % interval, whole numbers; NaN where there are too few blocks."""
    mean_rank: float
    mean_rank_low: float
    mean_rank_high: float
    """The mean over blocks of its ranks among the ranked methods, with its 95 % interval; NaN without a rank."""
    borda: float
    borda_low: float
    borda_high: float
    """The share of the other methods that it beats, 0 to 1: in each task of those that have a place there. It is known
    of a method without a rank too, over the tasks that it is in; its interval is not.
    """
    tasks: int
    """In so many it has a place, of so many."""
    expected_tasks: int
    p_best: float
    """The p value against the best method (see `across.p_against`); 1 for that itself, NaN where it was not asked."""
    p_controls: float
    """The p value of being ahead of every control (see `across.p_ahead_of`); NaN where it was not asked."""
    in_blocks: tuple[float, ...]
    """Its mean rank in each block; empty where it is not ranked."""
    why_unranked: str

    @property
    def coverage(self) -> str:
        """In how many of the tasks it has a place."""
        return f"{self.tasks}/{self.expected_tasks}"

    @property
    def leads(self) -> bool | None:
        """Whether it is the best or cannot be told apart from it; None where that could not be asked."""
        if self.rank is None or math.isnan(self.p_best):
            return None
        return self.p_best > LEVEL

    @property
    def beats_controls(self) -> bool | None:
        """Whether it is ahead of every control for certain; None where that could not be asked."""
        return None if math.isnan(self.p_controls) else self.p_controls <= LEVEL


@dataclass(frozen=True, eq=False)
class Overall:
    """The standing of all methods across tasks; rows from best to worst, unranked ones last."""

    rows: tuple[OverallRow, ...]
    blocks: tuple[Block, ...]
    """What is resampled and tested: tasks that share samples are in one block."""
    tasks: tuple[str, ...]
    """The titles of the tasks in which some method has a place, in the standings' order."""
    best: MethodFacts | None
    """The best method that is no control: what the others are tested against."""
    controls: tuple[MethodFacts, ...]
    """The ranked controls that ignore the network: every method is tested for being ahead of all of them."""
    friedman: float
    """The p value of the Friedman test over the ranked methods and the blocks, NaN where it could not be made."""
    resamples: int
    seed: int
    fold: bool
    """Whether variants were folded under their base method."""
    left_out: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Tasks with the metrics that count in one of their frameworks, but not in the mean ranks here: another framework
    does not count them, or on no sample every ranked method has a score.
    """

    def __repr__(self) -> str:
        return f"<Overall of {len(self.ranked)} ranked methods of {len(self.rows)} over {len(self.blocks)} blocks>"

    @property
    def ranked(self) -> tuple[OverallRow, ...]:
        """The methods with a place in every task."""
        return tuple(row for row in self.rows if row.rank is not None)

    @property
    def complete(self) -> Self:
        """The same with the complete rows only; no rank changes, for ranks are among these anyway."""
        return replace(self, rows=self.ranked)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be asked of so few blocks, with the reason and what would be enough."""
        blocks, ranked = len(self.blocks), len(self.ranked)
        methods = ranked - sum(row.method.control for row in self.ranked)
        found = []
        if not ranked:
            found.append("No method has a place in every task, so none is ranked across them.")
        elif blocks < LEAST_BLOCKS:
            found.append(
                f"No intervals: resampling fewer than {LEAST_BLOCKS} independent blocks of tasks cannot give one of "
                f"95 %, and {_are(blocks)}."
            )
        for tests, what in ((ranked - 1, "the best"), (methods if self.controls else 0, "the controls")):
            if tests > 0 and blocks < least_pairs(tests):
                found.append(
                    f"No tests against {what}: with {counted(blocks, 'block')} the smallest p value that a signed-rank "
                    f"test can have is {2 / 2**blocks:.2g}, which is too large for {_together(tests)}; "
                    f"{least_pairs(tests)} blocks would be enough."
                )
        if self.left_out:
            each = [f"{', '.join(metrics)} on {task}" for task, metrics in self.left_out]
            found.append(
                f"Mean ranks leave out {_first(each, '; ')}: a metric counts where it does in every framework that has "
                "it, and where all ranked methods have a score of the same samples."
            )
        return tuple(found)

    def why_no_pairs(self) -> str:
        """Return why all pairs cannot be told apart, and what would be enough; nothing where they can."""
        methods, blocks = len(self.ranked), len(self.blocks)
        if methods < 2:
            return f"{counted(methods, 'method')} with a place in every task: there is no pair to compare."
        pairs = math.comb(methods, 2)
        least, most = least_pairs(pairs), _most_methods(blocks)
        if blocks >= least:
            return ""
        fewer = f"; or fewer methods, {most} with {counted(blocks, 'block')}" if most > 1 else ""
        return (
            f"A diagram of all pairs across tasks would show one bar, whatever the methods are: with "
            f"{counted(blocks, 'independent block')} ({'; '.join(block.name for block in self.blocks)}) the smallest "
            f"signed-rank p value is {2 / 2**blocks:.2g}, and {counted(pairs, 'pair')} of {methods} methods need one "
            f"of {LEVEL / pairs:.1g} (Holm). {least} blocks would be enough, that is other samples and not more "
            f"networks or frameworks on these{fewer}. The "
            f"overall table compares with the best method and with the controls instead."
        )

    def pairs(self) -> tuple[Wins, tuple[Places, ...]]:
        """Return all pairs of the ranked methods over blocks, and the places from which each cannot be told apart.

        Raises
        ------
        NotApplicable
            If so few blocks cannot tell any pair apart (see `why_no_pairs`).
        """
        if reason := self.why_no_pairs():
            raise NotApplicable(reason)
        values = np.array([row.in_blocks for row in self.ranked])
        wins = Wins(shares_won(values, False), pair_p(values))
        return wins, places_by(wins.p, np.array([row.rank for row in self.ranked]))


def overall(standings: Standings, *, fold: bool = True) -> Overall:
    """Return the standing across the tasks of some standings.

    Methods are ranked that have a place in every task, in one framework at least: what a method scores on the same
    samples in several frameworks is averaged, sample by sample. In each task they are ranked among themselves, metric
    by metric, by their means over the samples that all of them have; the mean over its counted metrics is a method's
    rank there. These are averaged over the tasks of a block, and then over blocks. A task in which no method has a
    place is left out.

    Parameters
    ----------
    standings
        Of one or several runs.
    fold
        Whether variants of a method count as one; see `folding`.
    """
    methods = folded(standings.methods, fold)
    tasks = [found for found in (scores_of(*task, methods) for task in standings.tasks) if found.placed.any()]
    placed = np.array([task.placed for task in tasks], bool).reshape(len(tasks), len(methods))
    complete: np.ndarray = placed.all(axis=0) & np.full(len(methods), bool(tasks))
    order, beaten = np.full((2, len(methods), len(tasks)), np.nan)
    for number, task in enumerate(tasks):
        order[complete, number] = task.mean_ranks(complete)
        beaten[task.placed, number] = task.shares_beaten()
    # A task on whose samples some method has no score says nothing of those that are ranked.
    told = np.isfinite(order[complete]).all(axis=0)
    blocks = blocks_of([task.table.results for task in tasks])
    blocks = tuple(block for block in blocks if told[list(block.tables)].any())
    values, borda = (_by_block(one, blocks, told) for one in (order, beaten))
    settings = (standings.resamples, standings.seed)
    found = _standing(methods, tasks, blocks, (complete, placed), (values, borda, beaten), settings, fold)
    left_out = ((task.title, task.left_out(complete)) for task in tasks if complete.any())
    return replace(found, left_out=tuple(one for one in left_out if one[1]))


def _standing(
    methods: Sequence[Folded],
    tasks: Sequence[TaskScores],
    blocks: tuple[Block, ...],
    there: tuple[np.ndarray, np.ndarray],
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
    settings: tuple[int, int],
    fold: bool,
) -> Overall:
    """Return the standing, given who is there and the ranks and shares beaten by block, and the latter by task."""
    (complete, placed), (values, borda, beaten) = there, found
    ranked = np.flatnonzero(complete) if blocks else np.array([], np.int64)
    among, controls = values[ranked], np.array([methods[one].method.floor for one in ranked], bool)
    mean = among.sum(axis=1) / max(len(blocks), 1)
    rank = stats.rankdata(rounded(mean), method="min").astype(int)
    contenders = [place for place, one in enumerate(ranked) if not methods[one].method.control]
    best = min(contenders, key=lambda place: mean[place], default=None)
    mean_spread, rank_spread = spreads(among, *settings)
    borda_spread, _ = spreads(borda[ranked], *settings)
    p_best = np.full(len(ranked), np.nan) if best is None else p_against(among, best)
    # Other controls than those that ignore the network are neither tested nor tested against.
    tested = np.array([methods[one].method.floor or not methods[one].method.control for one in ranked], bool)
    p_controls = np.full(len(ranked), np.nan)
    p_controls[tested] = p_ahead_of(among[tested], controls[tested])
    rows = [
        OverallRow(
            methods[one].method,
            methods[one],
            int(rank[place]),
            *_ends(rank_spread, place),
            float(mean[place]),
            *_ends(mean_spread, place),
            float(borda[one].mean()),
            *_ends(borda_spread, place),
            int(placed[:, one].sum()),
            len(tasks),
            float(p_best[place]),
            float(p_controls[place]),
            tuple(among[place].tolist()),
            "",
        )
        for place, one in enumerate(ranked.tolist())
    ]
    rows.sort(key=lambda row: (row.rank or 0, row.method.id))
    nan = math.nan
    unranked = [
        OverallRow(
            methods[one].method,
            methods[one],
            None,
            *(nan,) * 5,
            float(np.nanmean(beaten[one])) if np.isfinite(beaten[one]).any() else nan,
            *(nan,) * 2,
            int(placed[:, one].sum()),
            len(tasks),
            *(nan,) * 2,
            (),
            _why_unranked([task.title for task, is_there in zip(tasks, placed[:, one], strict=True) if not is_there]),
        )
        for one in range(len(methods))
        if one not in set(ranked.tolist())
    ]
    unranked.sort(key=lambda row: (-row.tasks, row.method.id))
    return Overall(
        (*rows, *unranked),
        blocks,
        tuple(task.title for task in tasks),
        None if best is None else methods[ranked[best]].method,
        tuple(methods[one].method for one in ranked[controls]),
        friedman_p(among),
        *settings,
        fold,
    )


def _by_block(values: np.ndarray, blocks: Sequence[Block], told: np.ndarray) -> np.ndarray:
    """Return the means over the tasks of each block that say something: (methods, blocks)."""
    found = [values[:, [one for one in block.tables if told[one]]].mean(axis=1) for block in blocks]
    return np.stack(found, axis=1) if found else np.empty((len(values), 0))


def _ends(spread: Spread, place: int) -> tuple[float, float]:
    return float(spread.low[place]), float(spread.high[place])


def _why_unranked(missing: Sequence[str]) -> str:
    if not missing:
        return "no task could be ranked"
    return f"no place in {_first(missing, ', ')}"


def _first(names: Sequence[str], between: str) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return between.join(names[:NAMED]) + more


def _together(tests: int) -> str:
    return "one test" if tests == 1 else f"{tests} tests together"


def _are(count: int) -> str:
    return f"there is {count}" if count == 1 else f"there are {count}"


def _most_methods(blocks: int) -> int:
    """Return how many methods at most so many blocks can tell apart in all pairs; 1 where not even two."""
    methods = 1
    while blocks >= least_pairs(math.comb(methods + 1, 2)):
        methods += 1
    return methods
