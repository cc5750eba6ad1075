"""What a process that is not trusted may read, and what it is told: code, weights where it explains, and no more."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from ...errors import StorageError
from ...storage import CACHE_VARIABLE, cache_folder

SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/sys/devices/system/cpu",
)
"""What programs need of the system: no settings, no names of users, no keys."""

PARTS = ("benchmark", "datasets", "methods", "metrics", "models")
"""The folders of the package that explaining needs; results, documents and tests stay outside."""

_PASSED = frozenset(
    {
        "ATEN_CPU_CAPABILITY",
        "CUDA_DEVICE_ORDER",
        "CUDA_VISIBLE_DEVICES",
        "KERAS_BACKEND",
        "MKL_ENABLE_INSTRUCTIONS",
        "OMP_NUM_THREADS",
        "ONEDNN_MAX_CPU_ISA",
        "TF_CPP_MIN_LOG_LEVEL",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_FORCE_GPU_ALLOW_GROWTH",
    }
)
"""The variables that say how frameworks are to compute."""


def code() -> tuple[Path, ...]:
    """Return what is read so that Python, the frameworks and heatmark can be imported."""
    home = _package()
    own = [*home.glob("*.py"), *(home / part for part in PARTS)]
    return outermost([*map(Path, SYSTEM), *_python(), *_installed(), *own])


def weights(name: str) -> tuple[Path, ...]:
    """Return what is read so that a network can be loaded by its name: the weights kept here, and one's own file."""
    kept = [*_kept_here(), _torch_home() / "hub", _keras_home()]
    own = own_file(name)
    return outermost([*kept, *([] if own is None else [own])])


def own_file(name: str) -> Path | None:
    """Return the file that a name such as ``net.py:build`` or ``file:net.keras`` says, or None."""
    found = _OWN.match(name)
    return None if found is None else Path(found["code"] or found["saved"]).expanduser()


def absolute(name: str) -> str:
    """Return the name of a network with the whole path of its file, where it has one."""
    found, file = _OWN.match(name), own_file(name)
    if found is None or file is None:
        return name
    first, last = found.span("code" if found["code"] else "saved")
    return f"{name[:first]}{file.absolute()}{name[last:]}"


_OWN = re.compile(r"file:(?P<saved>[^\[]+)|(?P<code>[^\[]+\.py):")


def environment(scratch: str, *, on_cpu: bool) -> dict[str, str]:
    """Return the whole environment of the process: of this one's only how frameworks are to compute."""
    homes = {"TORCH_HOME": _torch_home(), "KERAS_HOME": _keras_home()}
    return {
        **{name: value for name, value in os.environ.items() if name in _PASSED},
        **{name: str(folder) for name, folder in homes.items() if folder.is_dir()},
        **({"CUDA_VISIBLE_DEVICES": "-1"} if on_cpu else {}),
        "HOME": scratch,
        "TMPDIR": scratch,
        "USER": "nobody",
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": os.pathsep.join(map(str, dict.fromkeys([_package().parent, *_package_folders()]))),
        "MPLBACKEND": "Agg",
        CACHE_VARIABLE: str(_kept_here()[0].parent) if _kept_here() else scratch,
    }


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the paths that exist, each once, without those that lie in another."""
    found: list[Path] = []
    for path in sorted({path.absolute() for path in paths if path.exists()}, key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(outer) and not outer.is_symlink() for outer in found):
            found.append(path)
    return tuple(found)


def _package() -> Path:
    """Return heatmark's own folder."""
    return Path(__file__).resolve().parents[2]


def _kept_here() -> tuple[Path, ...]:
    """Return the folders of the cache that hold weights; none where there can be no cache."""
    try:
        return tuple(cache_folder(name).absolute() for name in ("weights", "trained"))
    except StorageError:
        return ()


def _torch_home() -> Path:
    """Return the folder under which PyTorch keeps what it has fetched."""
    usual = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME", usual)).expanduser()


def _keras_home() -> Path:
    """Return the folder under which Keras keeps what it has fetched."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


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
    yield from _package_folders()


def _package_folders() -> list[Path]:
    """Return the folders of installed packages that are searched here, a user's own among them."""
    return [Path(entry).absolute() for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
