"""What comparisons with other libraries share."""

from __future__ import annotations

import numpy as np
import pytest

from heatmark.methods.libraries import Library


def needed(library: Library) -> None:
    if library.missing:
        pytest.skip(library.missing)


def same(one: np.ndarray, other: np.ndarray, tolerance: float = 1e-4) -> None:
    """Both maps are the same, to a share of each sample's largest value, and say something."""
    assert one.shape == other.shape
    scale = np.abs(other).reshape(len(other), -1).max(axis=1)
    assert (scale > 0).any()
    assert (np.abs(one - other).reshape(len(one), -1).max(axis=1) <= tolerance * scale).all()


def stretched(maps: np.ndarray) -> np.ndarray:
    """Maps between 0 and 1, as some libraries return them."""
    low = maps.min(axis=(1, 2), keepdims=True)
    return (maps - low) / np.maximum(maps.max(axis=(1, 2), keepdims=True) - low, 1e-12)
