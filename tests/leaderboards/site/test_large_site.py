"""A site of 60 methods, 50 metrics and 15 tasks: small enough to be hosted anywhere, and there at once."""

from __future__ import annotations

import numpy as np
import pytest
from browsers import watched
from large_boards import large_board

from heatmark.leaderboards.site import pages, pairs
from heatmark.leaderboards.site.site import write_site
from heatmark.leaderboards.statistics.wins import Wins

MOST_BYTES = 3_000_000
MOST_SECONDS = 1.0


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")

    def even(scores, higher, complete):  # 750 win matrices take half a minute, and say nothing here
        return Wins(*(np.full((len(scores), len(scores)), 0.5) for _ in range(2)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "win_matrix", even)
        patch.setattr(pages, "published_beside", lambda standings: None)  # its run has no cells to put beside anything
        write_site(large_board(folder / "run"), folder / "site")
    return folder / "site"


def test_it_is_small_without_pictures(large):
    """Pages, code and the board; what is known sample by sample is asked for where it is looked at."""
    on_demand = ("scores", "wins", "curves", "samples")
    sizes = {
        path.relative_to(large): path.stat().st_size
        for path in large.rglob("*")
        if path.suffix in (".html", ".js", ".css")
    }
    asked = {path: size for path, size in sizes.items() if path.parts[0] == "data" and path.parts[1] in on_demand}
    assert sum(sizes.values()) - sum(asked.values()) < MOST_BYTES
    assert max(asked.values()) < 50_000
    assert len(list((large / "methods").glob("*.html"))) == 61 and len(list((large / "tasks").glob("*.html"))) == 16


def test_its_first_view_is_there_within_a_second(large, chromium):
    seconds = []
    for _ in range(3):  # the machine may be busy with something else at one moment
        page = watched(chromium).open(large / "index.html")
        seconds.append(page.evaluate("performance.getEntriesByName('first-view')[0].startTime") / 1000)
        assert page.locator("#leaderboard tbody tr").count() == 60
        page.context.close()
    assert min(seconds) < MOST_SECONDS


def test_every_row_of_it_can_be_shown(large, browsed):
    page = browsed.open(large / "index.html", "model=&dataset=&framework=")
    page.wait_for_function("document.querySelectorAll('#leaderboard tbody tr').length === 900")
    assert page.locator("#count").inner_text().startswith("900 of 900 rows from 15 tables, each with ranks of its own")
