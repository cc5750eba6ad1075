"""Weights on disk: safetensors with a digest of their content, so that damage is noticed and repaired."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from ...errors import StorageError
from ...identity import array_digest, digest, parsed_json
from ...storage import set_aside_aloud, written_whole

_HEADER = "heatmark"
_REMEDY = " Delete the file to have it made again (by `heatmark train` where that made it)."


@dataclass(frozen=True)
class StoredWeights:
    """Arrays by name with a description, as kept in one file."""

    arrays: dict[str, np.ndarray]
    """The parameters."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Anything that JSON holds."""


def weights_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 that identifies weights: of their names, shapes, types and numbers."""
    return digest({name: array_digest(arrays[name]) for name in arrays})


def save_weights(path: Path, stored: StoredWeights) -> None:
    """Write the weights and their metadata whole; StorageError where the folder cannot be written."""
    header = json.dumps({**stored.metadata, "digest": weights_digest(stored.arrays)}, sort_keys=True)
    arrays = {name: np.ascontiguousarray(array) for name, array in stored.arrays.items()}
    with written_whole(path) as temporary:
        temporary.write_bytes(
            save(arrays, {_HEADER: header})
        )  # `save_file` tells of a full disk in an error of its own


def load_weights(path: Path) -> StoredWeights:
    """Read weights and check them against their digest.

    Raises
    ------
    StorageError
        If the file is missing, damaged, or not one of ours.
    """
    metadata = load_metadata(path)
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise StorageError(f"Cannot read the weights {path}: {error}.{_REMEDY}") from error
    if weights_digest(arrays) != metadata.get("digest"):
        raise StorageError(f"The weights {path} are damaged (digest differs).{_REMEDY}")
    return StoredWeights(arrays, metadata)


def load_metadata(path: Path) -> dict[str, Any]:
    """Read only the description of a weights file; its ``digest`` identifies the weights. Raises as `load_weights`."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = parsed_json((file.metadata() or {})[_HEADER])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise StorageError(f"Cannot read the weights {path}: {error}.{_REMEDY}") from error
    if not isinstance(metadata, dict):
        raise StorageError(f"The weights {path} have no description.{_REMEDY}")
    return metadata


def load_or_make(path: Path, make: Callable[[], StoredWeights]) -> StoredWeights:
    """Return the weights in ``path``; where there are none they are made, where they are damaged they are made again.

    Parameters
    ----------
    path
        A file in the cache.
    make
        Makes the weights, always the same: two processes that make them at once do no harm.
    """
    if path.exists():
        try:
            return load_weights(path)
        except StorageError as error:
            set_aside_aloud(path, str(error).removesuffix(_REMEDY))
    save_weights(path, make())
    return load_weights(path)
