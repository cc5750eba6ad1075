"""What comparisons share: with other libraries, and between frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatmark.leaderboards.statistics.ranks import rank_correlation
from heatmark.methods.libraries import Library
from heatmark.models.base import Model
from heatmark.models.wrap import wrap
from heatmark.models.zoo.torchvision_operators import torchvision_importable


def needed(library: Library) -> None:
    if library.missing:
        pytest.skip(library.missing)


def peer(module: str) -> Any:
    """Import a module of another library; some import torchvision, which needs help beside a CPU build of PyTorch."""
    with torchvision_importable():
        return pytest.importorskip(module)


def unbounded(model: Model) -> Model:
    """Return the network as one that takes all values: other libraries show it pictures with noise, beyond [0, 1]."""
    return wrap(model.net, model.preprocess, model.input_shape, domain=(-100.0, 100.0), name=model.name)


def same(one: np.ndarray, other: np.ndarray, tolerance: float = 1e-4) -> None:
    """Both maps are the same, to a share of each sample's largest value, and say something."""
    assert one.shape == other.shape
    scale = np.abs(other).reshape(len(other), -1).max(axis=1)
    assert (scale > 0).any()
    assert (np.abs(one - other).reshape(len(one), -1).max(axis=1) <= tolerance * scale).all()


def frameworks_agree(one: np.ndarray, other: np.ndarray) -> None:
    """One sample's maps are the same in both frameworks: to 1e-3 of the largest value, and in the order of positions.

    Positions that only rounding tells apart have no order (`rank_correlation`); every difference counts for the bound.
    """
    assert np.abs(one - other).max() <= 1e-3 * np.abs(one).max()
    correlation = rank_correlation(one, other)
    assert correlation >= 0.999 or np.isnan(correlation)  # not a number where neither map varies


def stretched(maps: np.ndarray) -> np.ndarray:
    """Maps between 0 and 1, as some libraries return them."""
    low = maps.min(axis=(1, 2), keepdims=True)
    return (maps - low) / np.maximum(maps.max(axis=(1, 2), keepdims=True) - low, 1e-12)
