"""Facts about the machine and the installed versions, for provenance."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from ...models.devices import package_version

PACKAGES = ("heatmark", "numpy", "scipy", "pandas", "pyarrow", "torch", "torchvision", "tensorflow", "keras")


def versions() -> dict[str, str | None]:
    """Return the version of every package that results may depend on, None where it is not installed."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str | None], ...]:
    return tuple((name, package_version(name)) for name in PACKAGES)  # reading them takes longer than a small cell


def machine_facts() -> dict[str, Any]:
    """Return the operating system, Python, processor, usable cores and memory (bytes)."""
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
    }


def usable_cores() -> int:
    """Return the cores that this process may use: its affinity, cut to a container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            count = min(count, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return count


def gpu_possible() -> bool:
    """Whether a GPU may be present, judged without importing a framework; when in doubt, yes."""
    if not sys.platform.startswith("linux"):
        return sys.platform != "darwin"
    return any(Path(node).exists() for node in ("/proc/driver/nvidia/version", "/dev/nvidia0", "/dev/dxg", "/dev/kfd"))


@cache
def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
