"""Starting a process of some level."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from time import time
from typing import Literal

import psutil

from . import bubblewrap, reading
from .confining import Confinement
from .limits import Limits

Level = Literal["bubblewrap", "landlock", "none"]
LEVELS: tuple[Level, ...] = ("bubblewrap", "landlock", "none")
"""How far code that is not trusted is kept apart, the strongest first; ``none``: in a process of its own, no more."""

_GRACE_SECONDS = 5.0
_SCRATCH = "heatmark-scratch-"
_OLD_SECONDS = 86_400.0
"""A folder that is younger may be another container's, whose processes are not seen from here."""
_INSIDE = f"{__package__}.confining"
_OF_PROCESSES = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory")
"""What frameworks ask of the kernel, where a process sees that of all others too."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_GPU_DEVICES = ("/dev/nvidia*", "/dev/dxg", "/dev/kfd", "/dev/dri")
_GPU_FACTS = ("/sys", "/proc/driver")


@dataclass(frozen=True)
class Launched:
    """A process that was started, and its scratch folder where that is one of this machine's."""

    process: subprocess.Popen[bytes]
    scratch: Path | None

    def end(self) -> None:
        """End the process with all that it started, however they stand, and remove its scratch folder."""
        family: list[psutil.Process] = []
        with suppress(psutil.Error):
            family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for member in family:
            with suppress(psutil.Error):
                member.kill()
        self.process.wait()
        psutil.wait_procs(family, _GRACE_SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)


def launched(
    level: Level, what: Sequence[str], *, readable: Iterable[Path] = (), limits: Limits, gpu: bool = False
) -> Launched:
    """Start a process that gives up what its level and its limits say, then does ``what``; see `confining.main`.

    Its standard streams are pipes. It ends with this process.

    Parameters
    ----------
    level
        How it is kept apart.
    what
        Words for it.
    readable
        What it may read besides code.
    limits
        What it may use.
    gpu
        Whether it may use an accelerator.
    """
    scratch = None if level == "bubblewrap" else _scratch_folder()
    place = bubblewrap.SCRATCH if scratch is None else str(scratch)
    gpu_devices = [Path(name) for pattern in _GPU_DEVICES for name in glob(pattern)] if gpu else []  # noqa: PTH207 - no folder to start from
    paths = reading.outermost([*reading.code(), *readable, *(map(Path, _GPU_FACTS) if gpu else ())])
    environment = reading.environment(place, on_cpu=not gpu)
    confinement = Confinement(
        level,
        place,
        tuple(map(str, (*paths, *_OF_PROCESSES))) if level == "landlock" else (),
        tuple(map(str, (*_DEVICES, *gpu_devices))) if level == "landlock" else (),
        None if gpu else limits.memory_bytes,  # drivers of accelerators map far more than they use
        limits.open_files,
        limits.threads if level == "bubblewrap" else None,
        0 if level == "bubblewrap" else os.getpid(),
    )
    words = [sys.executable, "-P", "-m", _INSIDE, confinement.text, *what]
    if level == "bubblewrap":
        words = bubblewrap.command(
            words,
            readable=paths,
            devices=gpu_devices,
            scratch_bytes=limits.scratch_bytes,
            environment=environment,
        )
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=place if scratch is not None else "/",
        env=environment,
        start_new_session=True,
    )
    return Launched(process, scratch)


def _scratch_folder() -> Path:
    """Make a scratch folder, and remove those that were left behind when processes like this one were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        owner = left.name.removeprefix(_SCRATCH).partition("-")[0]
        with suppress(OSError):
            old = time() - left.stat().st_mtime > _OLD_SECONDS
            if owner.isdigit() and old and not psutil.pid_exists(int(owner)):
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-"))
