"""Canonical JSON and SHA-256 digests: what names a cell, a protocol, a set of weights."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .registry import declaration_of

_JSON_SCALARS = frozenset((str, int, float, bool))


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON types only; arrays become the digest of their bytes."""
    if value is None or type(value) in _JSON_SCALARS:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"array": array_digest(value), "shape": list(value.shape)}
    if isinstance(value, Path):
        return str(value)
    return value


def canonical_json(value: Any) -> str:
    """Return the one JSON text for ``value``: sorted keys, no spaces, no NaN."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def parsed_json(text: str | bytes) -> Any:
    """Return what a JSON text says; ValueError where it is none, or is nested more deeply than Python can read."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def digest(value: Any) -> str:
    """Return the SHA-256 (64 hexadecimal digits) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def array_digest(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of the shapes, types and bytes of ``arrays``, in order."""
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(f"{array.dtype.str}{array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_digest(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of a function's source, so that editing an entry of one's own makes its results stale.

    A partial is what its function and its arguments are; a callable object is its class's source and what its
    ``repr`` says.
    """
    if isinstance(function, partial):
        return digest([source_digest(function.func), repr(function.args), repr(sorted(function.keywords.items()))])
    declared = declaration_of(function)
    if declared is not function:
        return digest([source_digest(declared), repr(function)])
    try:
        return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()
    except (OSError, TypeError):
        return "unknown"
