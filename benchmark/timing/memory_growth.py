"""How far memory grows during a piece of work: an accelerator's allocator, or the process's resident memory."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType

import psutil

from ...models.base import Model
from ..setting.peak_memory import PeakMemory

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
        self._on_cpu = model.on_cpu
        self._before = 0
        self._exact = False
        self._sampled = PeakMemory(model)

    def __enter__(self) -> MemoryGrowth:
        self._model.synchronise()
        self._exact = self._on_cpu and _reset_high_water_mark()
        self._before = psutil.Process().memory_info().rss if self._on_cpu else _in_use(self._model)
        if not self._exact:
            self._sampled.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._exact:
            self.peak, self.kind = _high_water_mark(), "resident memory, high-water mark"
        else:
            self._sampled.__exit__(kind, error, trace)
            self.peak = self._sampled.bytes
            self.kind = "resident memory, sampled" if self._on_cpu else f"{self._model.framework}'s allocator"
        self.growth = max(0, self.peak - self._before)


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


def _in_use(model: Model) -> int:
    """Return the bytes that an accelerator's allocator has handed out."""
    number = str(model.device).rpartition(":")[2]
    index = int(number) if number.isdigit() else 0
    if model.framework == "torch":
        import torch

        return int(torch.cuda.memory_allocated(index))
    import tensorflow

    return int(tensorflow.config.experimental.get_memory_info(f"GPU:{index}")["current"])
