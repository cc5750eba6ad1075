"""The zoo's small networks, which are trained once, when they are first asked for."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import HeatmarkError, StorageError
from ...identity import digest
from ...storage import cache_folder
from ..architecture.weights_file import load_metadata, save_weights, warn_set_aside
from .kept import RECIPES, RestoredNetwork, default_framework, restore, trained_weights
from .recipe import TrainingRecipe
from .training_data import training_data

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class ZooNetwork:
    """A small network of the zoo: which one, on what data, how."""

    network: str
    dataset: str
    recipe: TrainingRecipe


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


def zoo_network(name: str) -> RestoredNetwork:
    """Return a small network of the zoo, trained now if it has not been, or if its file is damaged."""
    path = zoo_path(name)
    if path.exists():
        try:
            return restore(path, name)
        except StorageError as error:
            warn_set_aside(path, error)
    _train(name)
    return restore(path, name)


def zoo_weights_id(name: str) -> str:
    """Return the SHA-256 of a small network's weights without importing a framework here; may have to train it."""
    path = zoo_path(name)
    if path.exists():
        try:
            return str(load_metadata(path)["digest"])
        except (StorageError, KeyError):
            pass  # the full look below repairs it
    return zoo_network(name).digest


def zoo_path(name: str) -> Path:
    """Return the file of a small network; another recipe or dataset is another file."""
    return cache_folder("weights") / f"{name}-{digest(ZOO[name])[:8]}.safetensors"


def train_here(name: str) -> None:
    """Train a small network in this process and keep it, unless another process has meanwhile."""
    zoo = ZOO[name]
    stored = trained_weights(zoo.network, training_data(zoo.dataset, zoo.recipe.seed), zoo.recipe, default_framework())
    save_weights(zoo_path(name), stored, replace=False)


def _train(name: str) -> None:
    """Train in a process of its own, on one thread, with the default framework whichever of them asks.

    So both frameworks have one network, a run can plan without importing either, and the weights do not depend on
    the number of cores. More threads would gain little on networks this small, and lose a lot on a busy machine.
    """
    _LOGGER.info("Training %s on %s for its first use.", name, ZOO[name].dataset)
    command = f"from {__name__} import train_here; train_here({name!r})"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"),
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True)
    if done.returncode:
        tail = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise HeatmarkError(f"Training {name} for its first use failed: {tail[0]}")
