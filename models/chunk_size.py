"""Finding the chunk size and memory format at which one kind of query runs fastest per row, on the work itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from psutil import virtual_memory

_WARM_UPS = 1
_TIMINGS = 3
_NOISE = 0.03
"""A candidate must be this much faster per row than the best to replace it."""
_EARNED = 0.10
"""What a larger chunk must gain where it takes more memory than is free of charge."""
_FREE_OF_CHARGE = 5 * 2**28
"""What a chunk's backward pass on a processor may keep, in bytes, without having earned it."""
_FREE_PARTS = 6
"""Nor may it keep more than this part of the free memory: frameworks run side by side."""
_PATIENCE = 1
"""Sizes in a row that may fail to be faster before the climb ends: a chunk of 32 gained where one of 16 had not."""


@dataclass(frozen=True)
class Trial:
    """The least seconds per row that a chunk size and memory format took."""

    size: int
    layout: str
    seconds: float


@dataclass(frozen=True)
class ChunkChoice:
    """The chunk size and memory format in force for a kind of query, and how they were found."""

    size: int
    layout: str
    """What is in force."""
    tried: tuple[Trial, ...] = ()
    """What was timed, in order."""
    gain: float | None = None
    """The share of the first trial's time per row that the choice saves; None where either was not timed."""
    reason: str = "given"
    """Why the size is no larger."""


