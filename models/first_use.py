"""The zoo's small networks, which are trained once, when they are first asked for."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import HeatmarkError, StorageError
from ..identity import digest
from ..storage import cache_folder
from .trained import RECIPES, RestoredNetwork, default_framework, restore, trained_weights
from .training import TrainingRecipe
from .training_data import training_data
from .weights_file import load_metadata, save_weights, warn_set_aside

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class ZooNetwork:
    """A small network of the zoo: which one, on what data, how."""

    network: str
    dataset: str
    recipe: TrainingRecipe


ZOO: Mapping[str, ZooNetwork] = {
    "small-cnn": ZooNetwork("small-cnn", "digits", RECIPES["small-cnn"]),
    "small-cnn-mnist": ZooNetwork("small-cnn", "mnist", TrainingRecipe(epochs=6, augmentation="shift", shift=1)),
    "vgg7": ZooNetwork("vgg7", "mnist", RECIPES["vgg7"]),
    "cnn-1d": ZooNetwork("cnn-1d", "mnist1d", RECIPES["cnn-1d"]),
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
    stored = trained_weights(
        zoo.network, training_data(zoo.dataset, zoo.recipe.seed), zoo.recipe, default_framework()
    )
    save_weights(zoo_path(name), stored, replace=False)


def _train(name: str) -> None:
    """Train with the default framework, whichever asks, so that both frameworks have one network.

    Unless that framework is in this process anyway, a process of its own does it: a run plans without frameworks,
    and two of them in one process fight over its threads.
    """
    _LOGGER.info("Training %s on %s for its first use.", name, ZOO[name].dataset)
    if default_framework() in sys.modules:
        train_here(name)
        return
    command = f"from {__name__} import train_here; train_here({name!r})"
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True)
    if done.returncode:
        tail = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise HeatmarkError(f"Training {name} for its first use failed: {tail[0]}")
