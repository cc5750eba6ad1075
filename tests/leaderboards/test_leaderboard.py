"""The leaderboard of synthetic runs, written and read through the real store."""

from __future__ import annotations

import csv
import re
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_runs import (  # noqa: F401  (autouse fixtures among them)
    METRICS,
    SAMPLES,
    THREE,
    known_entries,
    made_run,
    provenance,
    rows,
    spaced,
    specification,
    stored_curves,
)
from rich.console import Console

from heatmark.benchmark.store.folder import RunStore
from heatmark.errors import StorageError
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.report.terminal import _heading, _width, folded
from heatmark.leaderboards.standings import standings as standings_module
from heatmark.leaderboards.standings.registered import MetricFacts


def test_directions_decide_the_order(tmp_path):
    made_run(tmp_path, THREE)
    table = leaderboard(tmp_path).tables[0]
    assert [row.method.id for row in table.rows] == ["good", "fair", "random"]
    assert [row.place for row in table.rows] == [1, 2, 3]
    assert [[value.rank for value in row.values] for row in table.rows] == [[1, 1], [2, 2], [3, 3]]
    assert [str(row.tied) for row in table.rows] == ["1", "2", "3"]


def test_a_metric_without_known_direction_is_shown_but_not_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(
        standings_module,
        "metric_facts",
        lambda text, identity: MetricFacts(text, "", None if text == "insertion" else False),
    )
    made_run(tmp_path, THREE)
    table = leaderboard(tmp_path).tables[0]
    assert table.counted == (True, False)
    assert [row.mean_rank for row in table.rows] == [1, 2, 3]
    assert np.isnan(table.rows[0].values[1].rank)
    assert table.rows[0].values[1].mean == pytest.approx(THREE["good"][1].mean())


@pytest.mark.parametrize("how", ["missing", "failed"])
def test_an_incomplete_method_is_listed_but_not_ranked(tmp_path, how):
    store = made_run(tmp_path, THREE, **{how: ("good",)})
    table = leaderboard(store).tables[0]
    assert [(row.method.id, row.place) for row in table.rows] == [("fair", 1), ("random", 2), ("good", None)]
    last = table.rows[-1]
    assert last.coverage.samples == 0
    assert last.coverage.expected_samples == SAMPLES
    assert last.coverage.failed == (how == "failed")
    assert last.why_unplaced.startswith("0 of 1 cells")
    assert np.isnan(last.mean_rank)


def test_a_method_with_some_cells_has_means_but_no_rank(tmp_path):
    store = RunStore.prepared(tmp_path)
    half = SAMPLES // 2
    specs = [specification(name, first=f, last=f + half) for name in THREE for f in (0, half)]
    store.begin({"suite": {"name": "made"}}, specs)
    for spec in specs:
        if (spec.method, spec.first) != ("good", half):
            store.write(spec, rows(spec, THREE[spec.method][:, spec.first : spec.last]), provenance(spec))
    table = leaderboard(tmp_path).tables[0]
    assert [(row.method.id, row.place) for row in table.rows] == [("fair", 1), ("random", 2), ("good", None)]
    good = table.rows[-1]
    assert good.coverage.text == f"{half}/{SAMPLES}"
    assert good.values[0].mean == pytest.approx(THREE["good"][0, :half].mean())
    assert good.values[0].samples == half
    assert np.isnan(good.values[0].rank)
    # The others are ranked on all samples: the incomplete method takes none away.
    assert table.rows[0].values[0].samples == SAMPLES


def test_shards_and_a_single_cell_give_the_same_board(tmp_path):
    made_run(tmp_path / "whole", THREE)
    store = RunStore.prepared(tmp_path / "cut")
    specs = [specification(name, first=f, last=f + 4) for f in (8, 0, 4) for name in THREE]
    store.begin({"suite": {"name": "made"}}, specs)
    for spec in specs:
        store.write(spec, rows(spec, THREE[spec.method][:, spec.first : spec.last]), provenance(spec))
    keep = [
        "method",
        "metric",
        "mean",
        "low",
        "high",
        "rank",
        "mean_rank",
        "mean_rank_low",
        "place",
        "seconds_per_image",
    ]
    whole, cut = (leaderboard(tmp_path / name).frame[keep] for name in ("whole", "cut"))
    pd.testing.assert_frame_equal(whole, cut)


