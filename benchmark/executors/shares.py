"""Work shared out before it begins: so many shares of about equal cost, the same for everyone who works them out."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence

from ..store.cell import CellSpec
from ..work.planned_cost import planned_seconds
from ..work.worker import Job

LOADING_SECONDS = 10.0
"""What it takes a share to begin with another network: it is loaded, and a framework perhaps."""
_TICKS = 1_000_000
"""Costs are compared in whole numbers, so that no order of additions can turn a share."""


def shared_out(
    costs: Sequence[float], groups: Sequence[Hashable], count: int, setup: float = LOADING_SECONDS
) -> list[list[int]]:
    """Return the positions of pieces of work in so many shares, each rising; shares may be empty.

    The dearest piece goes first, each to the share that would end earliest with it; a share that has nothing of its
    group yet (the same network) pays ``setup`` for it. So dear pieces, and networks, are spread: where all of a kind
    take longer than was thought, all shares do. What is done already plays no part, so that jobs that start at
    different times agree on whose a piece is.

    Parameters
    ----------
    costs
        What each piece takes, in seconds.
    groups
        What pieces have in common that is loaded once.
    count
        The number of shares, at least 1.
    setup
        The seconds that it takes to load what a group has in common.

    Examples
    --------
    >>> shared_out([3.0, 1.0, 1.0, 1.0], ["net"] * 4, 2)
    [[0], [1, 2, 3]]
    """
    ticks, loading = [round(cost * _TICKS) for cost in costs], round(setup * _TICKS)
    loads, known = [0] * count, [set[Hashable]() for _ in range(count)]
    shares: list[list[int]] = [[] for _ in range(count)]
    # Of the shares that know a group the least loaded is enough to look at, and so it is of all.
    every: list[tuple[int, int]] = [(0, share) for share in range(count)]
    knowing: dict[Hashable, list[tuple[int, int]]] = {group: [] for group in groups}
    for place in sorted(range(len(ticks)), key=lambda place: (-ticks[place], place)):
        group = groups[place]
        tried = [_least(heap, loads) for heap in (knowing[group], every) if heap]
        ends = [(loads[share] + (0 if group in known[share] else loading), share) for share in tried]
        end, share = min(ends)
        loads[share] = end + ticks[place]
        if group not in known[share]:
            known[share].add(group)
            heapq.heappush(knowing[group], (loads[share], share))
        shares[share].append(place)
    return [sorted(share) for share in shares]


def _least(heap: list[tuple[int, int]], loads: Sequence[int]) -> int:
    """Return the least loaded share of a heap in which loads may be out of date."""
    while heap[0][0] != loads[heap[0][1]]:
        heapq.heapreplace(heap, (loads[heap[0][1]], heap[0][1]))
    return heap[0][1]


def jobs_shared_out(jobs: Sequence[Job], count: int) -> list[list[Job]]:
    """Return jobs in at most so many shares of about equal planned cost, none of them empty."""
    costs = [job_seconds(job) for job in jobs]
    shares = shared_out(costs, [job.named_model for job in jobs], count)
    return [[jobs[place] for place in share] for share in shares if share]


def job_seconds(job: Job) -> float:
    """Return the seconds that a job is likely to take; of work that is no cell of a run nothing is known."""
    spec = job.spec
    return planned_seconds(spec) if isinstance(spec, CellSpec) else LOADING_SECONDS
