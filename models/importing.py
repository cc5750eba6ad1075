"""Importing a framework without the chatter of its native code."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def imported(framework: str) -> ModuleType:
    """Import ``torch`` or ``tensorflow`` and return it.

    TensorFlow reports on processors and drivers at import, whatever its log level says. What native code writes to
    standard error meanwhile is passed on only if the import fails.

    Raises
    ------
    ImportError
        If it is not installed or cannot be imported.
    """
    if framework in sys.modules:
        return sys.modules[framework]
    with _chatter_held_back():
        return importlib.import_module(framework)


@contextmanager
def _chatter_held_back() -> Iterator[None]:
    """Keep what is written to file descriptor 2 in a file, and write it out if the block raises."""
    try:
        original = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            except BaseException:
                held.seek(0)
                os.write(original, held.read())
                raise
            finally:
                os.dup2(original, 2)
    finally:
        os.close(original)
