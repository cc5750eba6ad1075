"""The zoo's small networks: the files that are shipped, and what they say in both frameworks."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict
from pathlib import Path

import networks
import numpy as np
import pytest

from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.base import Dataset
from heatmark.datasets.registry import load_dataset
from heatmark.errors import StorageError, UnknownName
from heatmark.identity import file_digest
from heatmark.models.architecture.weights_file import load_metadata, load_weights, weights_digest
from heatmark.models.normalization import Normalization
from heatmark.models.training.recipe import TrainingRecipe, accuracy_and_loss
from heatmark.models.zoo import shipped, shipping
from heatmark.models.zoo.loading import find_model, load_model, weights_id
from heatmark.models.zoo.shipped import (
    TABLE,
    WEIGHTS,
    ZOO,
    ShippedRecord,
    ZooNetwork,
    shipped_network,
    shipped_path,
    shipped_records,
)

RECORDS = shipped_records()
ROOT = Path(__file__).parents[3]
LARGEST = 2 << 20
LEAST_RIGHT = {"pooled-cnn-shapes": 0.97, "pooled-cnn-patches": 0.97, "cnn-1d-series": 0.97}

every_network = pytest.mark.parametrize("name", ZOO)


def test_the_table_the_files_and_the_recipes_are_of_the_same_networks() -> None:
    assert list(RECORDS) == list(ZOO)
    files = {f"{name}.safetensors" for name in ZOO} | {TABLE}
    assert {path.name for path in WEIGHTS.iterdir()} == files
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        path.name for pattern in patterns["heatmark.models.zoo"] for path in (ROOT / "models" / "zoo").glob(pattern)
    }
    assert packed == files


@every_network
def test_a_file_is_what_the_table_says(name: str) -> None:
    record, path = RECORDS[name], shipped_path(name)
    stored = load_weights(path)
    assert path.stat().st_size <= LARGEST
    assert file_digest(path) == record.file_sha256
    assert weights_digest(stored.arrays) == stored.metadata["digest"] == record.weights_sha256
    told = ("network", "dataset", "revision", "framework", "versions")
    assert {key: stored.metadata[key] for key in told} == {key: getattr(record, key) for key in told}
    assert stored.metadata["recipe"] == asdict(record.recipe)
    last = stored.metadata["history"][-1]
    assert (last["test_accuracy"], last["test_loss"]) == (record.test_accuracy, record.test_loss)
    assert ZOO[name] == ZooNetwork(record.network, record.dataset, record.recipe)
    assert {"numpy", record.framework} <= set(record.versions)


@every_network
def test_the_catalogue_tells_of_it(name: str) -> None:
    entry, record = find_model(name)[0], RECORDS[name]
    assert weights_id(name) == record.weights_sha256
    assert entry.input_shape == tuple(load_metadata(shipped_path(name))["input_shape"])
    assert f"{record.test_accuracy:.1%} right" in entry.summary and entry.digest == record.weights_sha256


def as_trained_on(data: Dataset, record: ShippedRecord) -> Dataset:
    """The data in the units that the network was trained on."""
    if record.units == (0.0, 1.0):
        return data
    assert isinstance(data, ArrayDataset)
    zero, width = record.units
    values = np.round((data.x.astype(np.float64) - zero) / width, 6).astype(np.float32)
    return ArrayDataset(data.name, values, data.y, ids=data.ids, class_names=data.class_names)


def test_a_network_in_other_units_reads_raw_values() -> None:
    """What `cnn-1d` was trained on is (v + 6) / 12; its weights' file knows that, its normalisation undoes it."""
    record, stored = RECORDS["cnn-1d"], load_weights(shipped_path("cnn-1d"))
    trained = Normalization(**{name: tuple(stored.metadata["normalization"][name]) for name in ("mean", "std")})
    raw = load_dataset("mnist1d").x[:20].astype(np.float64)
    np.testing.assert_allclose(
        shipped_network("cnn-1d").normalization.apply(raw, 2), trained.apply((raw + 6) / 12, 2), atol=1e-6
    )
    assert record.units == (-6.0, 12.0)
    for framework in networks.FRAMEWORKS:
        model = load_model("cnn-1d", framework)
        np.testing.assert_allclose(model.outputs(load_dataset("mnist1d").take(1, model).x)[0], record.logits, atol=1e-5)


@every_network
def test_both_frameworks_say_what_is_recorded(name: str) -> None:
    record, found = RECORDS[name], []
    for framework in networks.FRAMEWORKS:
        model = load_model(name, framework)
        data = load_dataset(record.dataset)
        batch = data.take(len(data), model)
        assert as_trained_on(data, record).revision == record.revision and len(data) == record.test_samples
        assert model.weights_id() == record.weights_sha256
        logits = model.outputs(batch.x)
        accuracy, loss = accuracy_and_loss(lambda x: x, logits, batch.y)
        assert accuracy == pytest.approx(record.test_accuracy, abs=1.01 / record.test_samples)
        assert loss == pytest.approx(record.test_loss, abs=1e-4)
        np.testing.assert_allclose(logits[0], record.logits, atol=1e-3)
        found.append(logits)
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert record.test_accuracy >= LEAST_RIGHT.get(name, 0.95)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one network's file and the table, in the place of the shipped ones."""
    for file in (shipped_path("small-cnn"), WEIGHTS / TABLE):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path)
    return tmp_path / shipped_path("small-cnn").name


def test_damaged_and_missing_files_are_refused(copied: Path) -> None:
    assert shipped_network("small-cnn").digest == RECORDS["small-cnn"].weights_sha256
    content = copied.read_bytes()
    copied.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(StorageError, match=r"small-cnn\.safetensors are damaged .* Install heatmark again"):
        shipped_network("small-cnn")
    copied.unlink()
    with pytest.raises(StorageError, match=r"Cannot read the shipped weights .*small-cnn\.safetensors"):
        load_model("small-cnn")


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    for text in ("{", '{"small-cnn": {}}', '{"small-cnn": {"recipe": {"epochs": 0}, "logits": []}}', "[]"):
        (tmp_path / TABLE).write_text(text)
        with pytest.raises(StorageError, match="table of shipped networks"):
            shipped_records(tmp_path)


def test_networks_are_made_and_entered_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {
        name: ZooNetwork("small-cnn", "digits", TrainingRecipe(epochs=2, seed=seed)) for seed, name in enumerate("ab")
    }
    monkeypatch.setattr(shipping, "ZOO", quick)
    second, first = (shipping.ship(name, tmp_path) for name in "ba")
    assert shipped_records(tmp_path) == {"a": first, "b": second}
    assert list(json.loads((tmp_path / TABLE).read_text())) == ["a", "b"]
    assert first.file_sha256 == file_digest(tmp_path / "a.safetensors") and first.recipe == quick["a"].recipe
    assert first.test_accuracy > 0.5 and len(first.logits) == 10 and first.weights_sha256 != second.weights_sha256
    assert shipping.ship("a", tmp_path) == first
    with pytest.raises(UnknownName, match="The zoo has a, b"):
        shipping.ship("c", tmp_path)
