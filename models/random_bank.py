"""The bank of random numbers: noise and masks that depend on the seed alone.

Every sample, framework, batch and chunk sees the same draws (common random numbers), so results do not depend on how
work is cut, PyTorch and TensorFlow get the same inputs bit for bit, and paired comparisons have less variance.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np


class RandomBank:
    """Arrays drawn one per variant from (seed, stream name, variant number).

    Parameters
    ----------
    seed
        The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generator(self, stream: str, number: int = 0) -> np.random.Generator:
        """Return the generator of one numbered draw of a named stream."""
        return np.random.Generator(
            np.random.Philox(np.random.SeedSequence([self.seed, zlib.crc32(stream.encode()), number]))
        )

    def rows(self, stream: str, draw: Callable[[np.random.Generator], np.ndarray]) -> LazyRows:
        """Return an endless array of draws, each made when it is first asked for and kept for a while."""
        return LazyRows(lambda number: draw(self.generator(stream, number)))

    def normal(self, stream: str, shape: Sequence[int]) -> LazyRows:
        """Return standard normal draws of a shape, float32."""
        return self.rows(stream, lambda generator: generator.standard_normal(tuple(shape), dtype=np.float32))

    def uniform(self, stream: str, shape: Sequence[int]) -> LazyRows:
        """Return draws of a shape, uniform in [0, 1), float32."""
        return self.rows(stream, lambda generator: generator.random(tuple(shape), dtype=np.float32))


class LazyRows:
    """Numbered arrays that are made on demand; only those of the latest request are kept.

    Chunks run through the variants in order, so a variant's draw is made once for all samples while memory stays
    that of one chunk.
    """

    def __init__(self, make: Callable[[int], np.ndarray]) -> None:
        self._make = make
        self._kept: dict[int, np.ndarray] = {}

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows with these numbers, stacked."""
        wanted, places = np.unique(numbers, return_inverse=True)
        self._kept = {
            int(number): self._kept[int(number)] if int(number) in self._kept else self._make(int(number))
            for number in wanted
        }
        return np.stack(list(self._kept.values()))[places]
