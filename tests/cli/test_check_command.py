"""``heatmark check``: what it prints, its JSON, its exit status, and one mistake of each kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from heatmark.cli.main import app

pytest.importorskip("torch")

FAULTY = """
import torch
class Halved(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()
    @staticmethod
    def backward(context, gradient):
        return 0.5 * gradient
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.dense = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(144, 3)
    def forward(self, x):
        return self.dense(Halved.apply(self.convolution(x).relu()).flatten(1))
def build():
    import heatmark
    torch.manual_seed(0)
    return heatmark.wrap(Net(), input_shape=(1, 8, 8))
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def called(*words: str) -> Result:
    return CliRunner().invoke(app, ["check", *words])


def test_a_right_network_is_shown_as_a_table() -> None:
    result = called("small-cnn", "--framework", "torch", "--device", "cpu")
    assert result.exit_code == 0 and "✗" not in result.stdout and "! " not in result.stdout
    assert "✓  input gradient is the derivative" in result.stdout
    assert "small-cnn in torch, asked with 2 samples of" in result.stdout


def test_the_answers_as_json() -> None:
    found = json.loads(called("small-cnn", "--framework", "torch", "--device", "cpu", "--json").stdout)
    assert set(found) == {"model", "framework", "inputs", "findings", "seconds", "worst"}
    assert (found["model"], found["framework"], found["worst"]) == ("small-cnn", "torch", "holds")
    for finding in found["findings"]:
        assert set(finding) == {"question", "verdict", "evidence", "remedy"}
        assert finding["verdict"] in ("holds", "doubtful", "fails", "inapplicable") and finding["evidence"]


def test_a_network_that_fails_ends_with_status_one_and_the_remedy() -> None:
    Path("net.py").write_text(FAULTY)
    result = called("net.py:build")
    assert result.exit_code == 1 and "✗  input gradient is the derivative" in result.stdout
    assert "custom gradient" in result.stdout and "two random inputs" in result.stdout
    run = CliRunner().invoke(app, ["run", "--model", "net.py:build", "--data", "digits", "--engine", "serial",
                                   "--methods", "saliency", "--metrics", "deletion[steps=2]", "--limit", "2",
                                   "--frameworks", "torch", "--out", "run"])  # fmt: skip
    assert run.exit_code == 1 and "net.py:build in torch with digits failed its examination" in run.output
    assert "--force" in run.output and not list(Path("run/cells").iterdir())


def test_what_is_stated_of_the_outputs_is_told() -> None:
    Path("net.py").write_text(FAULTY.replace("0.5 * gradient", "gradient"))
    assert json.loads(called("net.py:build", "--json").stdout)["worst"] == "doubtful"  # its ReLU is no layer
    bare = Path("net.py").read_text().replace("heatmark.wrap(Net(), input_shape=(1, 8, 8))", "Net()")
    Path("bare.py").write_text(bare)
    result = called("bare.py:build", "--output", "multi-label", "--data", "digits", "--json")
    evidence = {one["question"]: one["evidence"] for one in json.loads(result.stdout)["findings"]}
    assert "do not exclude each other" in evidence["what the outputs are"]
    assert "what build() of bare.py returned" in evidence["what was read"]


def test_a_saved_keras_model_says_what_was_read() -> None:
    keras = pytest.importorskip("keras")
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential(layers).save("net.keras")
    result = called("file:net.keras", "--data", "digits")
    assert result.exit_code == 0, result.output
    assert "net.keras, Keras' own format" in result.stdout and "2 layers with weights" in result.stdout
    assert "net in tensorflow, asked with 2 samples of" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("smal-cnn",), "Did you mean 'small-cnn'"),
        (("missing.py:build",), "There is no file missing.py"),
        (("small-cnn", "--data", "digitz"), "Did you mean 'digits'"),
        (("small-cnn", "--data", "mnist1d"), "8"),
        (("small-cnn", "--framework", "jax"), "Unknown framework 'jax'"),
        (("small-cnn", "--precision", "half"), "choose float32 or bf16"),
        (("torchvision:vgg16@random", "--framework", "tensorflow"), "only in torch"),
    ],
)
def test_mistakes_are_one_message(words: tuple[str, ...], message: str) -> None:
    result = called(*words)
    assert result.exit_code in (1, 2) and message in result.output and "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
