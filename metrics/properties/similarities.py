"""How alike two maps are, by the measures that randomisation tests use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from ...errors import NotApplicable
from ..perturbing.correlations import pearson, spearman

#: ``spearman``: rank correlation of the signed maps; ``absolute``: of their absolute values; ``ssim``: structural
#: similarity and ``hog``: Pearson's correlation of the histograms of oriented gradients, both of the absolute values
#: scaled to [0, 1].
Similarity = Literal["spearman", "absolute", "ssim", "hog"]

_WINDOW = 11
"""The side of scikit-image's Gaussian window for the structural similarity."""

_CELL = 16
"""The side of a cell of the histograms of oriented gradients, in positions."""


def similarities(first: np.ndarray, second: np.ndarray, kind: Similarity) -> np.ndarray:
    """Return how alike the maps of two batches are, pair by pair.

    Parameters
    ----------
    first, second
        (n, *spatial).
    kind
        The measure; the order of the two maps does not matter.

    Returns
    -------
    ndarray
        float64 (n,) in [-1, 1]: 1 for equal maps, about 0 for unrelated ones. NaN where a map is not finite or is
        constant (of the histograms: where these are).

    Raises
    ------
    NotApplicable
        If the measure has no meaning for maps of this shape.
    """
    measure = _MEASURES[kind]
    values = [_similarity(measure, one, other) for one, other in zip(first, second, strict=True)]
    return np.array(values, np.float64)


def checked_shape(spatial: tuple[int, ...], kind: Similarity) -> None:
    """Raise NotApplicable if a similarity has no meaning for maps of this shape."""
    if kind == "ssim" and min(spatial) < _WINDOW:
        raise NotApplicable(
            f"structural similarity looks at windows of {_WINDOW} positions a side, and the maps have only "
            f"{' x '.join(map(str, spatial))}; choose similarity=spearman"
        )
    if kind == "hog" and (len(spatial) != 2 or min(spatial) < 6):
        raise NotApplicable(
            "histograms of oriented gradients are made of pictures of at least 6 positions a side, and the maps have "
            f"the shape {spatial}; choose similarity=spearman"
        )


def _similarity(measure: Callable[[np.ndarray, np.ndarray], float], one: np.ndarray, other: np.ndarray) -> float:
    sides = [np.asarray(side, np.float64) for side in (one, other)]
    if not all(np.isfinite(side).all() and np.ptp(side) > 0 for side in sides):
        return float("nan")
    return measure(sides[0], sides[1])


def _absolute(one: np.ndarray, other: np.ndarray) -> float:
    return spearman(np.abs(one), np.abs(other))


def _structural(one: np.ndarray, other: np.ndarray) -> float:
    from skimage.metrics import structural_similarity

    checked_shape(one.shape, "ssim")
    value = structural_similarity(_scaled(one), _scaled(other), data_range=1.0, gaussian_weights=True)
    return float(np.clip(value, -1.0, 1.0))


def _oriented(one: np.ndarray, other: np.ndarray) -> float:
    from skimage.feature import hog

    checked_shape(one.shape, "hog")
    # Blocks are 3 cells wide, so that small maps need smaller cells.
    cell = min(_CELL, min(one.shape) // 3)
    sides = [hog(_scaled(side), pixels_per_cell=(cell, cell)) for side in (one, other)]
    return pearson(sides[0], sides[1])


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return absolute values scaled to [0, 1]; zeros where they are all alike."""
    absolute = np.abs(values)
    span = np.ptp(absolute)
    return (absolute - absolute.min()) / span if span > 0 else np.zeros_like(absolute)


_MEASURES: dict[Similarity, Callable[[np.ndarray, np.ndarray], float]] = {
    "spearman": spearman,
    "absolute": _absolute,
    "ssim": _structural,
    "hog": _oriented,
}
