"""Curves from stored scores: what a metric reads, drawn without running the model again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .perturbing.perturbation import Bands
from .registry import Metric


def curve(metric: Metric, bands: Bands) -> tuple[np.ndarray, np.ndarray] | None:
    """Return one sample's curve (x in [0, 1], y) as the metric reads it, or None where it reads none."""
    return metric.measure.curve(bands.reading(metric.measure.unit))


def curves_on_grid(metric: Metric, bands: Sequence[Bands], points: int = 101) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the curves of several samples on one grid: x (points,) and y (samples, points), or None without any.

    Between levels the curves are straight; samples whose curve is undefined are left out.
    """
    grid = np.linspace(0, 1, points)
    curves = [item for item in (curve(metric, one) for one in bands) if item is not None]
    if not curves:
        return None
    return grid, np.stack([np.interp(grid, x, y) for x, y in curves])
