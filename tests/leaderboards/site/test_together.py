"""What the site says of many at once: the win matrix, the standing across tasks, published results."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from made_runs import THREE, made_run, provenance, rows, specification

from heatmark.benchmark.store.cell import rows_schema
from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.across.overall import overall
from heatmark.leaderboards.records.published_matching import compare_published
from heatmark.leaderboards.records.published_terminal import result_text
from heatmark.leaderboards.report.overall import columns, summary
from heatmark.leaderboards.site.catalogue import Catalogue
from heatmark.leaderboards.site.entries import task_networks
from heatmark.leaderboards.site.site import write_site
from heatmark.leaderboards.standings.standings import Standings
from heatmark.leaderboards.statistics.wins import win_matrix
from heatmark.leaderboards.writing.numbers import whole_percent


def matrix(page):
    """The shares in percent and which pairs are told apart, as the page shows them."""
    texts, told = page.evaluate(
        """() => {
          const rows = [...document.querySelectorAll(".matrix tbody tr")].map(row => [...row.querySelectorAll("td")]);
          const each = of => rows.map(row => row.map(of));
          return [each(cell => cell.textContent), each(cell => cell.className === "told")];
        }"""
    )
    return np.array(texts), np.array(told)


def agree(page, share, p):
    found, told = matrix(page)
    assert found.shape == share.shape
    off = ~np.eye(len(share), dtype=bool)
    assert found[off].tolist() == [whole_percent(one) for one in share[off]]
    assert (told[off] == (p <= 0.05)[off]).all()
    assert (np.diag(found) == "").all()


def test_the_win_matrix_is_that_of_the_tables(site, standings, browsed):
    for _, table, data in Catalogue(standings).settings:
        page = browsed.open(site / "wins.html", f"task={data}")
        placed = [number for number, row in enumerate(table.rows) if row.place is not None]
        agree(page, *(one[np.ix_(placed, placed)] for one in table.wins))


def test_a_metrics_win_matrix_is_ordered_by_its_ranks(site, standings, browsed):
    catalogue = Catalogue(standings)
    _, table, data = catalogue.settings[0]
    for place, metric in enumerate(table.metrics):
        slug = catalogue.metrics[catalogue.metric_numbers[metric.id]].slug
        page = browsed.open(site / "wins.html", f"task={data}&metric={slug}")
        ranks = {row.method.id: row.values[place].rank for row in table.rows}
        methods = [run.method for run in table.results.methods]
        rows = sorted(table.rows, key=lambda row: ranks[row.method.id])
        order = [methods.index(row.method.id) for row in rows if np.isfinite(ranks[row.method.id])]
        share, p = win_matrix(table.results.scores[place], bool(metric.higher_is_better))
        agree(page, share[np.ix_(order, order)], p[np.ix_(order, order)])


def test_a_share_leads_to_its_pair(site, browsed):
    page = browsed.open(site / "wins.html")
    page.locator(".matrix td a").first.click()
    page.wait_for_selector("#scatter circle")
    assert re.search("compare.html#task=.*&a=.*&b=.*", page.evaluate("location.href"))


def test_the_standing_across_tasks_is_that_of_python(site, standings, browsed):
    page = browsed.open(site / "index.html")
    found = overall(standings)
    cells = page.locator(".overall tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent))"
    )
    laid = [column for column in columns(found) if column.head != "method"]
    assert cells == [[column.text(row) for column in laid] for row in found.rows]
    for sentence in summary(found):
        assert sentence in page.locator(".overall").inner_text()
    assert page.locator(".overall tr.unplaced").count() == 1  # RISE has no result on one task
    page.locator(".overall input").check()
    assert not page.locator(".overall tr.unplaced").is_visible()


def test_published_values_stand_beside_ours(site, standings, browsed):
    found = compare_published([store.path for store in standings.stores])
    assert found.beside
    page = browsed.open(site / "published.html", drawn="")
    assert page.locator("tbody tr").count() == len(found.beside)
    # Tables without a value that can be compared are folded.
    tables = {(one.paper, one.table.name) for one in found.beside if one.comparable}
    assert page.locator("details[open]").count() == len(tables)
    page.locator("details").evaluate_all("every => every.forEach(one => { one.open = true; })")
    results = page.locator("tbody tr td:last-child").all_inner_texts()
    assert results == [result_text(one) for one in found.beside]
    assert page.locator(".unseen", has_text="differs").count() == sum(len(one.differing) for one in found.beside)


@pytest.mark.parametrize("metric", ["deletion", "insertion"])
def test_curves_are_drawn_with_the_chosen_ones_strong(site, browsed, metric):
    page = browsed.open(site / "curves.html", f"metric={metric}")
    assert page.locator("#curves polyline").count() == page.locator("#legend button").count() > 0
    strong = page.locator("#legend [aria-pressed=true]").count()
    assert page.locator("#curves polygon").count() == strong
    page.locator("#legend [aria-pressed=true]").first.click()
    page.wait_for_function(f"document.querySelectorAll('#curves polygon').length === {strong - 1}")


def test_the_samples_of_a_task_are_those_of_every_framework(tmp_path, browsed):
    store, specs = RunStore.prepared(tmp_path / "run"), [specification("good", one) for one in ("torch", "tensorflow")]
    store.begin({"suite": {"name": "made"}}, specs)
    for spec in specs:
        made = rows(spec, THREE["good"]).to_pylist()
        if spec.framework == "tensorflow":  # another class of one sample, and of two none but a rounding
            made[0] |= {"predicted": 2, "target": 2, "target_probability": 0.75}
            made[1]["target_probability"] = 0.5002
        store.write(spec, pa.Table.from_pylist(made, schema=rows_schema(spec.metrics)), provenance(spec))
    page = browsed.open(write_site(Standings.of_run(store), tmp_path / "site").parent / "tasks" / "net-photos.html")
    lines = page.locator("#samples tbody tr").all_inner_texts()
    assert len(lines) == 13 and [line.split("\t") for line in lines[:3]] == [
        ["s0", "PyTorch", "not known", "tench", "tench", "50.0 %"],
        ["s0", "TensorFlow", "not known", "class 2", "class 2", "75.0 %"],
        ["s1", "PyTorch and TensorFlow", "tench", "tench", "tench", "50.0 %"],
    ]


def test_a_task_has_its_networks_examination_whatever_tells_its_tables_apart(tmp_path):
    answers = {"model": "net", "framework": "torch", "inputs": "two samples", "seconds": 0.1, "findings": []}
    for name, samples in (("few", 6), ("many", 12)):
        store = made_run(tmp_path / name, {method: scores[:, :samples] for method, scores in THREE.items()})
        spec = store.expected[0]
        about = ("model", "model_weights", "dataset", "framework", "precision", "device_class")
        store.write_examination("k", {one: getattr(spec, one) for one in about}, answers)
    board = Standings.of_runs([tmp_path / "few", tmp_path / "many"])
    tasks = Catalogue(board).tasks
    assert [task.shown for task in tasks] == ["net on photos (6 samples)", "net on photos (12 samples)"]
    for task in tasks:
        (found,) = task_networks(board, task)
        assert found.title == "net on photos · PyTorch" and found.found.inputs == "two samples"
