"""The zoo's small networks: what each one is, and its weights, which are the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import StorageError
from ...identity import file_digest
from ..training.kept import RECIPES, RestoredNetwork, restore
from ..training.recipe import TrainingRecipe

WEIGHTS = Path(__file__).with_name("weights")
"""One safetensors file per network, and the table of them."""

TABLE, SUFFIX = "networks.json", ".safetensors"


@dataclass(frozen=True)
class ZooNetwork:
    """A small network of the zoo: which one, on what data, how.

    Training again gives another network, since rounding differs between processors and versions and training makes
    much of little. So the weights are shipped, and the recipe says how they came to be (`shipping.ship`).
    """

    network: str
    dataset: str
    recipe: TrainingRecipe


@dataclass(frozen=True)
class ShippedRecord:
    """What the table of the shipped networks says of one."""

    network: str
    dataset: str
    revision: str
    recipe: TrainingRecipe
    """Which network it is, the dataset it was trained on with that one's revision, and how."""
    framework: str
    versions: Mapping[str, str]
    """What it was trained with."""
    file_sha256: str
    weights_sha256: str
    """Of the file's bytes, and the digest that identifies the weights in results (`weights_file.weights_digest`)."""
    test_samples: int
    test_accuracy: float
    test_loss: float
    """On how many test samples which share of answers was right, and the mean cross-entropy (nats)."""
    logits: tuple[float, ...]
    """Of the first test sample, as the framework it was trained with gave them."""
    units: tuple[float, float] = (0.0, 1.0)
    """(zero, width): it was trained on (v - zero) / width for raw values v; the revision is of what it
    was trained on.
    """


ZOO: Mapping[str, ZooNetwork] = {
    "small-cnn": ZooNetwork("small-cnn", "digits", RECIPES["small-cnn"]),
    "small-cnn-mnist": ZooNetwork(
        "small-cnn", "mnist", TrainingRecipe(epochs=5, learning_rate=3e-3, augmentation="shift", shift=1)
    ),
    "vgg7": ZooNetwork("vgg7", "mnist", RECIPES["vgg7"]),
    "cnn-1d": ZooNetwork("cnn-1d", "mnist1d", RECIPES["cnn-1d"]),
    "pooled-cnn-shapes": ZooNetwork("pooled-cnn", "shapes", RECIPES["pooled-cnn"]),
    "pooled-cnn-patches": ZooNetwork("pooled-cnn", "patches", replace(RECIPES["pooled-cnn"], epochs=4)),
    "cnn-1d-series": ZooNetwork(
        "cnn-1d", "series", TrainingRecipe(epochs=5, learning_rate=4e-3, augmentation="erase", erased=0.4)
    ),
    "vit-tiny": ZooNetwork("vit-tiny", "digits", RECIPES["vit-tiny"]),
}


def shipped_network(name: str) -> RestoredNetwork:
    """Return a small network of the zoo.

    Raises
    ------
    StorageError
        If its file is missing, or is not the one that the table names.
    """
    path = shipped_path(name)
    try:
        known = file_digest(path) == shipped_records()[name].file_sha256
    except OSError as error:
        raise StorageError(f"Cannot read the shipped weights {path}: {error}. {_REMEDY}") from error
    if not known:
        raise StorageError(f"The shipped weights {path} are damaged or of another version. {_REMEDY}")
    restored = restore(path, name)
    zero, width = shipped_records()[name].units
    return replace(restored, normalization=restored.normalization.in_units(zero, width))


def shipped_path(name: str) -> Path:
    """Return the file of a small network's weights."""
    return WEIGHTS / f"{name}{SUFFIX}"


def shipped_records(folder: Path = WEIGHTS) -> dict[str, ShippedRecord]:
    """Return the table of the shipped networks, by name; StorageError where it cannot be read."""
    path = folder / TABLE
    try:
        return {name: _record(values) for name, values in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StorageError(f"Cannot read the table of shipped networks {path}: {error!r}. {_REMEDY}") from error


def _record(values: Mapping[str, Any]) -> ShippedRecord:
    known = {"recipe": TrainingRecipe(**values["recipe"]), "logits": tuple(values["logits"])}
    zero, width = values.get("units", (0.0, 1.0))
    return ShippedRecord(**{**values, **known, "units": (float(zero), float(width))})


_REMEDY = "Install heatmark again."
