"""Models of one's own by name, what is stated of them behind it, and that other answers are other cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from heatmark.benchmark.executors.usual_frameworks import usual_frameworks
from heatmark.benchmark.work.named_models import check_name, identity, identity_without_loading, is_own
from heatmark.cli.main import app
from heatmark.errors import BadInput, NotApplicable
from heatmark.identity import file_digest
from heatmark.models.conventions import Conventions
from heatmark.models.zoo.loading import load_model
from heatmark.models.zoo.stated import split_stated, with_stated

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

BYTES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
UNIT = BYTES.astype(np.float32) / 255


@pytest.mark.parametrize(
    "text, name, stated",
    [
        ("file:net.keras", "file:net.keras", Conventions()),
        ("file:net.keras[domain=0..255]", "file:net.keras", Conventions(domain=(0.0, 255.0))),
        ("net.py:build[output=binary, domain=-1..1]", "net.py:build", Conventions(output="binary", domain=(-1.0, 1.0))),
        ("a.b:c[neutral=0.5,channel_axis=-1]", "a.b:c", Conventions(neutral=0.5, channel_axis=-1)),
        ("a.b:c[neutral=0.5/0.4/0.3]", "a.b:c", Conventions(neutral=(0.5, 0.4, 0.3))),
        ("a.b:c[neutral=mean]", "a.b:c", Conventions(neutral="mean")),
        ("file:my[1].keras[output=logits]", "file:my[1].keras", Conventions(output="logits")),
    ],
)
def test_what_is_stated_is_read(text: str, name: str, stated: Conventions) -> None:
    assert split_stated(text) == (name, stated)


@pytest.mark.parametrize(
    "text, message",
    [
        ("a:b[domian=0..1]", "Did you mean 'domain'"),
        ("a:b[domain=0:255]", r"domain=0\.\.255"),
        ("a:b[output]", r"output=KIND"),
        ("a:b[output=logit]", "Did you mean 'logits'"),
        ("a:b[channel_axis=first]", "write 1 or -1"),
    ],
)
def test_what_cannot_be_stated_is_said(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        split_stated(text)


def test_an_option_adds_to_what_stands_there() -> None:
    assert with_stated("net.py:build", output=None) == "net.py:build"
    assert with_stated("net.py:build", output="binary") == "net.py:build[output=binary]"
    assert with_stated("net.py:build[domain=0..1]", output="binary") == "net.py:build[domain=0..1,output=binary]"
    with pytest.raises(BadInput, match="already"):
        with_stated("net.py:build[output=logits]", output="binary")


def saved(folder: Path, name: str, *layers: keras.layers.Layer) -> Path:
    keras.utils.set_random_seed(0)
    path = folder / f"{name}.keras"
    keras.Sequential([keras.Input((8, 8, 3)), *layers]).save(path)
    return path


def head(activation: str | None = None) -> list[keras.layers.Layer]:
    return [keras.layers.Flatten(), keras.layers.Dense(3, activation=activation)]


def test_a_saved_model_takes_what_is_stated(tmp_path: Path) -> None:
    path = saved(tmp_path, "net", keras.layers.Rescaling(1 / 255), *head())
    stated = load_model(f"file:{path}[domain=0..255]")
    assert stated.framework == "tensorflow" and stated.name == "net"
    with pytest.warns(UserWarning, match="times 255"):
        told = load_model(f"file:{path}")
    np.testing.assert_allclose(stated.outputs(BYTES), told.outputs(UNIT), rtol=1e-4, atol=1e-5)
    with pytest.raises(NotApplicable, match="is a tensorflow network"):
        load_model(f"file:{path}", framework="torch")
    check_name(f"file:{path}[domain=0..255]")
    assert is_own(f"file:{path}[domain=0..255]")
    assert usual_frameworks(f"file:{path}[domain=0..255]") == ("tensorflow",)


@pytest.mark.filterwarnings("ignore:.*times 255")
def test_other_answers_are_other_cells(tmp_path: Path) -> None:
    """A file is known by its digest as long as nothing about it is stated or told by looking at it."""
    plain = f"file:{saved(tmp_path, 'plain', *head('softmax'))}"
    digest = file_digest(tmp_path / "plain.keras")
    assert identity_without_loading(plain) == identity(load_model(plain), plain) == digest
    seen = {digest}
    for stated in ("domain=0..255", "output=logits", "output=multi-label", "neutral=0.5"):
        name = f"{plain}[{stated}]"
        assert identity_without_loading(name) is None
        with pytest.warns(UserWarning) if stated == "output=logits" else _nothing():
            model = load_model(name)
        assert identity(model, name) == identity(model, name)
        seen.add(identity(model, name))
    assert len(seen) == 5
    for name, layers in {"bytes": [keras.layers.Rescaling(1 / 255), *head()], "labels": head("sigmoid")}.items():
        text = f"file:{saved(tmp_path, name, *layers)}"
        assert identity_without_loading(text) is None
        assert identity(load_model(text), text) != file_digest(tmp_path / f"{name}.keras")
    # What may be told by looking, but is not there, changes nothing.
    usual = f"file:{saved(tmp_path, 'usual', keras.layers.Rescaling(2.0, -1.0), *head())}"
    assert identity(load_model(usual), usual) == file_digest(tmp_path / "usual.keras")


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_a_builder_s_network_takes_what_is_stated(tmp_path: Path) -> None:
    (tmp_path / "built_net.py").write_text(
        "import torch, heatmark\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3))\n"
        "def wrapped():\n"
        "    return heatmark.wrap(build(), input_shape=(3, 8, 8))\n"
    )
    name = f"{tmp_path / 'built_net.py'}:build"
    model = load_model(f"{name}[domain=0..255,output=multi-label]")
    x = np.moveaxis(BYTES, -1, 1)
    np.testing.assert_allclose(
        model.outputs(x), model.net(torch.tensor(x).float()).detach().numpy(), rtol=1e-4, atol=1e-3
    )
    assert model.link == "logistic" and load_model(name, framework="torch").link == "softmax"
    assert identity(model, f"{name}[domain=0..255,output=multi-label]") != identity(load_model(name), name)
    with pytest.raises(BadInput, match=r"where hm\.wrap is called"):
        load_model(f"{tmp_path / 'built_net.py'}:wrapped[output=logits]")


@pytest.mark.slow
def test_the_framework_of_built_networks_is_found_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "keras_net.py").write_text(
        "def build():\n    import keras\n    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])\n"
    )
    assert usual_frameworks(f"{tmp_path / 'keras_net.py'}:build") == ("tensorflow",)


@pytest.mark.filterwarnings("ignore:.*times 255")
def test_pictures_are_explained_with_the_framework_that_the_network_has(tmp_path: Path) -> None:
    path = saved(tmp_path, "net", keras.layers.Rescaling(1 / 255), *head("sigmoid"))
    Image.fromarray(BYTES[0]).save(tmp_path / "picture.png")
    command = ["explain", str(tmp_path / "picture.png"), "--methods", "saliency", "--out", str(tmp_path / "out.png")]
    done = CliRunner().invoke(app, [*command, "--model", f"file:{path}", "--output", "multi-label", "--target", "1"])
    assert done.exit_code == 0 and (tmp_path / "out.png").is_file(), done.output
    refused = CliRunner().invoke(app, [*command, "--model", "small-cnn", "--output", "logits"])
    assert refused.exit_code == 2 and "a network of your own" in refused.output
