"""Networks trained here: training one, keeping it with its record, and finding it again by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.base import Dataset
from ...errors import BadInput, StorageError, UnknownName, suggestion
from ...storage import cache_folder
from ..architecture.nodes import Architecture, check_weights
from ..architecture.small_networks import NETWORKS
from ..architecture.weights_file import StoredWeights, load_metadata, load_weights, save_weights
from ..catalogue import MODELS
from ..conventions import Conventions
from ..devices import installed_frameworks, package_version, require_framework
from ..normalization import Normalization
from ..queries import FRAMEWORKS
from .recipe import Epoch, Progress, TrainingRecipe, fit, for_few_samples, measured_normalization, with_epochs
from .training_data import TrainingData, training_data

_SUFFIX = ".safetensors"
_SEEN, _HELD_OUT, _FOLDER = "seen", "held_out", "folder"
"""Under which the record has the ids of the samples that were trained on, the number of others, and where they lay."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")

#: How each network is trained unless told otherwise.
RECIPES: Mapping[str, TrainingRecipe] = {
    "small-cnn": TrainingRecipe(epochs=12),
    "vgg7": TrainingRecipe(epochs=6, augmentation="shift", shift=1),
    "pooled-cnn": TrainingRecipe(epochs=9, learning_rate=5e-3, augmentation="erase", erased=0.4),
    "cnn-1d": TrainingRecipe(epochs=20, learning_rate=4e-3, augmentation="shift", shift=2),
    "vit-tiny": TrainingRecipe(epochs=25, learning_rate=4e-3, weight_decay=5e-2),
}


@dataclass(frozen=True)
class TrainedModel:
    """The record of a trained network."""

    name: str
    """What ``--models`` and `load_model` take."""
    path: Path
    """Its file."""
    test_accuracy: float
    test_loss: float
    """Share of right answers and mean cross-entropy (nats) on the test samples."""
    history: tuple[Epoch, ...]
    """One record per epoch."""
    dataset: str
    framework: str
    """What it was trained on, and with."""
    digest: str
    """The SHA-256 of its weights."""
    seen: int = 0
    held_out: int = 0
    """How many of the dataset's samples it was trained on, and how many were kept for testing, where these were drawn
    from it; 0 where the data comes with a split of its own.
    """


@dataclass(frozen=True)
class RestoredNetwork:
    """A trained network read back: everything that a framework needs to build it."""

    architecture: Architecture
    weights: dict[str, np.ndarray]
    normalization: Normalization
    """The network."""
    class_names: tuple[str, ...]
    """One name per class."""
    digest: str
    """The SHA-256 that identifies the weights."""
    record: TrainedModel
    """How it was trained."""
    conventions: Conventions
    """What the data that it was trained on said of its raw values."""


def train(
    network: str,
    data: str | Dataset,
    framework: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    name: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
) -> TrainedModel:
    """Train a small network and keep it under a name that `load_model` takes.

    Parameters
    ----------
    network
        ``small-cnn``, ``vgg7``, ``pooled-cnn``, ``cnn-1d`` or ``vit-tiny``.
    data
        A dataset or its name, ``image-folder:PATH`` for pictures of one's own.
    framework
        ``torch`` or ``tensorflow``; by default PyTorch where it is installed. The weights load in both.
    epochs, seed
        Passes over the training set, by default the recipe's, and more where there are few samples; what the initial
        weights, batches and split are drawn from.
    name
        What to keep it under, by default ``NETWORK@DATASET``. A network trained earlier under it is replaced.
    size
        The side that pictures are brought to; by default their own up to 64 pixels, else 64.
    progress
        Called after each epoch with its `Epoch` and the number of epochs.

    Returns
    -------
    TrainedModel

    Raises
    ------
    UnknownName
        For a network or dataset that does not exist.
    BadInput
        For a name that is taken by the zoo or cannot be a file's, samples that do not fit the network, or a loss
        that diverges.
    """
    if network not in NETWORKS:
        raise UnknownName(
            f"Unknown network {network!r}.{suggestion(network, NETWORKS)} One can train {', '.join(NETWORKS)}."
        )
    framework = framework or default_framework()
    require_framework(framework)
    if name is not None:
        trained_path(name)  # complain before the work, not after it
    recipe = with_epochs(RECIPES[network], epochs, seed)
    samples = training_data(data, seed, size)
    recipe = for_few_samples(recipe, len(samples.split.train_x), more_epochs=epochs is None)
    title = name or f"{network}@{_as_file_name(samples.title)}"
    path = trained_path(title)
    save_weights(path, trained_weights(network, samples, recipe, framework, progress))
    return read_record(path, title)


