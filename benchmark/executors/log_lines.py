"""What heatmark logs and warns of, shown on standard error as plain lines."""

from __future__ import annotations

import logging
import sys
import warnings
from importlib import import_module
from pathlib import Path

from ...models.importing import keep_imports_quiet

PACKAGE = __name__.partition(".")[0]


def show_notices() -> None:
    """Print heatmark's log lines and warnings as one line each; for a process of heatmark's own, not a library's.

    Warnings of other packages keep Python's form. What TensorFlow writes when it is imported is held back.
    """
    keep_imports_quiet()
    logger = logging.getLogger(PACKAGE)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(f"{PACKAGE}: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    usual = warnings.formatwarning
    # The package tells its folder itself, wherever in it this file stands.
    folders = [Path(folder).resolve() for folder in import_module(PACKAGE).__path__]

    def formatted(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        own = category.__module__.partition(".")[0] == PACKAGE  # those that point at a caller's line
        if own or any(Path(filename).resolve().is_relative_to(folder) for folder in folders):
            return f"{PACKAGE}: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = formatted
