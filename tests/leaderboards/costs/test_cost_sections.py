"""Cost beside quality: in a run's report and tables, from its own times and from a runtime benchmark."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import THREE, known_entries, made_run, stored_curves  # noqa: F401  (fixtures)
from runtime_rows import case, row

from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.timing.files import RuntimeFile
from heatmark.benchmark.timing.measure import chosen, is_run
from heatmark.benchmark.timing.rows import RuntimeSettings
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.costs.pareto import paretos
from heatmark.leaderboards.report.costs import cost_section


def measured(folder, device="cpu", name="cpu"):
    """Keep made-up costs of the run's methods: the better, the dearer."""
    file = RuntimeFile(folder, RuntimeSettings())
    for method, seconds in (("good", 1.0), ("fair", 0.2), ("random", 0.001)):
        file.add(row(case(method, device=device), [seconds] * 3, device_name=name))


def test_the_runs_own_times_are_used_where_nothing_was_measured(tmp_path):
    made_run(tmp_path, THREE)
    board = leaderboard(tmp_path)
    (found,) = paretos(board)
    assert not found.measured and found.title.endswith("PyTorch · cpu")
    own = {row.method.id: row.cost.relative for table in board.tables for row in table.rows}
    assert {point.method.id: point.cost.value for point in found.points} == pytest.approx(own)
    assert all(np.isnan(point.cost.low) for point in found.points)


def test_measured_costs_stand_beside_quality(tmp_path):
    made_run(tmp_path, THREE)
    measured(tmp_path)
    board = leaderboard(tmp_path)
    section = cost_section(board)
    (((found,), picture),) = section.paretos
    assert found.measured and picture.startswith("data:image/svg+xml")
    # A bare forward pass takes 0.01 s. The control is the cheapest and competes with no one.
    assert [(point.method.id, point.cost.value, point.on_front) for point in found.points] == [
        ("random", pytest.approx(0.1), False),
        ("fair", pytest.approx(20.0), True),
        ("good", pytest.approx(100.0), True),
    ]
    (table,) = board.tables
    assert section.beside(table, table.rows[0]).relative.value == pytest.approx(100.0)
    board.write()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Quality against cost" in page and "Runtime benchmark" in page and "[100x, 100x]" in page
    text = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "## Quality against cost" in text and "## Runtime" in text


def test_a_processor_and_a_gpu_have_a_plot_each(tmp_path):
    made_run(tmp_path, THREE)
    measured(tmp_path)
    measured(tmp_path, "cuda", "A GPU")
    board = leaderboard(tmp_path)
    section = cost_section(board)
    assert [item.title.rpartition(" · ")[2] for group, _ in section.paretos for item in group] == ["cpu", "A GPU"]
    # Of two devices neither is the table's own, so that the run's times stay.
    (table,) = board.tables
    assert section.beside(table, table.rows[0]).relative.value == table.rows[0].cost.relative


def test_methods_and_networks_are_those_of_the_run_in_the_folder(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    made_run(tmp_path, {"saliency": THREE["good"], "grad_cam": THREE["fair"]})
    monkeypatch.setattr("heatmark.benchmark.timing.measure.check_name", lambda name: None)
    choice = chosen(device="cpu", run=tmp_path)
    assert is_run(tmp_path) and choice.methods == ("saliency", "grad_cam") and choice.models == ("net",)
    assert {place.framework for place in choice.places} == {"torch"}
    assert chosen("rise", device="cpu", run=tmp_path).methods == ("rise",)


def test_a_run_may_begin_in_a_folder_of_runtime_results(tmp_path):
    measured(tmp_path)
    assert RunStore.prepared(tmp_path).path == tmp_path
