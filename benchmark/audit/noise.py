"""Noise on attributions, in two doses: what an audit of metrics disturbs maps with."""

from __future__ import annotations

import zlib

import numpy as np

from ...metrics.scoring import Explainer
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.random_bank import RandomBank

SMALL, DISRUPTIVE = 0.05, 1.0
"""The shares of noise: one that a metric should hardly notice, and one that leaves nothing of the map."""

_STREAM = "audit-noise"


def noise_for(model: Model, x: Tensor, seed: int, name: str) -> np.ndarray:
    """Return standard normal noise for each input, float32 (n, *spatial).

    It depends on the seed, on a name (the method's) and on the input's own content: the same in every batch and
    framework, and another one for another input, however alike. A method with such noise is unstable, as noisy
    methods are, and does not notice which class or which network it explains.
    """
    bank = RandomBank(seed)
    stream = f"{_STREAM}/{name}"
    first = np.ascontiguousarray(model.to_numpy(model.channels_first(x)))
    return np.stack(
        [
            bank.generator(stream, zlib.crc32(sample.tobytes())).standard_normal(model.spatial_shape, dtype=np.float32)
            for sample in first
        ]
    )


def blended(maps: np.ndarray, noise: np.ndarray, share: float) -> np.ndarray:
    """Return each map A as m + sqrt(1 - share^2) (A - m) + share s N, for m its mean and s its standard deviation.

    So a map with noise has about the mean and the spread of the map itself; at ``share`` 1 nothing else of it is left.

    Parameters
    ----------
    maps
        (n, *spatial). Values that are not finite stay so; a constant map stays constant.
    noise
        Standard normal, of the same shape.
    share
        From 0 (the map) to 1 (noise).

    Returns
    -------
    ndarray
        float32, of the same shape.
    """
    wide = maps.astype(np.float64).reshape(len(maps), -1)
    found = np.full(wide.shape, np.nan)
    for row, values in enumerate(wide):
        finite = values[np.isfinite(values)]
        mean, spread = (finite.mean(), finite.std()) if len(finite) else (0.0, 0.0)
        if spread == 0:
            found[row] = values
            continue
        kept = np.sqrt(1.0 - share * share)
        found[row] = mean + (kept * (values - mean) if kept else 0.0) + share * spread * noise[row].ravel()
        found[row][~np.isfinite(values)] = values[~np.isfinite(values)]
    return found.astype(np.float32).reshape(maps.shape)


def with_noise(explainer: Explainer, share: float, seed: int, name: str) -> Explainer:
    """Return what explains as ``explainer`` does, with a share of noise in every map that it gives."""

    def explain(model: Model, x: Tensor, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return blended(explainer(model, x, target, rows), noise_for(model, x, seed, name), share)

    return explain
