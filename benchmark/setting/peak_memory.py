"""How far memory grows during a piece of work: an accelerator's allocator, or the process's resident memory."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import psutil

from ...models.base import Model

INTERVAL = 0.05
"""Seconds between two looks at the process's resident memory, where the system keeps no high-water mark."""

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class MemoryGrowth:
    """Measures how far memory grows while a ``with`` block runs.

    On an accelerator the allocator counts exactly. On a processor Linux keeps a high-water mark of resident memory,
    which is set back first; elsewhere resident memory is looked at many times a second. Growth of a process that has
    worked before is too small, because it still holds memory that was given back to its allocator.

    Attributes
    ----------
    peak, growth
        Bytes, after the block: the peak, and by how much it is above what was in use before.
    kind
        What was watched.
    """

    def __init__(self, model: Model) -> None:
        self.peak = self.growth = 0
        self.kind = ""
        self._model = model
        self._before = 0
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> MemoryGrowth:
        self._model.synchronise()
        if not self._model.on_cpu:
            self.kind = f"{self._model.framework}'s allocator"
            self._before, _ = _allocated(self._model, reset=True)
            return self
        exact = _reset_high_water_mark()
        self.kind = f"resident memory, {'high-water mark' if exact else 'sampled'}"
        self._before = psutil.Process().memory_info().rss
        if not exact:
            self._watcher = threading.Thread(target=self._watch, name="heatmark-memory", daemon=True)
            self._watcher.start()
        return self

    def __exit__(self, *problem: object) -> None:
        if not self._model.on_cpu:
            _, self.peak = _allocated(self._model)
        elif self._watcher is None:
            self.peak = _high_water_mark()
        else:
            self._stop.set()
            self._watcher.join()
        self.growth = max(0, self.peak - self._before)

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, psutil.Process().memory_info().rss)
            if self._stop.wait(INTERVAL):
                return


def _reset_high_water_mark() -> bool:
    """Set Linux's mark of this process back to what it holds now; False where that cannot be done."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
        return 0 < _high_water_mark() <= 1.1 * psutil.Process().memory_info().rss
    except (OSError, ValueError):
        return False


def _high_water_mark() -> int:
    """Return the most resident memory since the mark was set back, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise ValueError("the kernel keeps no high-water mark")
    return 1024 * int(found[1])


def _allocated(model: Model, reset: bool = False) -> tuple[int, int]:
    """Return the bytes that an accelerator's allocator has handed out: now, and at most; set the latter back first."""
    number = str(model.device).rpartition(":")[2]
    index = int(number) if number.isdigit() else 0
    if model.framework == "torch":
        from torch import cuda

        if reset:
            cuda.reset_peak_memory_stats(index)
        return int(cuda.memory_allocated(index)), int(cuda.max_memory_allocated(index))
    from tensorflow.config import experimental

    if reset:
        experimental.reset_memory_stats(f"GPU:{index}")
    found = experimental.get_memory_info(f"GPU:{index}")
    return int(found["current"]), int(found["peak"])
