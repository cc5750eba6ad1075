"""Other libraries' weights in their caches: what is damaged is set aside and fetched again, or told."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest

from heatmark.errors import HeatmarkError
from heatmark.models.zoo.loading import load_model


def test_a_damaged_torchvision_file_is_set_aside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from heatmark.models.zoo.torchvision_operators import import_torchvision

    good = import_torchvision().models.squeezenet1_1().state_dict()

    def download(url: str, destination: str, *_: object, **__: object) -> None:
        torch.save(good, destination)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    file = tmp_path / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    file.parent.mkdir()
    file.write_bytes(b"half a download")
    with pytest.warns(RuntimeWarning, match="fetched again"):
        model = load_model("torchvision:squeezenet1_1")
    assert model.num_classes == 1000
    assert file.with_name(f"{file.name}.corrupt").read_bytes() == b"half a download"


def test_a_cached_torchvision_file_that_is_another_networks_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    from heatmark.models.zoo.torchvision_operators import import_torchvision

    def closed(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", closed)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    file = tmp_path / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    file.parent.mkdir()
    torch.save(import_torchvision().models.squeezenet1_1().state_dict(), file)  # it loads, and is not the official one
    with pytest.warns(RuntimeWarning, match="SHA-256"), pytest.raises(HeatmarkError, match="Cannot fetch the weights"):
        load_model("torchvision:squeezenet1_1")
    assert not file.exists() and file.with_name(f"{file.name}.corrupt").exists()


def test_a_damaged_file_of_keras_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("keras")
    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "models"
    folder.mkdir()
    # Keras has no checksum of this one, and reads what is there.
    (folder / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5").write_bytes(b"half a download")
    with pytest.raises(HeatmarkError) as caught:
        load_model("keras:MobileNetV2")
    for part in ("MobileNetV2 cannot be built", str(folder), "remove it"):
        assert part in str(caught.value)
