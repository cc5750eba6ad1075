"""Timing in rounds: jobs take turns, short calls are repeated, and a noisy measurement is taken again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from time import perf_counter
from typing import Any

NOISY = 0.2
"""A measurement is noisy if its interquartile range is a larger share of its median than this."""

SHORTEST_ROUND = 0.01
"""Seconds; a call that is shorter is repeated within a round, so that the clock and the calling cost little."""

LEAST_ROUNDS = 3
"""So many rounds are measured whatever time they take: fewer have no spread."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Spread:
    """The median and quartiles of some times."""

    low: float
    median: float
    high: float

    @property
    def iqr(self) -> float:
        """The interquartile range."""
        return self.high - self.low

    @property
    def relative(self) -> float:
        """The interquartile range as a share of the median."""
        return self.iqr / self.median if self.median > 0 else 0.0


def spread(values: Sequence[float]) -> Spread:
    """Return the median and quartiles.

    The quartiles of an odd number of values are halfway between those with and those without the median among each
    half, which is how pytest-benchmark takes them.
    """
    ordered = sorted(values)
    count = len(ordered)
    if count == 1:
        return Spread(ordered[0], ordered[0], ordered[0])
    small, large = count // 2, (count + 1) // 2
    low = (median(ordered[:small]) + median(ordered[:large])) / 2
    high = (median(ordered[-small:]) + median(ordered[-large:])) / 2
    return Spread(low, median(ordered), high)


@dataclass(frozen=True)
class Rounds:
    """The times of jobs that took turns."""

    seconds: Mapping[str, tuple[float, ...]]
    """By job: the time of one call, one entry per round."""
    iterations: Mapping[str, int]
    """By job: how many calls each round took the mean of."""
    attempts: int
    """How often the rounds were measured."""
    noisy: bool
    """Whether the watched job's times still spread too much."""


def timed(work: Callable[[], Any], clock: Clock = perf_counter) -> float:
    """Return the seconds that one call takes."""
    began = clock()
    work()
    return clock() - began


def interleaved(
    jobs: Mapping[str, Callable[[], Any]],
    rounds: int,
    iterations: Mapping[str, int] | None = None,
    clock: Clock = perf_counter,
) -> dict[str, list[float]]:
    """Return the seconds per call of every job, the jobs taking turns, so that drift of the machine meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, work in jobs.items():
            repeats = (iterations or {}).get(name, 1)
            began = clock()
            for _ in range(repeats):
                work()
            times[name].append((clock() - began) / repeats)
    return times


def measured_rounds(
    jobs: Mapping[str, Callable[[], Any]],
    watched: str,
    rounds: int,
    seconds: float = float("inf"),
    clock: Clock = perf_counter,
) -> Rounds:
    """Time warmed-up jobs in turns; where the watched one is noisy, once more, and the steadier times are kept.

    Parameters
    ----------
    jobs
        By name; each is called once more first, which tells how long it takes.
    watched
        The job whose spread matters.
    rounds
        How many are wanted.
    seconds
        Fewer rounds, but no less than three, are measured where so many would take longer than this.
    clock
        What time is read from.
    """
    once = {name: timed(work, clock) for name, work in jobs.items()}
    longest = max(once.values())
    # The others are repeated until they are as sure as a quarter of the longest, so that ratios are no noisier.
    aim = max(SHORTEST_ROUND, longest / 4)
    iterations = {name: 1 if took >= aim else min(1000, ceil(aim / max(took, 1e-7))) for name, took in once.items()}
    turn = sum(took * iterations[name] for name, took in once.items())
    affordable = int(min(rounds, seconds / turn)) if turn > 0 else rounds
    count = min(rounds, max(LEAST_ROUNDS, affordable))
    best = interleaved(jobs, count, iterations, clock)
    attempts = 1
    if spread(best[watched]).relative > NOISY:
        attempts = 2
        again = interleaved(jobs, count, iterations, clock)
        if spread(again[watched]).relative < spread(best[watched]).relative:
            best = again
    return Rounds(
        {name: tuple(times) for name, times in best.items()},
        iterations,
        attempts,
        spread(best[watched]).relative > NOISY,
    )
