"""What comparisons share: with other libraries, and between frameworks."""

from __future__ import annotations

import numpy as np
import pytest

from heatmark.leaderboards.statistics.ranks import rank_correlation
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
