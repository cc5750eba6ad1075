"""One made-up site for all tests of its pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsers import browsed, chromium  # noqa: F401  (fixtures)
from made_boards import made_board

from heatmark.leaderboards.site.site import write_site
from heatmark.leaderboards.standings.standings import Standings


@pytest.fixture(scope="session")
def standings(tmp_path_factory: pytest.TempPathFactory) -> Standings:
    return Standings.of_run(made_board(tmp_path_factory.mktemp("run") / "made"))


@pytest.fixture(scope="session")
def site(standings: Standings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(standings, folder)
    return folder
