"""What explaining an image takes once everything is set up, so that equal work costs the same whoever does it first.

The first call of a method in a process also traces graphs, allocates memory, fills caches of compiled kernels, and the
first of all methods pays for the search of chunk sizes. None of that is the method's.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TypeVar

from ...models.base import Model

Result = TypeVar("Result")

ENOUGH_SECONDS, LONG_ENOUGH_SECONDS = 0.2, 1.0
ENOUGH_CALLS = 3
"""A time is trusted once so many settled calls have taken the first together, or any number of them the second: a call
of a millisecond alone is mostly noise."""
MOST_REPEATS = 10
SPENT_SECONDS = 1.0
"""Repeats end once they have taken as long as the work itself, or so long where that is more."""
LONG_SECONDS = 20.0
"""In a call that takes so long, one-time work hardly counts, and nobody wants to wait for it again."""


class SettledTime:
    """Times calls that explain batches; what one-time work is in is known by its circumstances, not by its length.

    A call is settled if a batch of its size was explained before, and no chunk size was being tried out in it. Of calls
    with the same batch the least counts, as whatever else the machine does can only add to it.

    Parameters
    ----------
    model
        Who is explained.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._sizes: set[int] = set()
        self._settled: dict[int, list[float]] = {}
        self._every: list[float] = []
        self._spent = 0.0

    def measured(self, explain: Callable[[], Result], batch: int, images: int) -> Result:
        """Return what a call returns for a batch, known by its number, and note what it took."""
        self._model.synchronise()
        before, clock = self._model.engine.trials, perf_counter()
        result = explain()
        self._model.synchronise()
        seconds = perf_counter() - clock
        if images in self._sizes and self._model.engine.trials == before:
            self._settled.setdefault(batch, []).append(seconds / images)
        self._sizes.add(images)
        self._every.append(seconds / images)
        self._spent += seconds
        return result

    def settle(self, explain: Callable[[], object], batch: int, images: int) -> None:
        """Repeat the call for a batch until there is a time to be trusted, or it has cost enough."""
        if images * min(self._every) > LONG_SECONDS:
            return
        allowed = self._spent + max(self._spent, SPENT_SECONDS)
        for _ in range(MOST_REPEATS):
            settled = [one for calls in self._settled.values() for one in calls]
            if trusted(len(settled), images * sum(settled)) or self._spent >= allowed:
                return
            self.measured(explain, batch, images)

    def seconds_per_image(self, batch: int) -> float:
        """Return the least that a settled call took for a batch.

        Where it had none, the median over the other batches; where none had, the least that any call took.
        """
        least = {number: min(calls) for number, calls in self._settled.items()}
        return least.get(batch) or (median(least.values()) if least else min(self._every))


def trusted(calls: int, seconds: float) -> bool:
    """Return whether a time is to be trusted that rests on so many calls, which took so long together."""
    return seconds >= LONG_ENOUGH_SECONDS or (calls >= ENOUGH_CALLS and seconds >= ENOUGH_SECONDS)


def least_seconds(model: Model, call: Callable[[], object]) -> float:
    """Return the least that a call takes, after one that does not count."""
    times: list[float] = []
    for number in range(MOST_REPEATS):
        model.synchronise()
        clock = perf_counter()
        call()
        model.synchronise()
        times += [perf_counter() - clock] if number else []
        if trusted(len(times), sum(times)):
            break
    return min(times)
