"""``torchvision:NAME``: torchvision's classifiers with their official weights, through its own loader."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import URLError

import torch

from ...datasets.base import Sizing
from ...errors import UnknownName, suggestion
from ...identity import file_digest
from ...storage import set_aside
from ..catalogue import LoadedNetwork
from ..normalization import Normalization
from .library_weights import RANDOM, RANDOM_SEED, library_weights_id, name_and_weights, not_fetched
from .torchvision_operators import import_torchvision

_WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_torchvision(text: str) -> LoadedNetwork:
    """Return a classifier of torchvision.

    Parameters
    ----------
    text
        ``vgg16``, ``resnet50@IMAGENET1K_V1`` for certain weights, ``vgg16@random`` for untrained ones (seeded).
        Mean, standard deviation, input size and crop are those that come with the weights.

    Raises
    ------
    UnknownName
        If there is no such classifier or no such weights.
    HeatmarkError
        If the weights can neither be found nor fetched.
    MissingExtra
        If torchvision is not installed.
    """
    library = import_torchvision()
    name, choice = name_and_weights(text)
    known = library.models.list_models(module=library.models)
    if name not in known:
        raise UnknownName(f"torchvision has no classifier {name!r}.{suggestion(name, known)}")
    weights = _weights(library, name, None if choice == RANDOM else choice)
    if choice == RANDOM:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            torch.manual_seed(RANDOM_SEED)
            warnings.simplefilter("ignore", FutureWarning)  # some announce another way of drawing them
            net = library.models.get_model(name, weights=None)
    else:
        net = _pretrained(library, name, weights)
    rules = weights.transforms()
    size, resized = _side(rules.crop_size), _side(rules.resize_size)
    return LoadedNetwork(
        net=net.eval(),
        preprocess=Normalization(tuple(rules.mean), tuple(rules.std)),
        input_shape=(3, size, size),
        num_classes=len(weights.meta["categories"]),
        sizing=Sizing(
            crop=min(1.0, size / resized),
            interpolation="bicubic" if rules.interpolation.value == "bicubic" else "bilinear",
        ),
        class_names=tuple(weights.meta["categories"]),
        weights_id=library_weights_id("torchvision", text),
    )


def _weights(library: ModuleType, name: str, choice: str | None) -> Any:
    """Return the description of a model's weights: those named, or the library's default."""
    choices = library.models.get_model_weights(name)
    if choice is None:
        return choices.DEFAULT
    if choice not in choices.__members__:
        listed = ", ".join(choices.__members__)
        raise UnknownName(f"torchvision's {name} has no weights {choice!r}; it has {listed} and {RANDOM}.")
    return choices[choice]


def _pretrained(library: ModuleType, name: str, weights: Any) -> torch.nn.Module:
    """Build the model with official weights; a damaged cached file is set aside and fetched again."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(weights.url).name
    if file.is_file() and not _is_official(file):
        aside = set_aside(file)
        warnings.warn(
            f"{file} is damaged (its SHA-256 is not the one in its name); moved to {aside} and fetched again.",
            RuntimeWarning,
            stacklevel=2,
        )
    cached = file.exists()
    try:
        return _built(library, name, weights)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file may raise nearly anything, no network several things
        if not (cached and file.exists()) or isinstance(error, URLError):
            raise not_fetched(f"torchvision's {name}", weights.url, folder, error) from error
        aside = set_aside(file)
        warnings.warn(f"{file} is damaged ({error}); moved to {aside} and fetched again.", RuntimeWarning, stacklevel=2)
    try:
        return _built(library, name, weights)
    except Exception as error:
        raise not_fetched(f"torchvision's {name}", weights.url, folder, error) from error


def _is_official(file: Path) -> bool:
    """Whether a file's SHA-256 begins as its name says; PyTorch compares the two only when it fetches the file."""
    named = re.search(r"-([0-9a-f]{8,})\.", file.name)
    return named is None or file_digest(file).startswith(named[1])


def _built(library: ModuleType, name: str, weights: Any) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]), _weights_only():
        net: torch.nn.Module = library.models.get_model(name, weights=weights, progress=False)
    return net


@contextmanager
def _weights_only() -> Iterator[None]:
    """Have PyTorch refuse code in checkpoints, which torchvision's loader does not ask for."""
    before = os.environ.get(_WEIGHTS_ONLY)
    os.environ[_WEIGHTS_ONLY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_WEIGHTS_ONLY]
        else:
            os.environ[_WEIGHTS_ONLY] = before


def _side(size: Any) -> int:
    """Return the side in pixels of a size that torchvision gives as a number or a list."""
    return int(size[0] if isinstance(size, (list, tuple)) else size)
