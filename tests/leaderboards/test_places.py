"""Who has a place on a leaderboard, who shares it, and what is marked as best."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pandas as pd
import pytest
from made_runs import SAMPLES, THREE, known_entries, made_run, provenance, rows, spaced, specification, stored_curves  # noqa: F401  (autouse fixtures among them)
from rich.console import Console
from scipy import stats

from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.standings import standings as standings_module
from heatmark.leaderboards.standings.registered import MetricFacts, metric_facts


@pytest.mark.parametrize("kept", [0, 1])
def test_a_method_whose_maps_are_all_degenerate_has_no_place(tmp_path, kept):
    store = made_run(tmp_path, THREE, missing=["good"])
    spec = specification("good")
    store.write(spec, rows(spec, THREE["good"], degenerate=range(kept, SAMPLES)), provenance(spec))
    row = next(row for row in leaderboard(tmp_path).tables[0].rows if row.method.id == "good")
    assert (row.place, row.degenerate) == ((1, SAMPLES - 1) if kept else (None, SAMPLES))
    assert row.why_unplaced == ("" if kept else "all its maps are constant or not finite")
    assert np.isnan([value.rank for value in row.values]).all() != bool(kept)
    assert row.values[0].mean == pytest.approx(THREE["good"][0].mean())


def test_the_worst_possible_value_is_never_marked_as_best(tmp_path, monkeypatch):
    """Nobody has a hit: no method can be told apart from the best, and none is good."""
    made_run(tmp_path, {"one": spaced(0.0, 0.5), "other": spaced(0.0, 0.5), "random": spaced(0.0, 0.2)})
    hits = {"deletion": True, "insertion": True}
    monkeypatch.setattr(
        standings_module,
        "metric_facts",
        lambda text, identity: MetricFacts(text, "", hits[text], range=(0.0, 1.0), in_mean_rank=text == "insertion"),
    )
    table = leaderboard(tmp_path).tables[0]
    assert all(row.values[0].tied.lead and not row.values[0].best for row in table.rows)
    assert [row.values[1].best for row in table.rows] == [True, True, False]
    # Twelve misses leave a share of up to a quarter open.
    expected = stats.binomtest(0, SAMPLES).proportion_ci(method="wilson")
    assert [(row.values[0].low, row.values[0].high) for row in table.rows] == [pytest.approx((0, expected.high))] * 3
    # Which metrics the mean rank leaves out is said.
    assert table.counted == (False, True) and table.rows[0].mean_rank == 1.5
    console = Console(record=True, width=100, file=StringIO())
    leaderboard(tmp_path).show(console)
    assert "Not counted in the mean rank: Deletion." in console.export_text()
    leaderboard(tmp_path).write()
    assert "Not counted in the mean rank: Deletion." in (tmp_path / "leaderboard.md").read_text(encoding="utf-8")


def test_average_increase_is_in_no_mean_rank():
    texts = ("average_increase", "average_increase[scorecam]", "average_drop", "pointing_game", "deletion[steps=8]")
    assert [metric_facts(text, {}).in_mean_rank for text in texts] == [False, False, True, True, True]


def test_ties_are_shown_as_places_everywhere(tmp_path):
    noisy = {name: spaced(0.5, 0.5, noise=0.2, seed=number) for number, name in enumerate(("one", "two", "three"))}
    made_run(tmp_path, {**noisy, "random": spaced(0.9, 0.1, noise=0.01)})
    board = leaderboard(tmp_path)
    rows_of = {row.method.id: row for row in board.tables[0].rows}
    assert [str(rows_of[name].tied) for name in noisy] == ["1-3"] * 3 and str(rows_of["random"].tied) == "4"
    board.write()
    frame = pd.read_csv(tmp_path / "leaderboard.csv").set_index("method")
    assert frame.loc["one", ["tied_from", "tied_to"]].tolist() == [1, 3]
    assert board.frame.set_index("method").loc[
        "random", ["tied_from", "tied_to"]
    ].drop_duplicates().to_numpy().tolist() == [[4, 4]]
    assert ' class="tie">1-3</td>' in (tmp_path / "report.html").read_text(encoding="utf-8")
    console = Console(record=True, width=100, file=StringIO())
    board.show(console)
    assert console.export_text().count("1-3") == 3
