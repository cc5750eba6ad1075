"""Files that nobody trusts, and the levels at which they are run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sandboxes import need

from heatmark.benchmark.isolation.levels import Level, strongest_level


@pytest.fixture(params=["bubblewrap", "landlock"])
def level(request: pytest.FixtureRequest) -> Level:
    """Each level that keeps code apart, if it does so here."""
    need(request.param)
    return request.param


@pytest.fixture
def strongest() -> Level:
    """The level that is taken here, for what does not depend on it."""
    if (found := strongest_level()) == "none":
        pytest.skip("no level of isolation holds here")
    return found


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a file of a name and a text and returns its path."""
    folder = tmp_path / "plugins"
    folder.mkdir()

    def written(name: str, text: str) -> Path:
        path = folder / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        return path

    return written
