"""Files that nobody trusts, and what runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from heatmark.benchmark.isolation import bubblewrap


@cache
def why_no_bubblewrap() -> str:
    """Return why bubblewrap does not work here; empty where it does."""
    if bubblewrap.program() is None:
        return "bubblewrap is not installed (apt-get install bubblewrap)"
    words = [bubblewrap.PROGRAM, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "true"]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"bubblewrap does not work here: {tried.stderr.strip()}"


@pytest.fixture
def bubblewrap_works() -> None:
    if reason := why_no_bubblewrap():
        pytest.skip(reason)


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a plugin of a name and a body (that of one method) and returns its path."""

    def written(name: str, text: str) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        return path

    return written
