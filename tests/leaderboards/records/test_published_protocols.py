"""The suites of published protocols: they name what the sources have, run, and are shown beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_runs import held_run

from heatmark.benchmark.run import run
from heatmark.benchmark.running import execution
from heatmark.benchmark.store.cell import score_column
from heatmark.benchmark.suite import load_suite
from heatmark.errors import StorageError
from heatmark.leaderboards.records import official
from heatmark.leaderboards.records.packing import pack_runs
from heatmark.leaderboards.records.published import list_published, published
from heatmark.leaderboards.records.published_matching import compare_published, with_official
from heatmark.leaderboards.records.published_page import published_page
from heatmark.leaderboards.records.published_words import measured_texts
from heatmark.models.devices import installed_frameworks
from heatmark.selection import parse_selection

SUITES = [load_suite(name) for name in ("published", "published-label", "published-order", "published-series")]
PHOTOGRAPHS = {"model": "efficientnet-lite0", "dataset": "imagenet-samples"}


def test_the_suites_measure_every_published_protocol_with_every_method_that_heatmark_has():
    """A protocol is a preset, or a metric with its parameters; an aggregator that tells no protocol has none."""
    wanted = {
        (column.metric, row.entry, table.target or "predicted")
        for paper in list_published()
        if paper.name != "wizwand"
        for table in paper.tables
        for column in table.columns
        for row in table.rows
        if row.entry and "[" in column.metric and table.data_entry
    }
    assert len(wanted) > 40
    for metric, method, target in wanted:
        (suite,) = [one for one in SUITES if metric in one.metrics]
        # Of RISE each source has masks of its own, or does not tell them.
        name = parse_selection(method).name
        assert method in suite.methods or name in {
            parse_selection(text).name for text in suite.methods if name == "rise"
        }
        assert suite.target == target, (metric, method)
    assert published("rise").tables[0].rows[0].entry in SUITES[0].methods
    named = {metric for metric, _, _ in wanted}
    assert {metric for suite in SUITES for metric in suite.metrics} == named


def test_a_suite_runs_on_a_small_network_and_stands_beside_the_papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(execution, "examined", lambda *parts, **options: ())  # asked by tests of its own
    made = run(
        "published", models="small-cnn", data="digits", methods="grad_cam,layer_cam", limit=3,
        frameworks=installed_frameworks()[0], out=tmp_path / "run", device="cpu", engine="serial", progress=False,
    )  # fmt: skip
    (cell,) = [one for one in made.store.cells() if one.spec.method == "layer_cam"]
    found = compare_published(made.path, "torch-cam")
    (drop, _) = [one for one in found.beside if one.table.name == "resnet18" and one.row.method == "LayerCAM"]
    assert drop.metric_is_theirs and drop.ours.samples == 3
    assert drop.ours.mean == pytest.approx(cell.table[score_column("average_drop[torchcam]")].mean() / 100)
    assert drop.differing == ("model", "dataset") and drop.untold == ("count",)


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An official version with a board, and a run by published protocols that is on no board."""
    monkeypatch.setattr(official, "OFFICIAL", tmp_path / "official")
    folder = tmp_path / "official" / "v1"
    board = held_run(tmp_path / "quick", ["grad_cam"], ["average_drop"], [np.full(20, 30.0)], **PHOTOGRAPHS)
    pack_runs([board], folder / "board")
    scores = [np.linspace(0.1, 0.3, 20), np.linspace(0.5, 0.7, 20)]
    rise = held_run(
        tmp_path / "published",
        ["rise[cells=10,masks=5000,probability=0.1]"],
        ["deletion[rise]", "insertion[rise]"],
        scores,
        **PHOTOGRAPHS,
    )
    pack_runs([rise], folder / "published" / "published", curves=False)
    return folder


def test_what_was_measured_by_published_protocols_is_shown_with_what_differs(version: Path):
    assert official.official_runs() == [version / "board"]
    papers = with_official([published("rise")], "v1")
    (said,) = measured_texts(papers[0].tables[0])
    # Student's t of 19 degrees of freedom is 2.093; the spread of 20 even steps over 0.2 is 0.06228.
    reach = 2.093 * np.std(np.linspace(0.1, 0.3, 20), ddof=1) / np.sqrt(20)
    assert reach == pytest.approx(0.0291, abs=1e-4)
    assert said == (
        "RISE 0.2 [0.1709, 0.2291] (Deletion ↓), RISE 0.6 [0.5709, 0.6291] (Insertion ↑): differs in model "
        "(efficientnet-lite0, published torchvision:resnet50@IMAGENET1K_V1), dataset (imagenet-samples, published "
        "imagenet-1k), count (20 samples, published 10,000). Made by: heatmark run held --out results/published"
    )
    page = published_page(papers)
    assert "**Measured here:**" in page and "RISE 0.2 [0.1709, 0.2291]" in page.replace("\\", "")


def test_the_word_official_has_them_beside_published_numbers_and_one_of_its_runs_has_not(version: Path):
    found = compare_published("official", "rise")
    assert [one.ours.mean for one in found.beside] == [pytest.approx(0.2), pytest.approx(0.6)]
    assert found.beside[0].differing == ("model", "dataset", "count")
    pack_runs([version / "board"], version / "second")
    alone = compare_published(version / "second", "rise")
    assert alone.runs == (str(version / "second"),) and not alone.beside


def test_a_version_without_them_is_as_it_was(version: Path):
    for path in sorted((version / "published").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert not compare_published("official", "rise").beside
    assert not with_official([published("rise")])[0].tables[0].rows[0].measured
    with pytest.raises(StorageError, match="no official results v2"):
        official.official_runs("v2")
