"""Runs on models of one's own, models that cannot be had, and labels that are not the model's."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from tiny_runs import Start

from heatmark.benchmark.work.messages import NamedModel
from heatmark.benchmark.work.samples import EVERYTHING
from heatmark.benchmark.work.worker import Worker
from heatmark.errors import Doubt, HeatmarkError, Untrusted

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


BATCHWISE = {
    "torch": """
import torch
def build():
    import heatmark
    torch.manual_seed(0)
    batch = torch.nn.BatchNorm2d(4, track_running_stats=False)
    net = torch.nn.Sequential(torch.nn.Conv2d(CHANNELS, 4, 3), batch, torch.nn.Flatten(), torch.nn.Linear(144, 3))
    return heatmark.wrap(net, input_shape=SHAPE)
""",
    "tensorflow": """
import keras
class Batchwise(keras.layers.Layer):
    def call(self, x):
        return x - 0.5 * keras.ops.mean(x, axis=0)
def build():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, CHANNELS)), keras.layers.Flatten(), keras.layers.Dense(8), Batchwise()]
    return keras.Sequential([*layers, keras.layers.Dense(3)])
""",
}
"""Networks whose answers depend on the whole batch."""


@pytest.mark.parametrize(
    ("framework", "shape"), [("torch", "(CHANNELS, 8, 8)"), ("torch", "None"), ("tensorflow", "None")]
)
def test_what_the_examination_tells_is_told_once(start: Start, tmp_path: Path, framework: str, shape: str) -> None:
    """Loading the network said it as well, and so did giving it its input shape where it stated none."""
    pytest.importorskip(framework)
    source = BATCHWISE[framework].replace("SHAPE", shape).replace("CHANNELS", "1")
    (tmp_path / "batchwise.py").write_text(source)
    options = {"models": "batchwise.py:build", "frameworks": framework, "data": "digits", "limit": 2}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(Untrusted, match="do not depend on the batch"):
            start("gradient", **options)
        result = start("gradient", **options, force=True)
    assert result.complete and any("do not depend on the batch" in note for note in result.notes)
    assert not [one for one in told if issubclass(one.category, Doubt)]
    worker, named = Worker(), NamedModel("batchwise.py:build", framework, "cpu")
    with pytest.warns(Doubt, match="do not depend on the batch"):  # where no examination follows, it is told
        worker.task(named, worker.described(named).weights, "digits", EVERYTHING)


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
