"""The first level: bubblewrap, which gives a process namespaces of its own with nothing in them but what is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

PROGRAM = "bwrap"
SCRATCH = "/heatmark-scratch"
"""Where the process has its scratch folder, which is memory and gone with it."""
_NOBODY = "65534"


def program() -> str | None:
    """Return where bubblewrap is, or None where it is not installed."""
    return shutil.which(PROGRAM)


def command(
    inner: Sequence[str],
    *,
    readable: Iterable[Path],
    devices: Iterable[Path],
    scratch_bytes: int,
    environment: Mapping[str, str],
) -> list[str]:
    """Return the command that runs ``inner`` with namespaces of its own.

    It has no network but a loopback that leads nowhere, sees no process but its own, cannot gain privileges, and can
    write to its scratch folder only.

    Parameters
    ----------
    inner
        The program and its arguments.
    readable
        Files and folders of this machine, seen at their own places.
    devices
        Of an accelerator.
    scratch_bytes
        The size of its scratch folder.
    environment
        All of it.
    """
    words = [program() or PROGRAM, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]
    words += ["--uid", _NOBODY, "--gid", _NOBODY, "--hostname", "heatmark", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path in sorted(readable, key=lambda path: len(path.parts)):
        words += _bound(path)
    for path in devices:
        words += ["--dev-bind-try", str(path), str(path)]
    # /dev is memory too, and a folder for shared memory in it would have no bound.
    for folder in (SCRATCH, "/dev/shm"):
        words += ["--size", str(scratch_bytes), "--tmpfs", folder]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", SCRATCH, "--", *inner]


def _bound(path: Path) -> Iterator[str]:
    """Yield the words that show a path; a link is made again, as what it leads to is shown at its own place."""
    if path.is_symlink():
        yield from ("--symlink", str(path.readlink()), str(path))
    else:
        yield from ("--ro-bind", str(path), str(path))
