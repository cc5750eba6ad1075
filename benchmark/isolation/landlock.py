"""Landlock: from now on a process reaches only the files that are named, whoever it runs as.

Only the standard library is imported here: the rules are set before anything else is.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

LEAST_VERSION = 3
"""The first with which a file cannot be cut off either (Linux 6.2)."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_BENEATH = 1
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEVICE = 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_OF_FILES = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
"""The rights that a rule about a single file may name; the first is to execute it."""
_RIGHTS = {3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Every right that a version knows of files, by the first version that does."""
_CONNECT_AND_BIND = 0b11
_SIGNALS_AND_SOCKETS = 0b11


def version() -> int:
    """Return the kernel's version of Landlock, 0 where it has none."""
    try:
        found = ctypes.CDLL(None, use_errno=True).syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)
    except (OSError, AttributeError):
        return 0
    return max(0, int(found))


def restrict_files(readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path] = ()) -> None:
    """Let this process read, write and use no other files than these, for good. Programs it may not execute at all.

    Raises
    ------
    OSError
        If the kernel does not take the rules.
    """
    known = version()
    if known < LEAST_VERSION:
        raise OSError(f"Landlock of version {LEAST_VERSION} is needed, and the kernel has {known}")
    every = _RIGHTS[5 if known >= 5 else 3]
    fields = [every, *([_CONNECT_AND_BIND] if known >= 4 else []), *([_SIGNALS_AND_SOCKETS] if known >= 6 else [])]
    asked = struct.pack(f"<{len(fields)}Q", *fields)
    rules = _call(_CREATE, asked, ctypes.c_size_t(len(asked)), 0)
    try:
        for paths, rights in (
            (readable, _READ_FILE | _READ_DIR),
            (writable, every & ~1),
            (devices, _READ_FILE | _WRITE_FILE | (_IOCTL_DEVICE & every)),
        ):
            for path in paths:
                _allow(rules, path, rights)
        if ctypes.CDLL(None, use_errno=True).prctl(38, 1, 0, 0, 0):  # no way to more privileges
            raise OSError(ctypes.get_errno(), "the process cannot give up the way to more privileges")
        _call(_RESTRICT, ctypes.c_int(rules), 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if path.is_dir() else rights & _OF_FILES
        _call(_ADD, ctypes.c_int(rules), _BENEATH, struct.pack("<Qi", allowed, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    found = library.syscall(number, *arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), f"Landlock refuses a rule ({os.strerror(ctypes.get_errno())})")
    return int(found)
