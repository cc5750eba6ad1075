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

ENOUGH_SECONDS = 0.2
"""A time is trusted once settled calls have taken so long together: a call of a millisecond alone is mostly noise."""
MOST_REPEATS = 10
SPENT_SECONDS = 1.0
"""Repeats end once they have taken as long as the work itself, or so long where that is more."""
LONG_SECONDS = 20.0
"""In a call that takes so long, one-time work hardly counts, and nobody wants to wait for it again."""


class SettledTime:
    """Times calls that explain batches; what one-time work is in is known by its circumstances, not by its length.

    A call is settled if a batch of its size was explained before, and no chunk size was being tried out in it.

    Parameters
    ----------
    model
        Who is explained.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._sizes: set[int] = set()
        self._settled: list[float] = []
        self._settled_seconds = 0.0
        self._every: list[float] = []
        self.seconds = 0.0

    def measured(self, explain: Callable[[], Result], images: int) -> tuple[Result, float | None]:
        """Return what a call returns, and the seconds per image that it took; None where it was not settled."""
        self._model.synchronise()
        before, clock = self._model.engine.chunk_choices(), perf_counter()
        result = explain()
        self._model.synchronise()
        seconds = perf_counter() - clock
        settled = images in self._sizes and self._model.engine.chunk_choices() == before
        self._sizes.add(images)
        self.seconds += seconds
        self._every.append(seconds / images)
        if settled:
            self._settled.append(seconds / images)
            self._settled_seconds += seconds
        return result, seconds / images if settled else None

    def settle(self, explain: Callable[[], object], images: int) -> None:
        """Repeat a call until there is a time to be trusted, or it has cost enough."""
        if images * min(self._every) > LONG_SECONDS:
            return
        allowed = self.seconds + max(self.seconds, SPENT_SECONDS)
        for _ in range(MOST_REPEATS):
            if self._settled_seconds >= ENOUGH_SECONDS or self.seconds >= allowed:
                return
            self.measured(explain, images)

    @property
    def seconds_per_image(self) -> float:
        """The median of the settled calls; where there is none, the least that any call took."""
        return median(self._settled) if self._settled else min(self._every)
