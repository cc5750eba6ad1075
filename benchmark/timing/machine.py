"""What a time depends on besides the code: the machine, its clocks and driver, and what else it is doing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psutil

from ...models.arrays.tensor_float_32 import tensor_float_32
from ...models.base import Model
from ...models.devices import device_name
from ..setting.environment import machine_facts, versions

SAME = ("cpu", "cores", "memory_gib", "system", "gpus")
"""What two machines must have in common for their times to be compared."""

_GPU_FIELDS = {
    "name": "name",
    "driver": "driver_version",
    "sm_clock_mhz": "clocks.sm",
    "memory_clock_mhz": "clocks.mem",
    "most_sm_clock_mhz": "clocks.max.sm",
    "power_watts": "power.draw",
    "temperature_celsius": "temperature.gpu",
}


def machine_record() -> dict[str, Any]:
    """Return what identifies the machine and the installation, as JSON types."""
    facts = machine_facts()
    memory = facts.pop("memory_bytes")
    gpus = gpu_facts()
    return {
        **facts,
        "system": platform.system(),
        "memory_gib": round(memory / 2**30),
        "gpus": [gpu["name"] for gpu in gpus],
        "driver": gpus[0]["driver"] if gpus else None,
        "versions": versions(),
    }


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return in what two machine records differ that times depend on, in words; empty for the same machine."""
    return [f"{name}: {first.get(name)} and {second.get(name)}" for name in SAME if first.get(name) != second.get(name)]


def gpu_facts() -> list[dict[str, Any]]:
    """Return name, driver, clocks, power and temperature of every NVIDIA GPU, as its own tool tells; else nothing."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, f"--query-gpu={','.join(_GPU_FIELDS.values())}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[word.strip() for word in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
    return [
        {name: _number(word) for name, word in zip(_GPU_FIELDS, row, strict=True)}
        for row in rows
        if len(row) == len(_GPU_FIELDS)
    ]


@dataclass(frozen=True)
class _Meter:
    """Processor seconds so far: of the whole machine, and of this process."""

    at: float
    machine: float
    own: float

    @classmethod
    def read(cls) -> _Meter:
        times, own = psutil.cpu_times(), psutil.Process().cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        return cls(perf_counter(), sum(times[:8]) - idle, own.user + own.system)


class Watch:
    """Notes what else the machine does while a ``with`` block runs, and at which clocks.

    Attributes
    ----------
    conditions
        After the block: device, threads, load average before, the number of cores that other processes kept busy,
        clock rates, and whether TensorFloat-32 was on.
    """

    def __init__(self, model: Model, threads: int) -> None:
        self.conditions: dict[str, Any] = {}
        self._model = model
        self._threads = threads
        self._load = 0.0
        self._meter = _Meter.read()

    def __enter__(self) -> Watch:
        self._load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        self._meter = _Meter.read()
        return self

    def __exit__(self, *problem: object) -> None:
        before, after = self._meter, _Meter.read()
        others = (after.machine - before.machine) - (after.own - before.own)
        frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
        self.conditions = {
            "device_name": device_name(self._model.framework, self._model.device),
            "threads": self._threads,
            "load_before": round(self._load, 2),
            "others_busy_cores": round(max(0.0, others / max(after.at - before.at, 1e-6)), 2),
            "cpu_mhz": None if frequency is None else round(frequency.current),
            "tensor_float_32": tensor_float_32(self._model.framework),
            "gpu": _gpu_of(self._model),
        }


def _gpu_of(model: Model) -> dict[str, Any] | None:
    """Return the facts of the GPU that a model is on, as they are now, right after the work."""
    if model.on_cpu:
        return None
    gpus, number = gpu_facts(), model.device.rpartition(":")[2]
    index = int(number) if number.isdigit() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if index < len(visible) and visible[index].strip().isdigit():
        index = int(visible[index])  # nvidia-smi counts those that are hidden too
    return gpus[index] if index < len(gpus) else None


def _number(word: str) -> Any:
    try:
        return float(word)
    except ValueError:
        return word
