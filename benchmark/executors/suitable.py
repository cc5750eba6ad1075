"""How many workers suit this machine.

Cells do not need one another, so a worker for each core, on one thread, does the most work for a core: the threads of
one worker wait for one another at every layer, and for small networks a second one is worth nothing. What bounds their
number is memory, since each has a framework, the network and a chunk of its own, and that a GPU is not shared.
"""

from __future__ import annotations

import psutil

from ..setting.environment import usable_cores

WORKER_BYTES = 2 * 2**30
"""What a worker is taken to need: those of the quick suite peaked at 1.95 GiB (docs/performance.md)."""


def suitable_workers(frameworks: int, most: int | None = None) -> int:
    """Return how many workers each of so many frameworks should have on this machine's processor, at least 1.

    Parameters
    ----------
    frameworks
        So many work at the same time, and share cores and memory.
    most
        There will not be more jobs at a time than so many for each; the cores are then threads of fewer workers. None
        where that is not known.
    """
    by_cores = usable_cores() // frameworks
    by_memory = int(psutil.virtual_memory().available // WORKER_BYTES) // frameworks
    return max(1, min(by_cores, by_memory, by_cores if most is None else most))
