"""Finding the chunk size and memory format at which one kind of query runs fastest per row, on the work itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from psutil import virtual_memory

_WARM_UPS = 1
_TIMINGS = 3
_GAIN = 0.97
"""A candidate must take at most this share of the best time per row to replace it."""
_KEPT_INPUTS = 150
"""What a backward pass is taken to keep of each image, in sizes of an input."""
_FREE_PARTS = 6
"""A chunk's backward pass shall take no more than this part of the free memory: frameworks run side by side."""
_PATIENCE = 1
"""Sizes in a row that may fail to be faster before the climb ends: a chunk of 32 gained where one of 16 had not."""


@dataclass
class ChunkTuner:
    """Tries sizes in powers of two round a first guess, then the other memory formats at the best size.

    Bigger is not better everywhere (on two cores, chunks of 8 ran twice as fast per image as chunks of 32 where the C
    library hands freed memory back to the system), and small networks want hundreds; so the size is climbed to, with
    each candidate timed on real chunks after one that warms up caches and compiled graphs. No work is done twice.
    """

    sizes: tuple[int, ...]
    layouts: tuple[str, ...]
    start: int
    settled: bool = False
    _times: dict[tuple[int, str], list[float]] = field(default_factory=dict)
    _warm: dict[tuple[int, str], int] = field(default_factory=dict)
    _best: tuple[int, str] = (1, "")
    _candidate: tuple[int, str] = (1, "")
    _direction: int = 1
    _misses: int = 0

    def __post_init__(self) -> None:
        self._best = self._candidate = (self.start, self.layouts[0])

    @classmethod
    def for_input(cls, shape: tuple[int, ...], layouts: tuple[str, ...], *, on_cpu: bool, backward: bool) -> ChunkTuner:
        """Return a tuner whose first guess and bounds suit inputs of this shape.

        A backward pass keeps every layer's outputs, some hundred times the input. On an accelerator its chunks are
        bounded at half; on a processor, which cannot tell in time that memory runs out, by the memory that is free.
        """
        elements = math.prod(shape)
        # On two cores 16 was mostly the fastest for a forward pass at 224 px; a backward pass needs far more memory.
        first, most_bytes = (8 if backward else 16, 32 * 2**20) if on_cpu else (32, 512 * 2**20)
        most_bytes //= 2 if backward and not on_cpu else 1
        if backward and on_cpu:
            most_bytes = min(most_bytes, virtual_memory().available // (_FREE_PARTS * _KEPT_INPUTS))
        largest = max(1, min(4096, most_bytes // (4 * elements)))
        sizes = tuple(2**power for power in range(int(math.log2(largest)) + 1))
        # Small inputs are dominated by the cost of a call: start where a chunk has about a million values.
        start = max(first, 2 ** int(math.log2(max(1, 2**20 // elements)))) if elements < 2**16 else first
        return cls(sizes, layouts, min(start, sizes[-1]))

    @property
    def best_size(self) -> int:
        """The fastest size so far."""
        return self._best[0]

    @property
    def layout(self) -> str:
        """The fastest memory format so far."""
        return self._best[1]

    def propose(self) -> tuple[int, str]:
        """Return the size and memory format for the next chunk."""
        return self._best if self.settled else self._candidate

    def record(self, size: int, layout: str, seconds: float) -> None:
        """Take note of a full chunk's time and choose what to try next."""
        if self.settled or (size, layout) != self._candidate:
            return
        if self._warm.get(self._candidate, 0) < _WARM_UPS:
            self._warm[self._candidate] = self._warm.get(self._candidate, 0) + 1
            return
        times = self._times.setdefault(self._candidate, [])
        times.append(seconds / size)
        if len(times) >= _TIMINGS:
            self._advance()

    def limit(self, largest: int) -> None:
        """Never propose a size above ``largest`` again: a larger one ran out of memory."""
        self.sizes = tuple(size for size in self.sizes if size <= largest) or (1,)
        self._best = (min(self._best[0], self.sizes[-1]), self._best[1])
        self._candidate = self._best
        self.settled = True

    def _advance(self) -> None:
        """Move to the next candidate, or settle."""
        improved = self._candidate == self._best or self._time(self._candidate) < _GAIN * self._time(self._best)
        if improved:
            self._best = self._candidate
        following = self._next_size(improved)
        if following is None:
            following = next(
                ((self._best[0], layout) for layout in self.layouts if (self._best[0], layout) not in self._times), None
            )
        if following is None:
            self.settled = True
        else:
            self._candidate = following

    def _next_size(self, improved: bool) -> tuple[int, str] | None:
        """Climb while it gets faster, past one size that does not; if nothing above is faster, go down likewise."""
        if self._candidate[1] != self.layouts[0]:
            return None
        self._misses = 0 if improved else self._misses + 1
        position = self.sizes.index(self._candidate[0]) + self._direction
        if self._misses > _PATIENCE or not 0 <= position < len(self.sizes):
            if self._direction == -1 or self._best[0] != self.start:
                return None
            self._direction, self._misses, position = -1, 0, self.sizes.index(self.start) - 1
        return (self.sizes[position], self.layouts[0]) if position >= 0 else None

    def _time(self, candidate: tuple[int, str]) -> float:
        return min(self._times[candidate])
