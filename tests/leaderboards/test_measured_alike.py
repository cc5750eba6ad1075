"""Which metrics mean ranks are over where runs of one network on the same samples have other metrics."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from made_runs import SAMPLES, known_entries, provenance, rows, specification, stored_curves  # noqa: F401  (fixtures)
from rich.console import Console

from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.standings import standings as standings_module
from heatmark.leaderboards.standings.measured_alike import measured_alike
from heatmark.leaderboards.standings.registered import MetricFacts

SPREAD = 0.01 * np.arange(SAMPLES)


@pytest.mark.parametrize(
    ("asked", "together"),
    [
        (["ab", "ab"], "ab"),
        (["abcd", "abcd", "abcd", "ab"], "abcd"),  # one method of the poorer run stands aside
        (["abcd", "abcd", "abcd", "abx"], "abcd"),  # and brings no metric that the others lack
        (["abcdx", "abcd", "abcd", "x"], "abcd"),
        (["abcd", "ab", "ab", "ab"], "ab"),  # 4 x 2 methods times metrics, against 1 x 4
        (["ab", "a"], "ab"),  # 2 either way: more metrics
        (["a", "b"], "a"),  # no more of one than of the other: the first
        ([], ""),
    ],
)
def test_what_holds_most_methods_times_metrics_stands_together(asked, together):
    assert measured_alike([frozenset(one) for one in asked]) == frozenset(together)


@pytest.fixture
def upward(monkeypatch):
    """Metrics of any name, the higher the better."""
    monkeypatch.setattr(standings_module, "metric_facts", lambda text, identity: MetricFacts(text, "curve", True))


def run_of(folder, scores, metrics):
    """Make a run whose methods score a level on every metric."""
    store = RunStore.prepared(folder)
    specs = {name: specification(name, metrics=metrics) for name in scores}
    store.begin({"suite": {"name": folder.name, "seeds": [0]}, "seed": 0, "version": "0.1.0"}, list(specs.values()))
    for name, spec in specs.items():
        store.write(spec, rows(spec, np.array([scores[name] + SPREAD] * len(metrics))), provenance(spec))
    return folder


def test_a_small_run_takes_nobody_s_place_in_a_large_one(tmp_path, upward):
    """The large run has three methods by three metrics; of the small one a method has only two of them and one more."""
    large = run_of(tmp_path / "large", {"good": 3.0, "fair": 2.0, "poor": 1.0}, ("d", "i", "m"))
    small = run_of(tmp_path / "small", {"good": 3.0, "mine": 9.0}, ("d", "i", "x"))
    alone, together = leaderboard(large), leaderboard([large, small])
    (before,), (table,) = alone.tables, together.tables
    places = {row.method.id: row.place for row in table.rows}
    assert {row.method.id: row.place for row in before.rows} == {"good": 1, "fair": 2, "poor": 3}
    assert places == {"good": 1, "fair": 2, "poor": 3, "mine": None}
    # All that is said of them is what the large run says alone, though the one that stands aside beats them all.
    assert [list(row.values[:3]) for row in table.rows[:3]] == [list(row.values) for row in before.rows]
    assert [row.mean_rank_low for row in table.rows[:3]] == [row.mean_rank_low for row in before.rows]
    assert [row.tied for row in table.rows[:3]] == [row.tied for row in before.rows]
    mine = next(row for row in table.rows if row.method.id == "mine")
    assert mine.why_unplaced == "not measured with m, which other methods here were"
    assert [value.mean for value in mine.values[:2]] == pytest.approx([9.0 + SPREAD.mean()] * 2)
    assert all(np.isnan(value.rank) for value in mine.values)
    assert dict(zip([metric.id for metric in table.metrics], table.counted, strict=True)) == {
        "d": True, "i": True, "m": True, "x": False,
    }  # fmt: skip
    assert table.why_uncounted == {"x": "measured with 2 of 4 methods"}
    # Which run is named first decides nothing.
    swapped = {row.method.id: row.place for row in leaderboard([small, large]).tables[0].rows}
    assert swapped == places


def test_what_stands_aside_is_said_everywhere(tmp_path, upward):
    large = run_of(tmp_path / "large", {"good": 3.0, "fair": 2.0, "poor": 1.0}, ("d", "i", "m"))
    small = run_of(tmp_path / "small", {"mine": 9.0}, ("d", "x"))
    board, console = leaderboard([large, small]), Console(record=True, width=120, file=StringIO())
    board.show(console)
    written = {path.name: path.read_text(encoding="utf-8") for path in board.write(tmp_path / "out")}
    for text in (console.export_text(), written["leaderboard.md"], written["report.html"]):
        assert "Not counted in the mean rank: x (measured with 1 of 4 methods)." in " ".join(text.split())
        assert "not measured with i, m, which other methods here were" in " ".join(text.split())


def test_a_metric_without_meaning_for_one_method_is_said_with_its_reason(tmp_path, upward):
    store = RunStore.prepared(tmp_path / "run")
    specs = [specification(name, metrics=("d", "m")) for name in ("good", "fair")]
    store.begin({"suite": {"name": "run", "seeds": [0]}, "seed": 0, "version": "0.1.0"}, specs)
    for level, spec in enumerate(specs):
        made = provenance(spec) | ({"metrics_not_applicable": {"m": "it has no sign"}} if level else {})
        store.write(spec, rows(spec, np.array([level + SPREAD, np.nan * SPREAD if level else SPREAD])), made)
    (table,) = leaderboard(tmp_path / "run").tables
    assert table.counted == (True, False) and [row.place for row in table.rows] == [1, 2]
    assert list(table.why_uncounted) == ["m"]
    assert table.why_uncounted["m"].startswith("no meaning for the maps of ")
