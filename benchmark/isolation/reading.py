"""What a process that is not trusted may read: Python, the installed packages, heatmark's code, and its own file."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives")
"""What programs need of the system: no settings, no names of users, no keys."""

PARTS = ("benchmark", "datasets", "methods", "metrics", "models")
"""The folders of the package that explaining needs; results, documents and tests stay outside."""


def package() -> Path:
    """Return heatmark's own folder."""
    return Path(__file__).resolve().parents[2]


def code() -> tuple[Path, ...]:
    """Return what is to be read so that Python, the frameworks and heatmark can be imported."""
    home = package()
    own = [*home.glob("*.py"), *(home / part for part in PARTS)]
    return _existing([*map(Path, SYSTEM), *_python(), *_installed(), *own])


def environment(scratch: str, cache: str, threads: int | None) -> dict[str, str]:
    """Return the environment of the process: nothing of this one's but how frameworks are to behave."""
    told = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith(("TF_", "ONEDNN_"))}
    if threads is not None:
        told["OMP_NUM_THREADS"] = str(threads)
    return {
        **told,
        "HOME": scratch,
        "TMPDIR": scratch,
        "USER": "nobody",
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": str(package().parent),
        "MPLBACKEND": "Agg",
        "HEATMARK_CACHE": cache,
    }


_PASSED = frozenset(
    {
        "ATEN_CPU_CAPABILITY",
        "CUDA_DEVICE_ORDER",
        "CUDA_VISIBLE_DEVICES",
        "KERAS_BACKEND",
        "MKL_ENABLE_INSTRUCTIONS",
        "OMP_NUM_THREADS",
    }
)


def _python() -> Iterable[Path]:
    """Yield the interpreter's own folders."""
    yield Path(sys.executable)
    yield Path(os.path.realpath(sys.executable))
    yield Path(sys.prefix)
    yield Path(sys.base_prefix)


def _installed() -> Iterable[Path]:
    """Yield the folders of installed packages."""
    yield Path(sysconfig.get_path("purelib"))
    yield Path(sysconfig.get_path("platlib"))
    for entry in sys.path:
        if Path(entry).name in ("site-packages", "dist-packages"):
            yield Path(entry)


def _existing(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the paths that exist, each once, without those that lie in another."""
    found: list[Path] = []
    for path in sorted({path.absolute() for path in paths if path.exists()}, key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(outer) and not outer.is_symlink() for outer in found):
            found.append(path)
    return tuple(found)