def test_seeds_are_averaged_per_sample(tmp_path):
    store = RunStore.prepared(tmp_path)
    specs = [specification("good", seed=seed) for seed in (0, 1)]
    store.begin({"suite": {"name": "made"}}, specs)
    for spec in specs:
        store.write(spec, rows(spec, spaced(spec.seed, spec.seed)), provenance(spec))
    row = leaderboard(tmp_path).tables[0].rows[0]
    assert (row.values[0].mean, row.values[0].samples) == (0.5, SAMPLES)
    assert row.coverage.text == f"{2 * SAMPLES}/{2 * SAMPLES}"


def test_cost_and_degenerate_maps(tmp_path):
    store = RunStore.prepared(tmp_path)
    spec = specification("good")
    store.begin({"suite": {"name": "made"}}, [spec])
    store.write(spec, rows(spec, THREE["good"], degenerate=(1, 4)), provenance(spec))
    row = leaderboard(tmp_path).tables[0].rows[0]
    assert row.cost.seconds == pytest.approx(0.2)
    assert row.cost.relative == pytest.approx(4.0)
    assert (row.cost.forward, row.cost.backward) == (20, 5)
    assert row.degenerate == 2


def test_model_facts(tmp_path):
    made_run(tmp_path, THREE)
    model = leaderboard(tmp_path).tables[0].model
    # Samples 1, 4, 7, 10 of the 11 labelled ones carry the predicted class 1.
    assert (model.samples, model.unknown_labels) == (SAMPLES, 1)
    assert model.accuracy == pytest.approx(4 / 11)
    assert model.loss == pytest.approx(np.log(4))


def test_frameworks_that_disagree_are_named(tmp_path):
    store = RunStore.prepared(tmp_path)
    specs = [specification(name, framework) for framework in ("torch", "tensorflow") for name in THREE]
    store.begin({"suite": {"name": "made"}}, specs)
    for spec in specs:
        scores = THREE[spec.method].copy()
        if (spec.method, spec.framework) == ("fair", "tensorflow"):
            scores[1, 3] += 0.5
        store.write(spec, rows(spec, scores), provenance(spec))
    board = leaderboard(tmp_path)
    (agreement,) = board.agreements
    assert agreement.frameworks == ("PyTorch", "TensorFlow")
    assert [(row.method, row.metric) for row in agreement.differing] == [("fair", "insertion")]
    worst = agreement.rows[0]
    assert worst.largest == pytest.approx(0.5)
    assert worst.means[1] - worst.means[0] == pytest.approx(0.5 / SAMPLES)
    assert 0 < worst.rank_correlation < 1
    assert all(row.rank_correlation == pytest.approx(1) for row in agreement.rows[1:])
    assert agreement.largest_logit_difference == 0
    assert "fair, insertion" in shown(board)


@pytest.mark.parametrize(("size", "differing"), [(1e-7, []), (1e-3, ["fair"])])
def test_frameworks_whose_scores_part_by_rounding_agree(tmp_path, size, differing):
    # All methods have nearly one score, so that rounding alone makes the spread, or a difference of a thousandth.
    store = RunStore.prepared(tmp_path)
    specs = [specification(name, framework) for framework in ("torch", "tensorflow") for name in THREE]
    store.begin({"suite": {"name": "made"}}, specs)
    generator = np.random.default_rng(0)
    for spec in specs:
        scores = 0.4 + 1e-7 * generator.uniform(-1, 1, (len(METRICS), SAMPLES))
        if (spec.method, spec.framework) == ("fair", "tensorflow"):
            scores += size * 0.4 * generator.uniform(-1, 1, scores.shape)
        store.write(spec, rows(spec, scores), provenance(spec))
    (agreement,) = leaderboard(tmp_path).agreements
    assert sorted({row.method for row in agreement.differing}) == differing
    for row in agreement.rows:
        # Scores that vary by rounding have no order; those of one framework alone that vary are not in the other's.
        assert row.rank_correlation == 0 if row.method in differing else np.isnan(row.rank_correlation)


def test_not_applicable_methods_have_a_reason_and_no_row(tmp_path):
    made_run(tmp_path, {**THREE, "cam": THREE["good"]}, skipped=("cam",))
    board = leaderboard(tmp_path)
    assert "cam" not in [row.method.id for row in board.tables[0].rows]
    board.write()
    for name in ("leaderboard.md", "report.html"):
        assert "the model has no layers with positions" in (tmp_path / name).read_text(encoding="utf-8")


