"""The site of heatmark's official results, as it would be hosted."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from heatmark.leaderboards.records.official import official_runs
from heatmark.leaderboards.site import pairs
from heatmark.leaderboards.site.site import write_site
from heatmark.leaderboards.standings.standings import Standings
from heatmark.leaderboards.standings.stored_maps import kept_maps
from heatmark.leaderboards.statistics.wins import Wins


@pytest.fixture(scope="module")
def official():
    # Photographs in both frameworks and series: what there is to be hosted, in half the time of all of it.
    runs = [run for run in official_runs() if run.name in ("imagenet-samples-lite0", "mnist1d-cnn-1d")]
    assert len(runs) == 2
    return Standings.of_runs(runs)


@pytest.fixture(scope="module")
def hosted(official, tmp_path_factory):
    folder, heard = tmp_path_factory.mktemp("official"), []

    def even(scores, higher, complete):  # win matrices have tests of their own, and take long
        return Wins(*(np.full((len(scores), len(scores)), 0.5) for _ in range(2)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "win_matrix", even)
        write_site(official, folder, heard.append)
    assert heard[0] == "pictures" and heard[-1] == "pages"
    assert all(any(table.setting.title in words for words in heard) for table in official.tables)
    return folder


def test_it_says_what_it_is_of_and_names_everything(official, hosted, browsed):
    version = official_runs()[0].parent.name
    page = browsed.open(hosted / "index.html")
    assert page.locator(".brand").inner_text() == f"heatmark official results {version}"
    for kind, things in (("methods", official.methods), ("metrics", official.metrics)):
        page = browsed.open(hosted / kind / "index.html", drawn="")
        words = page.locator("main").inner_text()
        assert [one.name for one in things if one.name not in words] == []
    assert {url.split(":")[0] for url in browsed.requests} <= {"file", "about"}


def test_its_packed_heatmaps_are_in_the_galleries(official, hosted, browsed):
    kept = {method: len(maps) for table in official.tables for method, maps in kept_maps(table).items()}
    assert kept and all(kept.values())
    page = browsed.open(hosted / "methods" / "saliency.html")
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.locator(".gallery img").count() >= kept["saliency"]
    assert page.evaluate("[...document.images].every(image => image.naturalWidth >= 96 && image.alt.length > 9)")
    assert {row.method.id for table in official.tables for row in table.rows if row.place is not None} <= set(kept)


def test_series_stand_before_their_heatmaps(hosted):
    folders = sorted((hosted / "pictures").glob("cnn-1d*"))
    assert folders
    alone = [path for folder in folders for path in sorted(folder.glob("*.jpg"))]
    over = [path for folder in folders for path in sorted(folder.glob("*/saliency/*.jpg"))]
    assert {path.name for path in alone} == {path.name for path in over}
    for path in (*alone, *over):
        with Image.open(path) as picture:
            assert picture.size == (224, round(0.6 * 224))
            drawn = np.asarray(picture.convert("L"), float)
            # A line crosses all but the half steps at both ends: each column has ink on it, dark on light.
            assert (np.ptp(drawn[:, 8:-8], axis=0) > 60).all()


def test_two_methods_can_be_compared_by_their_pictures(hosted, browsed):
    page = browsed.open(hosted / "compare.html")
    assert page.locator("#pictures li").count() > 0 and page.locator("#pictures li img").count() > 0
    note = page.locator("#pictures-note").inner_text()
    assert re.search(r"Pictures of \d+ of \d+ samples are kept", note)
    differences = page.locator("#samples tbody tr td:last-child").all_inner_texts()
    sizes = [abs(float(text)) for text in differences]
    assert sizes == sorted(sizes, reverse=True)
