"""What a builder read into its network: all of it, a part of it, or nothing, is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heatmark.benchmark.checking.sources import what_was_read
from heatmark.models.reading.weights_read import WeightsRead, weights_watched
from heatmark.models.zoo.loading import load_model

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

OWN = torch.nn.Module.load_state_dict, keras.Model.load_weights

TORCH = """
import torch

def made():
    nn = torch.nn
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))

def build():
    state = {{name: value for name, value in made().state_dict().items() if "num_batches" not in name}}
    net = made().eval()
    net.load_state_dict({state}, strict=False)
    return net
"""
KERAS = """
import keras

def made(classes):
    return keras.Sequential([keras.Input((12,)), keras.layers.Dense(4), keras.layers.Dense(classes)])

def build():
    made({classes}).save_weights("kept.weights.h5")
    net = made(3)
    net.load_weights("kept.weights.h5"{skip})
    return net
"""
PREFIXED = '{"module." + name: value for name, value in state.items()}'
HEADLESS = (
    '{name: value for name, value in state.items() if not name.startswith("3.")} | {"head.weight": state["3.bias"]}'
)


def finding(source, framework, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(source)
    model = load_model("net.py:build", framework)
    model.outputs(np.zeros((1, 12), np.float32))
    return what_was_read("net.py:build", model)


@pytest.mark.parametrize(
    ("state", "verdict", "told"),
    [
        ("state", "holds", "load_state_dict filled all of its 8 tensors."),
        (
            PREFIXED,
            "fails",
            "left 8 of 8 tensors as they were (1.weight, 1.bias, 2.weight, ...) and found no place for 8",
        ),
        (HEADLESS, "doubtful", "left 2 of 8 tensors as they were (3.weight, 3.bias) and found no place for 1 that"),
    ],
)
def test_what_a_state_dictionary_did_not_fill_is_told(state, verdict, told, monkeypatch, tmp_path):
    found = finding(TORCH.format(state=state), "torch", monkeypatch, tmp_path)
    assert found.verdict == verdict and told in found.evidence
    assert ("strict=True" in found.remedy) == (verdict != "holds")
    assert torch.nn.Module.load_state_dict is OWN[0]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras' own, of what it skips
@pytest.mark.parametrize(
    ("classes", "skip", "verdict", "told"),
    [
        (3, "", "holds", "load_weights filled all of its 4 tensors."),
        (5, ", skip_mismatch=True", "doubtful", "left 1 of 2 tensors as they were (sequential"),
    ],
)
def test_what_keras_skipped_is_told(classes, skip, verdict, told, monkeypatch, tmp_path):
    keras.backend.clear_session()
    found = finding(KERAS.format(classes=classes, skip=skip), "tensorflow", monkeypatch, tmp_path)
    assert found.verdict == verdict and told in found.evidence
    assert keras.Model.load_weights is OWN[1]


def test_of_two_calls_the_last_counts_and_errors_put_everything_back():
    net = torch.nn.Linear(3, 2)
    with weights_watched() as read:
        net.load_state_dict({}, strict=False)
        assert read() == (WeightsRead("load_state_dict", 2, ("weight", "bias")),) and read()[0].nothing
        net.load_state_dict(torch.nn.Linear(3, 2).state_dict())
        assert read() == (WeightsRead("load_state_dict", 2),) and not read()[0].nothing
    with pytest.raises(RuntimeError, match="Missing key"), weights_watched():
        net.load_state_dict({})
    assert torch.nn.Module.load_state_dict is OWN[0]
