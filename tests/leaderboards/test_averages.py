"""Mean maps per class: their values, and the gallery of them."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from made_methods import entry, inapplicable
from PIL import Image
from typer.testing import CliRunner

from heatmark.benchmark.work.averages import WHOLE, StreamingMean, mean_maps
from heatmark.datasets.base import Dataset, Sample
from heatmark.leaderboards.galleries.drawing import draw_gallery
from heatmark.leaderboards.galleries.of_averages import average_gallery
from heatmark.leaderboards.writing import names
from heatmark.methods import registry as methods_registry
from heatmark.methods.registry import MethodEntry, method_from
from heatmark.registry import Registry


class Ramps(Dataset):
    """Pictures of 4 by 4 pixels: sample i is i everywhere (over the number of samples), of class i % 3."""

    name = "ramps"
    license = "none needed"
    revision = "1"
    framing = "cropped"

    def __init__(self, count: int, named: bool = True, side: int = 4) -> None:
        self.count = count
        self.side = side
        self.class_names = ("red", "green", "blue") if named else ()

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int) -> Sample:
        array = np.full((self.side, self.side, 1), index / self.count, np.float32)
        return Sample(f"s{index}", array, index % 3 if self.class_names else -1)


@pytest.fixture
def small_model(model):
    pytest.importorskip("torch")
    return lambda side=4: model("plain", "torch", (side, side, 1))


@pytest.fixture
def own_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    few: Registry[MethodEntry] = Registry("method", "heatmark.methods", {})
    few.add(entry("input", lambda request: request.x * 1.0))
    few.add(entry("moon", inapplicable))
    few.add(entry("holes", lambda request: request.x / (request.x > 0.5)))
    monkeypatch.setattr(methods_registry, "METHODS", few)
    monkeypatch.setattr(names, "METHODS", few)


def test_means_per_class_and_of_the_whole_are_those_of_the_maps(small_model, own_methods):
    found = mean_maps(small_model(), [method_from("input")], Ramps(20))
    assert [group.name for group in found.groups] == ["whole dataset", "red", "green", "blue"]
    assert [group.samples for group in found.groups] == [20, 7, 7, 6]
    values = np.arange(20) / 20
    for group in found.groups:
        members = values if group.number == WHOLE else values[group.number :: 3]
        np.testing.assert_allclose(group.maps["input"], np.full((4, 4), members.mean()), rtol=1e-6)
        np.testing.assert_allclose(group.picture, np.full((4, 4, 1), members.mean()), rtol=1e-6)
    assert found.by_label and found.further_classes == 0 and found.not_finite == 0


def test_only_the_whole_only_some_samples_only_some_classes(small_model, own_methods):
    methods = [method_from("input")]
    whole = mean_maps(small_model(), methods, Ramps(20).first(5), "all")
    assert [group.samples for group in whole.groups] == [5]
    np.testing.assert_allclose(whole.groups[0].maps["input"], np.mean(np.arange(5) / 20), rtol=1e-6)
    some = mean_maps(small_model(), methods, Ramps(20), classes=2)
    assert [group.name for group in some.groups] == ["whole dataset", "red", "green"]
    assert some.groups[0].samples == 20 and some.further_classes == 1


def test_without_labels_the_classes_are_the_predictions(small_model, own_methods):
    found = mean_maps(small_model(), [method_from("input")], Ramps(20, named=False))
    predicted = small_model().outputs(np.arange(20, dtype=np.float32).reshape(20, 1, 1, 1) / 20 * np.ones((1, 1, 4, 4)))
    classes, counts = np.unique(predicted.argmax(axis=1), return_counts=True)
    assert [group.number for group in found.groups[1:]] == classes.tolist()
    assert [group.samples for group in found.groups[1:]] == counts.tolist()
    assert not found.by_label


def test_maps_that_are_not_finite_are_counted_and_left_out(small_model, own_methods):
    found = mean_maps(small_model(), [method_from("holes")], Ramps(20))
    assert found.not_finite == 11
    np.testing.assert_allclose(found.groups[0].maps["holes"], np.mean(np.arange(11, 20) / 20), rtol=1e-6)


def test_the_streaming_mean_keeps_small_differences():
    mean = StreamingMean()
    values = 1e6 + np.random.default_rng(0).random((2000, 3))
    for value in values:
        mean.add(value)
    np.testing.assert_allclose(mean.value - 1e6, (values - 1e6).mean(axis=0), rtol=1e-6)
    assert StreamingMean().value is None


def test_memory_does_not_grow_with_the_number_of_samples(small_model, own_methods):
    net = small_model(64)

    def peak(samples: int) -> int:
        tracemalloc.start()
        mean_maps(net, [method_from("input")], Ramps(samples, side=64))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(16)
    few, many = peak(16), peak(160)
    assert many < few + 40 * 64 * 64 * 4  # all inputs and maps together would be 320 arrays


def test_the_gallery_of_means_has_a_line_per_class_with_counts(small_model, own_methods, monkeypatch, tmp_path):
    from heatmark.benchmark.work import averages
    from heatmark.leaderboards.galleries import gallery as module

    monkeypatch.setattr(averages, "model_named", lambda name, framework, device: small_model())
    monkeypatch.setattr(averages, "load_dataset", lambda name: Ramps(20))
    drawn: dict[str, Any] = {}

    def kept_parts(pictures, maps, signed, titles, **more):
        drawn.update(pictures=pictures, maps=maps, titles=titles, **more)
        return draw_gallery(pictures, maps, signed, titles, **more)

    monkeypatch.setattr(module, "draw_gallery", kept_parts)
    result = average_gallery("ramps", "small-cnn", "input,moon", tmp_path / "average.png")
    assert Image.open(result.paths[0]).format == "PNG" and not result.empty
    assert [item.method for item in result.left_out] == ["moon"]
    assert drawn["titles"] == ["whole dataset\n20 samples", "red\n7 samples", "green\n7 samples", "blue\n6 samples"]
    assert len(drawn["maps"]) == 1 and "Left out Moon" in drawn["note"] and "it needs the moon" in drawn["note"]
    assert "20 samples of ramps" in drawn["note"] and "Classes are labels" in drawn["note"]
    every = average_gallery("ramps", "small-cnn", "all", tmp_path / "every.png")
    assert [item.method for item in every.left_out] == ["moon"] and list(drawn["maps"]) == ["Holes", "Input"]
    assert "11 maps with values that are not finite are left out" in drawn["note"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--average", "clas", "--data", "digits"], "Did you mean 'class'"),
        (["--average", "class"], "--data"),
        (["cat.png", "--average", "class", "--data", "digits"], "without picture files"),
        (["cat.png", "--data", "digits"], "belong to --average"),
        (["--average", "all", "--data", "digit"], "Did you mean 'digits'"),
        ([], "No image to explain"),
    ],
)
def test_the_command_refuses_what_does_not_fit_together(words, message):
    from heatmark.cli.main import app

    result = CliRunner().invoke(app, ["explain", *words])
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
