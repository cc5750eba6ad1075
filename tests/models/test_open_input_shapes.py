"""Networks of one's own that do not say which inputs they take, and what reaches the terminal while they load."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest

from heatmark.benchmark.setting.input_shapes import settle_input_shape
from heatmark.datasets.base import Sample
from heatmark.errors import BadInput
from heatmark.models.base import Model
from heatmark.models.devices import installed_frameworks
from heatmark.models.wrap import wrap

Build = Callable[[int], Any]


def sample(channels: int, *spatial: int) -> Sample:
    return Sample("photograph", np.zeros((*spatial, channels), np.uint8), 0)


def pooled_torch(channels: int) -> Any:
    """A network that takes pictures of any size."""
    nn = pytest.importorskip("torch").nn
    layers = [nn.Conv2d(channels, 4, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    return nn.Sequential(*layers)


def keras_layers(fixed: bool = False) -> list[Any]:
    layers = pytest.importorskip("keras").layers
    convolution = layers.Conv2D(4, 3, 4, activation="relu")
    return [convolution, layers.Flatten() if fixed else layers.GlobalAveragePooling2D(), layers.Dense(3)]


def pooled_keras(channels: int) -> Any:
    """A functional network that fixes nothing but its channels."""
    keras = importlib.import_module("keras")
    return keras.Sequential([keras.Input((None, None, channels)), *keras_layers()])


def unbuilt_keras(channels: int) -> Any:
    """A network that is built by its first input."""
    return pytest.importorskip("keras").Sequential(keras_layers())


def class_keras(channels: int) -> Any:
    """A network that is written as a class and was called once."""
    keras = pytest.importorskip("keras")

    class Own(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.parts = keras_layers()

        def call(self, x: Any, training: bool = False) -> Any:
            for part in self.parts:
                x = part(x)
            return x

    net = Own()
    net(np.zeros((1, 32, 32, channels), np.float32))
    return net


def settled(net: Any, given: Sample, framing: str = "whole") -> Model:
    model = wrap(net, name="own")
    assert not model.knows_shape
    settle_input_shape(model, given, framing)  # type: ignore[arg-type]
    return model


BUILDS = [
    *((pooled_torch, channels, "torch") for channels in (1, 3)),
    *((build, channels, "tensorflow") for build in (pooled_keras, class_keras) for channels in (1, 3)),
    (unbuilt_keras, 3, "tensorflow"),
]


@pytest.mark.parametrize(("build", "channels", "framework"), BUILDS)
def test_photographs_get_the_usual_size_and_the_networks_channels(build: Build, channels: int, framework: str) -> None:
    if framework not in installed_frameworks():
        pytest.skip(f"{framework} is not installed")
    wanted = (224, 224, channels)
    native = (channels, 224, 224) if framework == "torch" else wanted
    assert settled(build(channels), sample(3, 300, 240)).input_shape == native
    if channels == 3 and build is not unbuilt_keras:  # grey photographs are given the network's colours
        assert settled(build(channels), sample(1, 300, 240)).input_shape == native


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_framed_pictures_keep_their_size(framework: str) -> None:
    if framework not in installed_frameworks():
        pytest.skip(f"{framework} is not installed")
    net = (pooled_torch if framework == "torch" else pooled_keras)(3)
    shape = (3, 40, 30) if framework == "torch" else (40, 30, 3)
    assert settled(net, sample(3, 40, 30), "cropped").input_shape == shape


def test_a_size_that_keras_fixes_on_one_side_is_kept() -> None:
    keras = pytest.importorskip("keras")
    net = keras.Sequential([keras.Input((64, None, 1)), *keras_layers()])
    assert settled(net, sample(3, 300, 240)).input_shape == (64, 224, 1)


def test_a_network_of_one_size_is_told_how_to_say_it() -> None:
    nn = pytest.importorskip("torch").nn
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Flatten(), nn.Linear(4 * 31 * 31, 3))
    with pytest.raises(BadInput, match=r"own does not say .* \(3, 224, 224\) or \(1, 224, 224\) \(mat1") as caught:
        settled(net, sample(3, 300, 240))
    assert "return heatmark.wrap(net, input_shape=(channels, height, width))" in str(caught.value)


def test_a_keras_network_of_one_size_is_told_how_to_say_it() -> None:
    keras = pytest.importorskip("keras")

    class Own(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.parts = keras_layers(fixed=True)

        def call(self, x: Any, training: bool = False) -> Any:
            for part in self.parts:
                x = part(x)
            return x

    net = Own()
    net(np.zeros((1, 64, 64, 3), np.float32))
    with pytest.raises(BadInput, match=r"does not take \(224, 224, 3\) or \(224, 224, 1\) \(Input 0") as caught:
        settled(net, sample(3, 300, 240))
    text = str(caught.value)
    assert "keras.Input((height, width, channels))" in text and "\x1b" not in text and "\n" not in text


QUIET = """
import sys
sys.path.insert(0, {folder!r})
from heatmark.benchmark.executors.log_lines import show_notices
show_notices(); show_notices()
finders = [type(finder).__name__ for finder in sys.meta_path]
assert finders.count("_QuietFinder") == 1, finders
import users_own
import tensorflow
assert tensorflow.there and "exec_module" not in vars(tensorflow.__spec__.loader)
"""


def test_what_tensorflow_writes_is_held_back_whoever_imports_it(tmp_path: Path) -> None:
    """A stand-in for TensorFlow, which a user's file imports in a process of heatmark's own."""
    (tmp_path / "tensorflow").mkdir()
    noisy = "import os\nos.write(2, b'I0000 port.cc: on processors\\n')\nthere = True\n"
    (tmp_path / "tensorflow" / "__init__.py").write_text(noisy)
    (tmp_path / "users_own.py").write_text("import sys, tensorflow\nprint('my own words', file=sys.stderr)\n")
    code = QUIET.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "my own words\n")
    (tmp_path / "tensorflow" / "__init__.py").write_text(noisy + "raise ImportError('no driver')\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "port.cc" in done.stderr and "ImportError: no driver" in done.stderr


def test_what_a_network_returns_is_not_laid_on_its_inputs() -> None:
    torch = pytest.importorskip("torch")

    class Named(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = pooled_torch(3)

        def forward(self, x: Any) -> Any:
            return {"a": self.net(x), "b": self.net(x)}

    with pytest.raises(BadInput, match=r"returns dict .*hm\.wrap\(net, outputs=") as caught:
        settled(Named(), sample(3, 300, 240))
    assert "does not take" not in str(caught.value)
