"""Whether code that nobody trusts can be kept apart here."""

from __future__ import annotations

import os

import pytest

from heatmark.benchmark.isolation.levels import Level, why_not

REQUIRED = "HEATMARK_NEEDS_SANDBOX"
"""Where this is set (`.ci/run` does), a level that does not work is a failure instead of a reason to skip."""


def need(level: Level) -> None:
    """Skip, or fail, where a level does not keep its promises here."""
    if reason := why_not(level):
        words = f"{level}: {reason}"
        if os.environ.get(REQUIRED) and level == "bubblewrap":
            pytest.fail(words)
        pytest.skip(words)
