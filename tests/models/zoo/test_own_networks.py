"""A user's own networks by name: a function in a file or module, and saved Keras models, which run no code."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import networks
import numpy as np
import pytest

from heatmark.errors import BadInput, HeatmarkError, UnknownName
from heatmark.models.architecture.nodes import initial_weights
from heatmark.models.zoo.loading import load_model
from heatmark.models.zoo.user_models import model_from_text, user_weights_id

BUILDER = """
from dataclasses import dataclass
import torch
import sibling

@dataclass
class Options:
    classes: int = 3

def build():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(1), torch.nn.Linear(1, sibling.CLASSES))

def flat():
    from heatmark.models.zoo.loading import LoadedNetwork
    return LoadedNetwork(torch.nn.Linear(5, Options().classes), input_shape=(5,))

def wrong():
    return "no network"

def failing():
    raise RuntimeError("weights not found")

number = 3
"""


@pytest.fixture
def builder(tmp_path: Path) -> Path:
    (tmp_path / "sibling.py").write_text("CLASSES = 4\n")
    path = tmp_path / "networks_of_mine.py"
    path.write_text(BUILDER)
    return path


def test_a_builder_in_a_file(builder: Path) -> None:
    before = list(sys.path)
    model = model_from_text(f"{builder}:flat")
    assert (model.framework, model.num_classes, model.input_shape) == ("torch", 3, (5,))
    assert model_from_text(f"{builder}:build").framework == "torch"
    assert sys.path == before


def test_a_builder_in_a_module(builder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(builder.parent)
    assert model_from_text("networks_of_mine:flat").num_classes == 3


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("{file}", BadInput, "Write pkg.module:build"),
        ("{file}:", BadInput, "Write pkg.module:build"),
        ("{file}:missing", BadInput, "has no function 'missing'"),
        ("{file}:number", BadInput, "cannot be called"),
        ("{file}:wrong", BadInput, "no network"),
        ("{file}:failing", HeatmarkError, r"RuntimeError: weights not found \(.*networks_of_mine.py, line \d+"),
        ("{folder}/none.py:build", BadInput, "There is no file"),
        ("no_such_package.module:build", BadInput, "no module 'no_such_package'"),
        ("file:{folder}/none.keras", BadInput, "There is no file"),
        ("file:{file}", BadInput, "has to end in .keras"),
    ],
)
def test_what_is_wrong_with_an_own_model_is_said(
    builder: Path, text: str, error: type[HeatmarkError], message: str
) -> None:
    with pytest.raises(error, match=message):
        model_from_text(text.format(file=builder, folder=builder.parent))


def test_an_import_that_fails_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import a_package_that_is_not_there\n")
    with pytest.raises(HeatmarkError, match=r"ModuleNotFoundError.*broken\.py, line 1"):
        model_from_text(f"{path}:build")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same network as .keras and .h5."""
    architecture = networks.residual((8, 8, 3), 3)
    network = networks.built(architecture, "tensorflow", initial_weights(architecture, 0))
    folder = tmp_path_factory.mktemp("saved")
    for suffix in ("keras", "h5"):
        network.save(folder / f"net.{suffix}")  # type: ignore[attr-defined]
    return {suffix: folder / f"net.{suffix}" for suffix in ("keras", "h5")}


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_saved_keras_models_load(saved: dict[str, Path], suffix: str) -> None:
    model = model_from_text(f"file:{saved[suffix]}")
    architecture = networks.residual((8, 8, 3), 3)
    x = networks.pictures(2, (8, 8, 3))
    expected = networks.built(architecture, "tensorflow", initial_weights(architecture, 0))(x, training=False)  # type: ignore[operator]
    np.testing.assert_allclose(model.outputs(x), expected, atol=1e-6)
    assert model.weights_id() == user_weights_id(f"file:{saved[suffix]}")


def with_layer(source: Path, target: Path, layer: dict[str, object]) -> Path:
    """Copy a .keras file with another layer's description put into its network."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                configuration = json.loads(content)
                configuration["config"]["layers"].append(layer)
                content = json.dumps(configuration).encode()
            new.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"module": "keras.layers", "class_name": "Lambda", "config": {}}, "Lambda layer"),
        ({"module": "builtins", "class_name": "function", "config": "eval"}, "calls the function builtins.eval"),
        ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, "keras.utils.get_file"),
        ({"module": "os", "class_name": "system", "config": {}}, "os.system, which is not part of Keras"),
        ({"class_name": "Mine", "registered_name": "pkg>Mine", "config": {}}, "pkg>Mine"),
        ({"class_name": "Dense", "config": {"activation": {"class_name": "__lambda__"}}}, "contains a function"),
    ],
)
def test_saved_models_that_need_code_are_refused(
    saved: dict[str, Path], tmp_path: Path, layer: dict[str, object], message: str
) -> None:
    path = with_layer(saved["keras"], tmp_path / "code.keras", layer)
    with pytest.raises(BadInput, match=message) as caught:
        model_from_text(f"file:{path}")
    assert "--model pkg.module:build" in str(caught.value)


def test_an_h5_file_with_a_lambda_layer_is_refused(tmp_path: Path) -> None:
    import keras

    network = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(2)])
    network.save(tmp_path / "lambda.h5")
    with pytest.raises(BadInput, match="Lambda layer"):
        model_from_text(f"file:{tmp_path / 'lambda.h5'}")


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    import keras

    for suffix in ("keras", "h5"):
        path = tmp_path / f"text.{suffix}"
        path.write_text("not a model")
        with pytest.raises(BadInput, match="as a saved Keras model"):
            model_from_text(f"file:{path}")
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    network.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(BadInput, match="weights only"):
        model_from_text(f"file:{tmp_path / 'only.weights.h5'}")


def test_a_saved_model_is_judged_without_importing_keras(saved: dict[str, Path], tmp_path: Path) -> None:
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
    refused = f"file:{with_layer(saved['keras'], tmp_path / 'code.keras', layer)}"
    script = (
        "import sys\n"
        "from heatmark.benchmark.work.named_models import check_name\n"
        f"check_name({'file:' + str(saved['keras'])!r})\n"
        f"try: check_name({refused!r})\n"
        "except ValueError as error: print(error)\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Lambda layer" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mynet.py", r"mynet\.py:build"),
        ("net.keras", r"file:net\.keras"),
        ("net.h5", r"file:net\.h5"),
        ("net.pth", r"file\.py:build"),
    ],
)
def test_a_file_instead_of_a_name_is_told_how_to_be_named(name: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        load_model(name)


def test_a_module_without_its_function_is_told_how_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mynet.py").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownName, match=r"returns it: mynet\.py:build"):
        load_model("mynet")


def test_a_misspelt_family_is_suggested() -> None:
    with pytest.raises(BadInput, match="Did you mean 'torchvision:'"):
        model_from_text("torchvison:resnet18")