def shown(board, width=100):
    console = Console(width=width, record=True, file=StringIO())
    board.show(console)
    return console.export_text()


def test_every_output_shows_the_same_ranks(tmp_path):
    scores = {f"method_{n}": spaced(0.1 * ((n * 3) % 7), 0.1 * ((n * 5) % 7), noise=0.05, seed=n) for n in range(7)}
    made_run(tmp_path, scores, frameworks=("torch", "tensorflow"), missing=("method_6",))
    board = leaderboard(tmp_path)
    written = {path.name: path.read_text(encoding="utf-8") for path in board.write()}
    assert sorted(written) == ["leaderboard.csv", "leaderboard.md", "report.html"]
    expected = [
        (row.method.id, "-" if row.place is None else str(row.place), [value.rank for value in row.values])
        for table in board.tables
        for row in table.rows
    ]
    assert len(expected) == 14

    in_csv = list(csv.DictReader(StringIO(written["leaderboard.csv"])))
    for line, (method, place, ranks) in zip(in_csv, expected, strict=True):
        assert (line["method"], line["place"] or "-") == (method, place)
        np.testing.assert_array_equal([float(line[f"{metric}:rank"] or "nan") for metric in METRICS], ranks)

    ranked = written["leaderboard.md"].partition("## Quality against cost")[0]
    lines = [line.split(" | ") for line in ranked.splitlines() if "| method\\_" in line]
    for cells, (method, place, ranks) in zip(lines, expected, strict=True):
        assert (cells[1].replace("\\", ""), cells[0].removeprefix("| ")) == (method, place)
        found = [re.search(r"\((\S+)\)$", cell) for cell in cells[4:6]]
        assert [float(match[1]) if match else np.nan for match in found] == pytest.approx(ranks, nan_ok=True)

    body = written["report.html"].split('id="leaderboard"')[1].split("</section>")[0]
    table_rows = re.findall(r"<tr class.*?</tr>", body, flags=re.DOTALL)
    for markup, (method, place, ranks) in zip(table_rows, expected, strict=True):
        name = re.search(r'scope="row">([^<]+)', markup)[1].replace("\u200b", "")
        assert (name, re.search(r'class="place"[^>]*>([^<]+)', markup)[1]) == (method, place)
        found = re.findall(r'class="rank">\((\S+)\)<', markup)
        assert [float(rank) for rank in found] == [rank for rank in ranks if np.isfinite(rank)]

    printed = [line.split() for line in shown(board).splitlines() if re.match(r"\s*(\d+|-) +method_\d", line)]
    places = {(words[1], words[0]) for words in printed}
    assert places == {(method, place) for method, place, _ in expected}


def test_the_frame_is_tidy(tmp_path):
    made_run(tmp_path, THREE)
    frame = leaderboard(tmp_path).frame
    assert len(frame) == len(THREE) * len(METRICS)
    assert not frame.duplicated(["framework", "method", "metric"]).any()
    one = frame[(frame["method"] == "good") & (frame["metric"] == "deletion")].iloc[0]
    assert one["mean"] == pytest.approx(THREE["good"][0].mean())
    assert one["low"] < one["mean"] < one["high"]


HOSTILE = "<script>alert(1)</script>|$x_1$"


def test_names_from_others_are_shown_as_they_are(tmp_path):
    scores = {**THREE, HOSTILE: THREE["fair"], "_hidden": THREE["random"]}
    made_run(tmp_path, scores, failed=("random",))
    board = leaderboard(tmp_path)
    board.write()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;script&gt;alert(2)" in page
    assert "<b>boom</b>" not in page
    text = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "<script>" not in text
    for part in text.split("\n\n"):
        widths = {line.replace("\\|", "").count("|") for line in part.splitlines() if line.startswith("|")}
        assert len(widths) <= 1
    assert "alert(1)" in shown(board).replace("\n", "")


def test_the_report_asks_nothing_of_the_network(tmp_path):
    made_run(tmp_path, THREE, frameworks=("torch", "tensorflow"))
    leaderboard(tmp_path).write()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|srcset|data|poster)\s*=\s*["']?\s*(?!data:)(?:https?:)?//""", page)
    assert not re.findall(r"<link|@import|url\(", page)
    sources = re.findall(r'src="([^"]{12})', page)
    assert sources and all(source.startswith("data:image/") for source in sources)
    # Two photographs, three methods, two frameworks, and the photographs themselves.
    views = ("overlay", "capped", "points", "mask")
    assert page.count("data:image/jpeg") == 2 * 3 * 2 * len(views) + 2
    for view in views:
        assert page.count(f'class="view {view}"') == 2 * 3 * 2
        assert f'data-view="{view}"' in page and f'.gallery[data-view="{view}"] img.{view}' in page
    assert "tench" in page


