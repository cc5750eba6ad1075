"""What a canary tries in a process that is not trusted: everything that it must not be able to do.

Only the standard library is imported here.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def tried(text: str) -> None:
    """Try all, and print as JSON what came of each: nothing where it worked, else the error.

    Parameters
    ----------
    text
        JSON: the places and numbers of what lies outside.
    """
    outside = json.loads(text)
    found: dict[str, str | None] = {}
    for name, attempt in (ALLOWED | FORBIDDEN).items():
        try:
            attempt(outside)
            found[name] = None
        except (OSError, ValueError, MemoryError) as error:
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"tried": found, "environment": sorted(os.environ)}), flush=True)
    try:
        os.execv("/bin/true", ["true"])
    except OSError as error:
        print(json.dumps(str(error)), flush=True)


def _read(outside: Mapping[str, Any]) -> None:
    Path(outside["file"]).read_bytes()


def _list(outside: Mapping[str, Any]) -> None:
    if Path(outside["file"]) not in Path(outside["folder"]).iterdir():
        raise OSError("it is not there")


def _write(outside: Mapping[str, Any]) -> None:
    Path(outside["folder"], "written").write_text("x", encoding="ascii")


def _overwrite(outside: Mapping[str, Any]) -> None:
    with Path(outside["file"]).open("r+b") as file:
        file.write(b"x")


def _cut(outside: Mapping[str, Any]) -> None:
    os.truncate(outside["file"], 0)


def _remove(outside: Mapping[str, Any]) -> None:
    Path(outside["removable"]).unlink()


def _mode(outside: Mapping[str, Any]) -> None:
    Path(outside["file"]).chmod(0o777)


def _times(outside: Mapping[str, Any]) -> None:
    os.utime(outside["file"], (0, 0))


def _network(outside: Mapping[str, Any]) -> None:
    with socket.socket() as one:
        one.settimeout(2)
        one.connect(("127.0.0.1", outside["port"]))


def _service(outside: Mapping[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(2)
        one.connect(outside["socket"])


def _hidden_service(outside: Mapping[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(2)
        one.connect("\0" + outside["abstract"])


def _fork(outside: Mapping[str, Any]) -> None:
    if os.fork() == 0:
        os._exit(0)


def _signal(outside: Mapping[str, Any]) -> None:
    os.kill(outside["process"], 0)
    # A number of its own namespace may be taken by another.
    if not Path(f"/proc/{outside['process']}/cmdline").read_bytes():
        raise OSError("it is another process")


def _environment(outside: Mapping[str, Any]) -> None:
    if outside["secret"].encode() not in Path(f"/proc/{outside['process']}/environ").read_bytes():
        raise OSError("it is another process")


def _memory_of_others(outside: Mapping[str, Any]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.ptrace(0x4206, outside["process"], 0, 0):  # PTRACE_SEIZE, which does not stop it
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _raise_limits(outside: Mapping[str, Any]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))


def _outlive(outside: Mapping[str, Any]) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(1, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _much_memory(outside: Mapping[str, Any]) -> None:
    mmap.mmap(-1, 2 * outside["memory"], flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()


def _lasting_memory(outside: Mapping[str, Any]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    kept = library.shmget(0, 4096, 0o1600)
    if kept < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    library.shmctl(kept, 0, None)


def _hidden_memory(outside: Mapping[str, Any]) -> None:
    os.close(os.memfd_create("hidden"))


def _new_namespace(outside: Mapping[str, Any]) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _scratch(outside: Mapping[str, Any]) -> None:
    place = Path.home() / "kept"
    place.write_text("x", encoding="ascii")
    place.unlink()


def _own_file(outside: Mapping[str, Any]) -> None:
    Path(outside["own"]).read_bytes()


def _chance(outside: Mapping[str, Any]) -> None:
    Path("/dev/urandom").open("rb").close()


Attempt = Callable[[Mapping[str, Any]], None]

ALLOWED: dict[str, Attempt] = {
    "use its scratch folder": _scratch,
    "read what it is given": _own_file,
    "draw random numbers": _chance,
}
"""What must work, or that nothing else does would mean nothing."""

FORBIDDEN: dict[str, Attempt] = {
    "read a file outside": _read,
    "list a folder outside": _list,
    "write a file outside": _write,
    "overwrite a file outside": _overwrite,
    "cut off a file outside": _cut,
    "remove a file outside": _remove,
    "change the mode of a file outside": _mode,
    "change the times of a file outside": _times,
    "connect over the network": _network,
    "connect to a service by its path": _service,
    "connect to a service by its hidden name": _hidden_service,
    "start a process": _fork,
    "signal a process outside": _signal,
    "read the environment of a process outside": _environment,
    "look into a process outside": _memory_of_others,
    "raise its limits": _raise_limits,
    "outlive who started it": _outlive,
    "take more memory than its limit": _much_memory,
    "take memory that outlasts it": _lasting_memory,
    "take memory that nobody counts": _hidden_memory,
    "make a namespace of its own": _new_namespace,
}
"""What must not."""
