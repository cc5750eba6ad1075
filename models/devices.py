"""Where a model runs: the spelling of devices, and the best one that is there."""

from __future__ import annotations

import importlib.metadata
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

from ..errors import BadInput, MissingExtra
from .importing import imported
from .queries import FRAMEWORKS, Framework


def installed_frameworks() -> tuple[Framework, ...]:
    """Return the frameworks that are installed, without importing them."""
    packages = {"torch": ("torch",), "tensorflow": ("tensorflow", "keras")}
    return tuple(name for name in FRAMEWORKS if all(find_spec(package) for package in packages[name]))


def package_version(name: str) -> str | None:
    """Return the installed version of a package without importing it, or None; TensorFlow has two names."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return package_version("tensorflow-cpu") if name == "tensorflow" else None


def require_framework(framework: str) -> None:
    """Raise MissingExtra with the command that installs a framework, unless it is there; BadInput for another name."""
    if framework not in FRAMEWORKS:
        raise BadInput(f"Unknown framework {framework!r}: choose one of {', '.join(FRAMEWORKS)}.")
    here = installed_frameworks()
    if not here:
        raise MissingExtra(
            "Neither PyTorch nor TensorFlow is installed. Install one of them with: pip install 'heatmark[torch]' or "
            "pip install 'heatmark[tensorflow]'"
        )
    if framework not in here:
        title = {"torch": "PyTorch", "tensorflow": "TensorFlow"}[framework]
        raise MissingExtra(f"{title} is not installed. Install it with: pip install 'heatmark[{framework}]'")


def resolved_device(framework: Framework, device: str) -> str:
    """Return the device in the framework's spelling.

    Parameters
    ----------
    framework
        ``torch`` or ``tensorflow``, which gets imported.
    device
        ``auto`` (the first GPU, else the processor), ``cpu``, ``cuda``, ``gpu``, ``cuda:1``, or a resolved name.

    Raises
    ------
    BadInput
        If there is no such device, with those that there are.
    """
    wanted = device.lower().lstrip("/").removeprefix("device:").replace("gpu", "cuda")
    kind, _, index = wanted.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and not index.isdigit()):
        raise BadInput(f"Unknown device {device!r}: choose auto, cpu, cuda or cuda:N.")
    found = _torch_gpus() if framework == "torch" else _tensorflow_gpus()
    if kind == "cpu" or (kind == "auto" and not found):
        return "cpu" if framework == "torch" else "/CPU:0"
    number = int(index or 0)
    if number >= found:
        message = f"There is no device {device!r}: {framework} sees {found} GPU(s). Use --device cpu or auto."
        if framework == "tensorflow" and not found:
            message += " TensorFlow needs CUDA's libraries of its own version: pip install 'tensorflow[and-cuda]'."
        raise BadInput(message)
    return f"cuda:{number}" if framework == "torch" else f"/GPU:{number}"


def creation_on(framework: Framework, device: str) -> AbstractContextManager[Any]:
    """Return a context in which a network's variables are made on a resolved device; PyTorch's move there later."""
    if framework == "torch":
        return nullcontext()
    context: AbstractContextManager[Any] = imported("tensorflow").device(device)
    return context


def device_name(framework: Framework, device: str) -> str:
    """Return what a leaderboard calls the device: ``cpu``, or the GPU's product name."""
    if "cpu" in device.lower():
        return "cpu"
    if framework == "torch":
        import torch

        return str(torch.cuda.get_device_name(device))
    import tensorflow as tf

    gpu = tf.config.list_physical_devices("GPU")[int(device.rpartition(":")[2])]
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))


def set_threads(framework: str, threads: int) -> None:
    """Bind a freshly imported framework to so many threads, so that workers side by side do not fight for cores."""
    if framework == "torch":
        import torch

        torch.set_num_threads(threads)
    else:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)


def _torch_gpus() -> int:
    torch = imported("torch")
    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


@cache
def _tensorflow_gpus() -> int:
    """Return the number of GPUs, letting TensorFlow take their memory as it needs it rather than all at once."""
    tf = imported("tensorflow")
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            break  # already in use: whoever came first has decided
    return len(gpus)
