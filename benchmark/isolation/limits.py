"""What a process that is not trusted may use."""

from __future__ import annotations

from dataclasses import dataclass, field

import psutil

_GIB = 1 << 30


def _half_of_memory() -> int:
    """Return half of this machine's memory, 16 GiB at most."""
    return min(16 * _GIB, psutil.virtual_memory().total // 2)


@dataclass(frozen=True)
class Limits:
    """Bounds of a process; whoever passes one is ended, and the question that it was asked counts as failed."""

    memory_bytes: int = field(default_factory=_half_of_memory)
    """That it holds."""
    scratch_bytes: int = _GIB
    """Of the files in its scratch folder."""
    scratch_files: int = 10_000
    """In its scratch folder, where that is one of this machine's."""
    start_seconds: float = 300.0
    """Until it has imported the file, and until it has loaded a network."""
    answer_seconds: float = 900.0
    """By the clock, for one batch of maps."""
    cpu_seconds: float = 3600.0
    """Of the processor, over all threads, for one batch of maps."""
    threads: int = 1024
    open_files: int = 1024
