"""What other libraries' official weights have in common: their names, and what is said where there is no network."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import HeatmarkError

RANDOM = "random"
# ``@random`` is for tests and demonstrations; everyone gets the same untrained network.
RANDOM_SEED = 0


def name_and_weights(text: str) -> tuple[str, str | None]:
    """Return ``("resnet50", "IMAGENET1K_V1")`` for ``resnet50@IMAGENET1K_V1``, and None where no weights are named."""
    name, at, weights = text.partition("@")
    return name, weights if at else None


def library_weights_id(library: str, text: str) -> str | None:
    """Return what identifies official weights: the library's version (which fixes its files), model and weights."""
    name, weights = name_and_weights(text)
    try:
        version = importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
    return f"{library} {version.partition('+')[0]} {name}@{weights or 'default'}"


def not_fetched(model: str, url: str, folder: Path, reason: object) -> HeatmarkError:
    """Return the error for weights that could not be had: which file, from where, and where to put it."""
    file = Path(urlsplit(url).path).name
    return HeatmarkError(
        f"Cannot fetch the weights of {model}: {reason}. Download {file} from {url} on a machine with a network "
        f"and put it into {folder}"
    )
