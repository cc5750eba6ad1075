"""Loading models by name: the registry, torchvision's and Keras' collections."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import networks
import numpy as np
import pytest

from heatmark.errors import BadInput, HeatmarkError, MissingExtra, NotApplicable, UnknownName
from heatmark.models import devices
from heatmark.models.architecture.nodes import initial_weights
from heatmark.models.zoo import loading as model_registry
from heatmark.models.zoo.loading import LoadedNetwork, find_model, list_models, load_model, register_model, weights_id


def test_the_zoo_is_listed_in_both_frameworks() -> None:
    entries = {entry.name: entry for entry in list_models()}
    for name in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "small-cnn", "cnn-1d", "vgg7"):
        assert entries[name].frameworks == ("torch", "tensorflow")
        assert entries[name].datasets and entries[name].license and entries[name].weights
    assert entries["torchvision:"].frameworks == ("torch",)
    assert entries["keras:"].frameworks == ("tensorflow",)


def test_listing_imports_no_framework() -> None:
    script = "import sys, heatmark as hm; hm.list_models(); print({'torch', 'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize(
    ("name", "framework", "error", "message"),
    [
        ("efficientnet-lite", None, UnknownName, "Did you mean 'efficientnet-lite"),
        ("pkg.module:build", None, BadInput, "no module 'pkg'"),
        ("torchvision:", None, BadInput, "torchvision:vgg16"),
        ("torchvision", None, BadInput, "torchvision:vgg16"),
        ("small-cnn", "tensorflw", BadInput, "Did you mean 'tensorflow'"),
        ("torchvision:vgg16", "tensorflow", NotApplicable, "only in torch"),
        ("keras:VGG16", "torch", NotApplicable, "only in tensorflow"),
        ("torchvision:vgg1", None, UnknownName, "Did you mean 'vgg1"),
        ("torchvision:vgg16@NONE", None, UnknownName, "IMAGENET1K_V1"),
        ("keras:VG16", None, UnknownName, "Did you mean 'VGG16'"),
        ("keras:VGG16@other", None, UnknownName, "imagenet and random"),
    ],
)
def test_wrong_names_say_what_there_is(
    name: str, framework: str | None, error: type[HeatmarkError], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_model(name, framework)


def test_a_missing_framework_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "installed_frameworks", lambda: ("torch",))
    with pytest.raises(MissingExtra, match=r"heatmark\[tensorflow\]"):
        load_model("efficientnet-lite0", "tensorflow")


@pytest.fixture
def registered() -> Iterator[str]:
    name = "registered-for-a-test"

    @register_model(name, datasets=["digits"], summary="a test", input_shape=(6, 6, 2))
    def build(framework: str) -> LoadedNetwork:
        architecture = networks.plain((6, 6, 2), 3)
        network = networks.built(architecture, framework, initial_weights(architecture, 0))
        return LoadedNetwork(network, input_shape=(2, 6, 6) if framework == "torch" else (6, 6, 2), weights_id="seed 0")

    yield name
    del model_registry.MODELS._entries[name]


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_a_registered_model_loads(registered: str, framework: str) -> None:
    model = load_model(registered, framework)
    assert (model.name, model.num_classes, model.weights_id()) == (registered, 3, "seed 0")
    assert find_model(registered)[0].family == "own" and find_model(registered)[0].origin == __name__
    assert weights_id(registered) is None


def test_names_and_frameworks_are_checked_when_registering() -> None:
    with pytest.raises(BadInput, match="Choose another"):
        register_model("with:colon")
    with pytest.raises(BadInput, match="jax"):
        register_model("fine", frameworks=["jax"])


def test_torchvision_brings_its_own_preprocessing() -> None:
    model = load_model("torchvision:squeezenet1_1@random")
    assert model.input_shape == (3, 224, 224) and model.num_classes == 1000
    assert model.class_names is not None and model.class_names[0] == "tench"
    assert model.sizing.crop == pytest.approx(224 / 256) and model.sizing.interpolation == "bilinear"
    np.testing.assert_allclose(np.ravel(model.zero), [0.485, 0.456, 0.406])
    x = np.random.default_rng(0).random((1, 3, 224, 224), dtype=np.float32)
    again = load_model("torchvision:squeezenet1_1@random")
    np.testing.assert_array_equal(model.outputs(x), again.outputs(x))
    assert model.weights_id() == weights_id("torchvision:squeezenet1_1@random")
    assert weights_id("torchvision:squeezenet1_1@random") != weights_id("torchvision:squeezenet1_1")


def test_torchvision_without_a_network_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    def closed(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", closed)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(HeatmarkError) as caught:
        load_model("torchvision:squeezenet1_1")
    for part in ("squeezenet1_1-b8a52dc0.pth", "https://download.pytorch.org/models/", str(tmp_path / "checkpoints")):
        assert part in str(caught.value)


def test_code_in_a_torchvision_file_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    trace = tmp_path / "it-ran"

    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (trace,)  # type: ignore[return-value]

    def download(url: str, destination: str, *_: object, **__: object) -> None:
        torch.save({"weight": Malicious()}, destination)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(HeatmarkError, match="squeezenet"):
        load_model("torchvision:squeezenet1_1")
    assert not trace.exists()


def test_keras_preprocessing_is_the_applications_own() -> None:
    import keras

    from heatmark.models.zoo.keras_models import PREPROCESSING

    raw = np.random.default_rng(0).random((2, 4, 5, 3), dtype=np.float32)
    for module, rule in PREPROCESSING.items():
        expected = getattr(keras.applications, module).preprocess_input(raw * 255)
        np.testing.assert_allclose(rule.apply(raw, 3), expected, atol=2e-4, err_msg=module)
    makers = [getattr(keras.applications, name) for name in dir(keras.applications)]
    assert {item.__module__.rpartition(".")[2] for item in makers if callable(item)} <= PREPROCESSING.keys()


def test_keras_applications_give_logits() -> None:
    model = load_model("keras:MobileNetV2@random")
    assert model.input_shape == (224, 224, 3) and model.num_classes == 1000
    scores = model.outputs(np.random.default_rng(0).random((2, 224, 224, 3), dtype=np.float32))
    assert np.ptp(scores) > 0 and not np.allclose(scores.sum(1), 1)


def test_keras_without_a_network_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from keras.src.utils import file_utils

    def closed(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(file_utils, "urlretrieve", closed)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(HeatmarkError) as caught:
        load_model("keras:MobileNetV2")
    for part in ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", "https://", str(tmp_path / "models")):
        assert part in str(caught.value)
