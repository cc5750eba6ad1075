"""One made-up site for all tests of its pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import browsed, chromium  # noqa: F401  (fixtures)
from made_boards import made_board

from heatmark.leaderboards.site.site import write_site
from heatmark.leaderboards.standings import curves
from heatmark.leaderboards.standings.standings import Standings
from heatmark.metrics.registry import Metric


@pytest.fixture(scope="session")
def standings(tmp_path_factory: pytest.TempPathFactory) -> Standings:
    return Standings.of_run(made_board(tmp_path_factory.mktemp("run") / "made"))


@pytest.fixture(scope="session")
def site(standings: Standings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")

    def read(metric: Metric, row: Mapping[str, Any], readings: object = None) -> tuple[np.ndarray, np.ndarray] | None:
        """The probability against the share of positions kept, for the metrics that are curves."""
        if metric.entry.name not in ("deletion", "insertion"):
            return None
        return np.asarray(row["band_high"]) / 64.0, np.asarray(row["band_probability"], dtype=float)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "stored_curve", read)
        write_site(standings, folder)
    return folder
