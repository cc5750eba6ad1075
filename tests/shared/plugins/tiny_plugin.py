"""A small world for tests of runs, loaded as a plugin: a network, a dataset, and methods that misbehave on demand.

The methods look for files in the folder named by TINY_FOLDER: ``crash`` makes the process kill itself, ``broken``
makes a method raise, and each explained batch of the counted method leaves a line in ``calls``.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from heatmark.datasets.base import Dataset, Sample
from heatmark.datasets.registry import register_dataset
from heatmark.methods.registry import register_method
from heatmark.models.zoo.loading import LoadedNetwork, register_model
from heatmark.parameters import Doc

SAMPLES = 6


class TinyPictures(Dataset):
    """Six pictures of 8 by 8 pixels and 3 classes."""

    name = "tiny-pictures"
    title = "tiny pictures"
    license = "none needed"
    revision = "1"
    class_names = ("a", "b", "c")
    framing = "cropped"
    folder = None

    def __len__(self) -> int:
        return SAMPLES

    def label(self, index: int) -> int:
        return index % 3

    def sample(self, index: int) -> Sample:
        array = np.random.default_rng(index).random((8, 8, 1), dtype=np.float32)
        return Sample(f"picture/{index}", array, index % 3)


@register_dataset("tiny-pictures", family="test")
def tiny_pictures() -> Dataset:
    """Six random pictures."""
    return TinyPictures()


@register_model("tiny", family="test", frameworks=["torch"], input_shape=(8, 8, 1))
def tiny(framework: str) -> LoadedNetwork:
    return LoadedNetwork(network(), input_shape=(1, 8, 8), num_classes=3)


def network() -> Any:
    """Return a small network with fixed weights and no ReLU."""
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))


@register_method("counted", family="test", signed=True)
def counted(request: Any, *, shade: Annotated[float, Doc("brightness", low=0)] = 1.0, pause: float = 0.0) -> Any:
    """The input itself; every call is counted."""
    time.sleep(pause)
    # A batch that is explained again for its time alone does not count: the model is the same, which no two runs share.
    seen = [request.model, shade, np.asarray(request.x).tobytes()]
    if not any(model is seen[0] and rest == seen[1:] for model, *rest in _COUNTED):
        _COUNTED.append(seen)
        with (_folder() / "calls").open("a", encoding="utf-8") as file:
            file.write(f"{shade:g}\n")
    return request.x * shade


_COUNTED: list[list[Any]] = []


@register_method("crashing", family="test", signed=True)
def crashing(request: Any) -> Any:
    """The input itself, unless the process kills itself."""
    if (_folder() / "crash").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return request.x * 1.0


@register_method("breaking", family="test", signed=True)
def breaking(request: Any) -> Any:
    """The input itself, unless it raises."""
    if (_folder() / "broken").exists():
        raise ValueError("broken on purpose")
    return request.x * 1.0


@register_method("rectified", family="test", signed=True, needs=["relu"])
def rectified(request: Any) -> Any:
    """Needs a ReLU, which the tiny network lacks."""
    return request.x * 1.0


def _folder() -> Path:
    return Path(os.environ["TINY_FOLDER"])