def test_writing_twice_gives_the_same_bytes(tmp_path):
    made_run(tmp_path, THREE)
    leaderboard(tmp_path).write(tmp_path / "one")
    leaderboard(tmp_path).write(tmp_path / "two")
    for name in ("leaderboard.csv", "leaderboard.md", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("width", [72, 100, 140])
def test_terminal_tables_fit_and_drop_nothing(tmp_path, width):
    metrics = ("average_drop", "average_increase", "deletion", "insertion", "n_ord", "s_ord", "seventh_metric")
    names = (*THREE, "integrated_gradients[steps=200,baseline=white]")
    store = RunStore.prepared(tmp_path)
    specs = [specification(name, metrics=metrics) for name in names]
    store.begin({"suite": {"name": "made"}}, specs)
    for spec in specs:
        store.write(spec, rows(spec, spaced(*[-123.456] * len(metrics), noise=3)), provenance(spec))
    text = shown(leaderboard(tmp_path), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "(continued)" in text
    # One interval per method and metric, and one in the legend below.
    assert text.count("±") == len(names) * len(metrics) + 1
    for part in ("Integrated Gradients", "white,", "steps 200)", "Insertion", "seventh_"):
        assert part in text


def test_a_long_title_stands_in_one_line_above_a_narrow_table(tmp_path):
    made_run(tmp_path, THREE)
    assert "net on photos · PyTorch" in shown(leaderboard(tmp_path), 100).splitlines()


def test_a_value_with_its_interval_stays_in_one_line(tmp_path):
    made_run(tmp_path, {name: spaced(0.336, 0.9, noise=0.004, seed=number) for number, name in enumerate(THREE)})
    assert re.search(r"0\.33\d±\.00\d", shown(leaderboard(tmp_path), 100))


def test_a_value_that_the_definition_does_not_give_is_explained(tmp_path):
    note = "- the metric's definition gives no value for any of these samples"
    made_run(tmp_path / "one", {name: spaced(0.1, np.nan) for name in THREE})
    assert note in shown(leaderboard(tmp_path / "one"))
    made_run(tmp_path / "two", THREE)
    assert note not in shown(leaderboard(tmp_path / "two"))


def test_names_are_folded_where_they_may_be():
    assert folded("integrated_gradients[steps=20,baseline=white]", 20) == (
        "integrated_gradients\n[steps=20,\nbaseline=white]"
    )
    assert folded("a" * 25, 10) == "aaaaaaaaaa\naaaaaaaaaa\naaaaa"
    assert folded("random †", 8) == "random †"
    assert folded("average_increase", 9) == "average_\nincrease"
    assert folded("Occlusion (stride 32, window 32)", 20) == "Occlusion\n(stride 32,\nwindow 32)"
    assert folded("deletion[fill=blur,steps=8]", 9) == "deletion\n[fill=\nblur,\nsteps=8]"


@pytest.mark.parametrize(
    ("metric", "width", "lines"),
    [
        ("deletion", 10, "Deletion\n↓ ~"),
        ("deletion[steps=8]", 10, "Deletion\n(steps 8)\n↓ ~"),
        ("deletion[fill=blur,steps=8]", 11, "Deletion\n(fill blur,\nsteps 8)\n↓ ~"),
        ("sparseness", 10, "Sparseness\n↓ ~"),
        ("comprehensiveness", 17, "Comprehensiveness\n↓ ~"),
    ],
)
def test_no_word_of_a_metrics_name_is_broken_in_its_heading(metric, width, lines):
    facts = MetricFacts(metric, higher_is_better=False, audit=SimpleNamespace(mark="~"))
    assert (_width(facts), _heading(facts)) == (width, lines)


def test_a_run_without_results_still_has_a_board(tmp_path):
    made_run(tmp_path, THREE, missing=tuple(THREE))
    board = leaderboard(tmp_path)
    assert all(row.place is None for row in board.tables[0].rows)
    assert len(board.write()) == 3
    assert "No results yet" in shown(board)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(StorageError, match="no run"):
        leaderboard(tmp_path)