def trained_weights(
    network: str, data: TrainingData, recipe: TrainingRecipe, framework: str, progress: Progress | None = None
) -> StoredWeights:
    """Train and return the weights with all that is needed to build and describe the network again."""
    architecture = NETWORKS[network](data.input_shape, len(data.class_names))
    normalization = measured_normalization(data.split.train_x)
    weights, history = fit(framework, architecture, normalization, data.split, recipe, progress)
    metadata: dict[str, Any] = {
        "network": network,
        "input_shape": list(data.input_shape),
        "class_names": list(data.class_names),
        "dataset": data.dataset,
        "revision": data.revision,
        "framework": framework,
        "versions": _versions(framework),
        "recipe": asdict(recipe),
        "normalization": {"mean": list(normalization.mean), "std": list(normalization.std)},
        "raw_values": asdict(data.values),
        "history": [asdict(epoch) for epoch in history],
    }
    if data.seen:
        metadata[_SEEN] = list(data.seen)
        metadata[_HELD_OUT] = len(data.split.test_x)
        metadata[_FOLDER] = None if data.folder is None else str(data.folder.resolve())
    return StoredWeights(weights, metadata)


def trained_path(name: str) -> Path:
    """Return the file of a trained network; BadInput for a name that cannot be one."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"A trained network cannot be called {name!r}: use letters, digits and the signs . _ @ -")
    if name in MODELS.names():
        raise BadInput(f"The name {name!r} belongs to the zoo. Choose another name for your network.")
    return cache_folder("trained") / f"{name}{_SUFFIX}"


def trained_names() -> list[str]:
    """Return the names of all networks trained with `train`, sorted."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in cache_folder("trained").glob(f"[!.]*{_SUFFIX}"))


def unseen_positions(name: str, dataset: Dataset) -> list[int] | None:
    """Return which samples of a dataset a network trained here was not trained on.

    None where nothing of the dataset was drawn for its training: for networks of the zoo and of one's own files, other
    data, data with a split of its own, and networks trained before samples were recorded.
    """
    if ":" in name or name in MODELS.names() or name not in trained_names():
        return None
    try:
        record = load_metadata(trained_path(name))
    except StorageError:
        return None
    seen = frozenset(record.get(_SEEN) or ())
    if not seen:
        return None
    same_folder = dataset.folder is not None and str(dataset.folder.resolve()) == record.get(_FOLDER)
    if not same_folder and dataset.revision != record.get("revision"):
        return None
    unseen = [index for index in range(len(dataset)) if dataset.sample_id(index) not in seen]
    if not unseen:
        raise BadInput(
            f"{name} was trained on all {len(dataset)} samples of {dataset.title} that are there now: none is left to "
            "judge it by. Add pictures that it has not seen, or take all with --part all."
        )
    return unseen if len(unseen) < len(dataset) else None


def read_record(path: Path, name: str) -> TrainedModel:
    """Return the record in a weights file; StorageError where it cannot be read."""
    return _record(load_metadata(path), path, name)


def restore(path: Path, name: str) -> RestoredNetwork:
    """Read a trained network back, checking its digest; StorageError where it is damaged."""
    stored = load_weights(path)
    record = _record(stored.metadata, path, name)
    try:
        metadata = stored.metadata
        build = NETWORKS[metadata["network"]]
        architecture = build(tuple(metadata["input_shape"]), len(metadata["class_names"]))
        check_weights(architecture, stored.arrays)
        normalization = Normalization(tuple(metadata["normalization"]["mean"]), tuple(metadata["normalization"]["std"]))
        names = tuple(metadata["class_names"])
        said = _conventions(metadata.get("raw_values", {}))
        return RestoredNetwork(architecture, stored.arrays, normalization, names, metadata["digest"], record, said)
    except (KeyError, TypeError, BadInput) as error:
        raise StorageError(f"{path} does not describe a network ({error!r}). Delete it and train again.") from error


def _conventions(said: Mapping[str, Any]) -> Conventions:
    """Return what a file says of raw values; files from before it was kept say nothing."""
    domain, neutral = said.get("domain"), said.get("neutral")
    return Conventions(
        domain=None if domain is None else (float(domain[0]), float(domain[1])),
        neutral=tuple(neutral) if isinstance(neutral, list) else neutral,
    )


def default_framework() -> str:
    """Return PyTorch where it is installed, else TensorFlow; MissingExtra where neither is."""
    found = installed_frameworks()
    if not found:
        require_framework(FRAMEWORKS[0])
    return found[0]


def _versions(framework: str) -> dict[str, str]:
    """Return the versions of the packages that took part in training, as far as they are known."""
    packages = ("heatmark", "numpy", *(("torch",) if framework == "torch" else ("tensorflow", "keras")))
    return {name: version for name in packages if (version := package_version(name)) is not None}


def _record(metadata: Mapping[str, Any], path: Path, name: str) -> TrainedModel:
    try:
        history = tuple(Epoch(**epoch) for epoch in metadata["history"])
        last = history[-1]
        return TrainedModel(
            name,
            path,
            last.test_accuracy,
            last.test_loss,
            history,
            metadata["dataset"],
            metadata["framework"],
            metadata["digest"],
            len(metadata.get(_SEEN) or ()),
            int(metadata.get(_HELD_OUT) or 0),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise StorageError(f"{path} has no training record ({error!r}). Delete it and train again.") from error


def _as_file_name(title: str) -> str:
    """Return a dataset's short name with nothing in it that a file name cannot have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-") or "data"
