"""What heatmark logs and warns of, shown on standard error as plain lines."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

from ...models.importing import keep_imports_quiet

PACKAGE = __name__.partition(".")[0]
ROOT = Path(__file__).resolve().parents[2]


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

    def formatted(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if Path(filename).resolve().is_relative_to(ROOT):
            return f"{PACKAGE}: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = formatted