@dataclass
class ChunkTuner:
    """Tries sizes in powers of two round a first guess, then the other memory formats at the best size.

    Bigger is not better everywhere (on two cores, chunks of 8 ran twice as fast per image as chunks of 32 where the C
    library hands freed memory back to the system), and small networks want hundreds; so the size is climbed to, with
    each candidate timed on real chunks after one that warms up caches and compiled graphs. No work is done twice.

    A larger chunk must earn its memory: one that keeps more than is free of charge is tried only right after a size
    that gained a tenth over the one before, and taken only if it gains a tenth itself.
    """

    sizes: tuple[int, ...]
    """Those that may be proposed, rising."""
    layouts: tuple[str, ...]
    """The memory formats, the first of which the sizes are tried in."""
    start: int
    """The first size."""
    kept_bytes: int = 0
    """What a row keeps until its chunk is done; 0 where that does not count."""
    settled: bool = False
    _times: dict[tuple[int, str], list[float]] = field(default_factory=dict)
    _best: tuple[int, str] = (1, "")
    _candidate: tuple[int, str] = (1, "")
    _direction: int = 1
    _misses: int = 0
    _gain: float = 0.0
    _limited: bool = False

    def __post_init__(self) -> None:
        self._best = self._candidate = (self.start, self.layouts[0])

    @classmethod
    def for_input(
        cls, shape: tuple[int, ...], layouts: tuple[str, ...], *, on_cpu: bool, backward: bool, kept_inputs: int
    ) -> ChunkTuner:
        """Return a tuner whose first guess and bounds suit inputs of this shape.

        A backward pass keeps every layer's outputs, some hundred times the input. On an accelerator its chunks are
        bounded at half; on a processor, which cannot tell in time that memory runs out, by the memory that is free.

        Parameters
        ----------
        shape
            One input's.
        layouts
            The memory formats to choose from.
        on_cpu, backward
            Where the work runs, and which way.
        kept_inputs
            What a backward pass is taken to keep of each row, in sizes of an input.
        """
        elements = math.prod(shape)
        # On two cores 16 was mostly the fastest for a forward pass at 224 px; a backward pass needs far more memory.
        first, most_bytes = (8 if backward else 16, 32 * 2**20) if on_cpu else (32, 512 * 2**20)
        most_bytes //= 2 if backward and not on_cpu else 1
        kept_bytes = 4 * elements * kept_inputs if backward and on_cpu else 0
        # Small inputs are dominated by the cost of a call: start where a chunk has about a million values.
        start = max(first, _power_of_two(2**20 // elements)) if elements < 2**16 else first
        if kept_bytes:
            most_bytes = min(most_bytes, virtual_memory().available // (_FREE_PARTS * kept_inputs))
            # Low enough that one doubling can show, free of charge, whether more are worth their memory.
            start = min(start, max(1, _power_of_two(_FREE_OF_CHARGE // kept_bytes) // 2))
        largest = _power_of_two(min(4096, most_bytes // (4 * elements)))
        sizes = tuple(2**power for power in range(largest.bit_length()))
        return cls(sizes, layouts, min(start, sizes[-1]), kept_bytes)

    @property
    def best_size(self) -> int:
        """The fastest size so far."""
        return self._best[0]

    @property
    def timed(self) -> int:
        """How often a chunk was timed to find the size."""
        return sum(map(len, self._times.values()))

    @property
    def layout(self) -> str:
        """The fastest memory format so far."""
        return self._best[1]

    @property
    def choice(self) -> ChunkChoice:
        """What is chosen so far, and why."""
        timed = [candidate for candidate, times in self._times.items() if len(times) > _WARM_UPS]
        tried = tuple(Trial(*candidate, self._time(candidate)) for candidate in timed)
        gain = 1 - self._time(self._best) / tried[0].seconds if self._best in timed else None
        return ChunkChoice(*self._best, tried, gain, self._reason())

    def propose(self) -> tuple[int, str]:
        """Return the size and memory format for the next chunk."""
        return self._best if self.settled else self._candidate

    def record(self, size: int, layout: str, seconds: float) -> None:
        """Take note of a full chunk's time and choose what to try next."""
        if self.settled or (size, layout) != self._candidate:
            return
        times = self._times.setdefault(self._candidate, [])
        times.append(seconds / size)
        if len(times) == _WARM_UPS + _TIMINGS:
            self._advance()

    def limit(self, largest: int) -> None:
        """Never propose a size above ``largest`` again: a larger one ran out of memory."""
        self.sizes = tuple(size for size in self.sizes if size <= largest) or (1,)
        self._best = (min(self._best[0], self.sizes[-1]), self._best[1])
        self._candidate = self._best
        self.settled = self._limited = True

    def _advance(self) -> None:
        """Move to the next candidate, or settle."""
        self._gain = 1 - self._time(self._candidate) / self._time(self._best)
        costs = self._candidate[0] > self._best[0] and self._is_charged(self._candidate[0])
        improved = self._candidate == self._best or self._gain > (_EARNED if costs else _NOISE)
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
        ends = self._misses > _PATIENCE or not 0 <= position < len(self.sizes)
        if ends or (self._direction == 1 and self._gain <= _EARNED and self._is_charged(self.sizes[position])):
            if self._direction == -1 or self._best[0] != self.start:
                return None
            self._direction, self._misses, position = -1, 0, self.sizes.index(self.start) - 1
        return (self.sizes[position], self.layouts[0]) if position >= 0 else None

    def _is_charged(self, size: int) -> bool:
        """Return whether a chunk of this size keeps more memory than is free of charge."""
        return size * self.kept_bytes > _FREE_OF_CHARGE

    def _reason(self) -> str:
        size, layout = self._best[0], self.layouts[0]
        if not self.settled:
            return "the search goes on"
        if self._limited:
            return "memory ran out above it"
        if size == self.sizes[-1]:
            return "larger ones are out of bounds"
        larger = self.sizes[self.sizes.index(size) + 1]
        if (larger, layout) not in self._times:
            return f"{larger} may keep {larger * self.kept_bytes / 2**30:.1f} GiB, and {size} had not gained enough"
        gain = 1 - self._time((larger, layout)) / self._time((size, layout))
        return f"{larger} was {'faster' if gain > 0 else 'slower'} by {abs(gain):.1%}"

    def _time(self, candidate: tuple[int, str]) -> float:
        return min(self._times[candidate][_WARM_UPS:])


def _power_of_two(number: int) -> int:
    """Return the largest power of two up to a number; 1 below that."""
    return 1 << max(0, number.bit_length() - 1)
