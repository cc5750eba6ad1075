"""Runs on models of one's own, models that cannot be had, and labels that are not the model's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_runs import Start

from heatmark.errors import HeatmarkError

pytest.importorskip("torch")


def test_a_model_of_ones_own_from_a_file(start: Start, tmp_path: Path) -> None:
    net = tmp_path / "own_net.py"
    net.write_text(
        "import torch\n"
        "from heatmark.models.zoo.loading import LoadedNetwork\n"
        "def build():\n"
        "    torch.manual_seed(1)\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))\n"
        "    return LoadedNetwork(net, input_shape=(1, 8, 8), num_classes=3)\n"
    )
    result = start("counted", models="own_net.py:build", engine="processes")
    assert result.complete and result.finished == 1
    assert start("counted", models="own_net.py:build").cached == 1
    net.write_text(net.read_text().replace("torch.nn.Linear(64, 3))", "torch.nn.Linear(64, 3), torch.nn.Tanh())"))
    assert start("counted", models="own_net.py:build").cached == 0  # same weights, another network


def test_a_model_that_cannot_be_loaded_does_not_stop_the_others(start: Start, tmp_path: Path) -> None:
    net = tmp_path / "late_net.py"
    net.write_text("def build():\n    raise RuntimeError('weights are on the other disk')\n")
    with pytest.raises(HeatmarkError, match="weights are on the other disk"):
        start("counted", models="late_net.py:build")
    result = start("counted", models="tiny,late_net.py:build")
    (failure,) = result.failures
    assert result.finished == 1 and "weights are on the other disk" in failure.error
    assert failure.spec.model == "late_net.py:build"
    net.write_text(
        "import torch\n"
        "from heatmark.models.zoo.loading import LoadedNetwork\n"
        "def build():\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))\n"
        "    torch.nn.init.ones_(net[1].weight)\n"
        "    return LoadedNetwork(net, input_shape=(1, 8, 8), num_classes=3)\n"
    )
    repaired = start("counted", models="tiny,late_net.py:build")
    assert repaired.complete and repaired.cached == 1 and not repaired.failures


def test_a_model_that_exists_in_one_framework_has_no_cells_in_the_other(start: Start) -> None:
    pytest.importorskip("tensorflow")
    result = start("counted", frameworks="torch,tensorflow")
    assert result.expected == result.finished == 1
    assert any("tensorflow" in note for note in result.notes)


def test_labels_of_other_classes_count_as_unknown(start: Start, tmp_path: Path) -> None:
    net = tmp_path / "four.py"
    net.write_text(
        "import torch\n"
        "from heatmark.models.zoo.loading import LoadedNetwork\n"
        "def build():\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))\n"
        "    return LoadedNetwork(net, input_shape=(1, 8, 8), num_classes=4)\n"
    )
    cell = start("counted", models="four.py:build").store.cells()[0]
    assert (cell.table["label"] == -1).all() and cell.table["label_log_probability"].isna().all()
    assert cell.provenance["labels_known"] is False
