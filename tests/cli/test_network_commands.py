"""The commands about networks: training with its curves and its held-out part, and predictions."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import networks
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from heatmark.benchmark.predict import predict
from heatmark.cli.main import app
from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.registry import load_dataset
from heatmark.leaderboards.networks.predictions import (
    confusion_frame,
    predictions_frame,
    print_predictions,
    summary,
    warning,
)
from heatmark.leaderboards.networks.training_curves import draw_training_curves
from heatmark.models.training.kept import TrainedModel
from heatmark.models.training.recipe import Epoch
from heatmark.models.zoo.loading import load_model


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pictures(own_place: Path) -> Path:
    """Return a folder with two classes of ten pictures each: dark ones and bright ones."""
    generator = np.random.default_rng(0)
    for name, low in (("bright", 160), ("dark", 0)):
        (own_place / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            picture = generator.integers(low, low + 90, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(picture).save(own_place / "pictures" / name / f"{number}.png")
    return own_place / "pictures"


def called(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_training_holds_a_part_out_and_a_run_takes_it(pictures: Path) -> None:
    pytest.importorskip("torch")
    data = ["--data", "image-folder:pictures"]
    trained = called("train", "small-cnn", *data, "--name", "shades", "--epochs", "1", "--framework", "torch")
    assert trained.exit_code == 0, trained.stderr
    assert "epoch 1/1: training accuracy" in trained.stdout
    assert "Trained on 16 samples and tested on 4 that were held out" in trained.stdout
    assert Image.open("results/training/shades.png").format == "PNG"
    options = ["--methods", "random", "--metrics", "average_drop", "--frameworks", "torch", "--device", "cpu"]
    ran = called("run", "--models", "shades", *data, *options, "--engine", "serial")
    assert ran.exit_code == 0, ran.stderr
    words = "shades was trained on 16 of the 20 samples of pictures: only the 4 others, which it has not seen, are used"
    assert words in ran.stderr and "results/shades-pictures" in ran.stdout and "4/4" in ran.stdout
    seen = called("run", "--models", "shades", *data, *options, "--engine", "serial", "--part", "all", "--out", "all")
    assert "20/20" in seen.stdout and "which it has not seen" not in seen.stderr
    told = called("predict", "shades", *data, "--framework", "torch")
    assert words in told.stderr and "on 4 samples of pictures (PyTorch)" in told.stdout
    table = pd.read_csv("results/predict-shades-pictures/predictions.csv")
    held_out = {row.split(" ")[0] for row in table["sample"]}
    assert len(held_out) == 4
    frame = pd.read_csv("results/shades-pictures/leaderboard.csv")
    assert frame["samples"].tolist() == [4]


def test_training_curves_are_what_every_epoch_said() -> None:
    history = tuple(Epoch(number, number / 10, 2 / number, number / 20, 3 / number) for number in range(1, 6))
    record = TrainedModel("mine", Path("w"), 0.25, 0.6, history, "digits", "torch", "3e" * 32, 80, 20)
    accuracy, loss = draw_training_curves(record).axes
    assert [line.get_xdata().tolist() for line in accuracy.lines] == [[1, 2, 3, 4, 5]] * 2
    assert accuracy.lines[0].get_ydata().tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert loss.lines[1].get_ydata().tolist() == pytest.approx([3, 1.5, 1, 0.75, 0.6])


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_predictions_are_the_networks_own(framework: str) -> None:
    data = load_dataset("digits").first(40)
    found = predict("small-cnn", data, framework=framework, top=3, pictures=4)
    # By the logits themselves, through SciPy's softmax.
    from scipy.special import log_softmax

    model = load_model("small-cnn", framework=framework)
    batch = data.take(40, model)
    logits = model.outputs(batch.x).astype(np.float64)
    shares = np.exp(log_softmax(logits, axis=1))
    order = np.argsort(-shares, axis=1)[:, :3]
    assert [answer.classes for answer in found.answers] == [tuple(row) for row in order.tolist()]
    mine = np.array([answer.probabilities for answer in found.answers])
    np.testing.assert_allclose(mine, np.take_along_axis(shares, order, 1), rtol=1e-5, atol=1e-9)
    labels = batch.y
    assert found.accuracy == pytest.approx((order[:, 0] == labels).mean())
    assert found.top_accuracy == pytest.approx((order == labels[:, None]).any(axis=1).mean())
    assert found.loss == pytest.approx(-log_softmax(logits, axis=1)[np.arange(40), labels].mean(), rel=1e-5)
    assert found.confusions.total() == 40
    assert sum(answer.picture is not None for answer in found.answers) == 4
    table = predictions_frame(found)
    assert (
        table["class_1"].tolist() == order[:, 0].tolist()
        and table["right"].tolist() == (order[:, 0] == labels).tolist()
    )
    counted = confusion_frame(found)
    assert counted["samples"].sum() == 40
    assert counted.loc[counted["label"] == counted["predicted"], "samples"].sum() == (order[:, 0] == labels).sum()


def test_labels_of_other_classes_are_no_labels_of_the_network() -> None:
    x = np.zeros((4, 8, 8, 1), np.uint8)
    found = predict("small-cnn", ArrayDataset("two", x, [0, 1, 0, 1], class_names=("a", "b")))
    assert np.isnan(found.accuracy) and not found.confusions
    assert "no labels that it knows" in summary(found)
    assert any("two has 2 classes and small-cnn 10" in note for note in found.notes)


def test_the_command_writes_tables_and_a_picture(own_place: Path) -> None:
    result = called("predict", "small-cnn", "--data", "digits", "--per-class", "2", "--out", "found")
    assert result.exit_code == 0, result.stderr
    assert "on 20 samples of digits" in result.stdout and "cross-entropy" in result.stdout
    assert len(pd.read_csv("found/predictions.csv")) == 20
    assert pd.read_csv("found/confusion.csv").groupby("label")["samples"].sum().tolist() == [2] * 10
    assert Image.open("found/predictions.png").format == "PNG"


@pytest.mark.parametrize(
    ("labels", "words"),
    [(None, ""), ([0, 1] * 10, "at chance on these samples"), ([3] * 20, "All samples have the same label")],
)
def test_a_network_that_does_no_better_than_guessing_is_warned_of(labels: list[int] | None, words: str) -> None:
    samples = [load_dataset("digits").sample(place) for place in range(20)]
    x, own = np.stack([sample.array for sample in samples]), [sample.label for sample in samples]
    names = tuple(map(str, range(10)))
    found = predict("small-cnn", ArrayDataset("relabelled", x, own if labels is None else labels, class_names=names))
    assert (words in warning(found)) if words else warning(found) == ""
    print_predictions(found, Console(width=200, file=(shown := StringIO())))
    assert ("Warning: " in shown.getvalue()) is bool(words) and warning(found) in shown.getvalue()


def test_a_folder_of_pictures_is_explained(pictures: Path) -> None:
    (pictures / "dark" / "torn.png").write_bytes(b"no picture")
    result = called("explain", "pictures", "--model", "efficientnet-lite0", "--methods", "sobel", "--per-class", "11")
    assert result.exit_code == 0, result.stderr
    assert "left out" in result.stderr and "torn.png" in result.stderr
    few = called("explain", "pictures", "--methods", "sobel", "--limit", "2", "--out", "few.png")
    assert few.exit_code == 0 and Image.open("few.png").size[1] < Image.open("gallery.png").size[1]


def test_means_of_a_network_that_does_not_fit_the_data_are_told_of() -> None:
    words = ["explain", "--average", "class", "--data", "digits", "--model", "efficientnet-lite0", "--limit", "10"]
    result = called(*words, "--methods", "sobel", "--out", "average.png")
    assert result.exit_code == 0, result.stderr
    assert "digits has 10 classes and efficientnet-lite0 1000" in result.stderr
