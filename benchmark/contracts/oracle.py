"""Two networks whose right explanation is known without any method: every input has a part that speaks for class 0, a
part that says nothing, and a part that speaks against it.

The **linear** network weighs the rows of ``FOR`` positively, those of ``AGAINST`` negatively, the others not at all.
The **pooled** network, for methods that read layers, looks with two filters at what is bright and what is dark, sums up
and weighs: in its inputs the rows of ``FOR`` are bright, those of ``AGAINST`` dark, and the others of the value in
between, which neither filter sees.

They are built by name, as networks of users are (``heatmark.benchmark.contracts.oracle:linear_on_torch``), so that
whoever explains in another process can have them too.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ...models.base import Model
from ...models.catalogue import LoadedNetwork
from ...models.conventions import Conventions
from ...models.zoo.loading import load_model

SIDE = 16
FOR, NOTHING, AGAINST = slice(0, 5), slice(5, 11), slice(11, 16)
"""Rows."""
CLASS = 0
"""The class that is explained; class 1 is its opposite."""
WEIGHT = 4.0
"""The logit that a part gives where it is 1 everywhere: probabilities are far from 0 and 1."""
BETWEEN = 0.5
Kind = Literal["linear", "pooled"]


def oracle_model(kind: Kind, framework: str) -> Model:
    """Return one of the two networks."""
    return load_model(f"{__name__}:{kind}_on_{framework}", framework)


def oracle_inputs(kind: Kind, count: int) -> np.ndarray:
    """Return so many inputs, float32 (n, side, side, 1): bright everywhere, or bright, in between and dark."""
    drawn = np.random.default_rng(0).random((count, SIDE, SIDE, 1), dtype=np.float32)
    inputs = 0.5 + 0.5 * drawn
    if kind == "pooled":
        inputs[:, FOR] = 0.8 + 0.2 * drawn[:, FOR]
        inputs[:, NOTHING] = BETWEEN
        inputs[:, AGAINST] = 0.2 * drawn[:, AGAINST]
    return inputs


def weights() -> np.ndarray:
    """Return the linear network's weights of class 0, float32 (side, side)."""
    found = np.zeros((SIDE, SIDE), np.float32)
    found[FOR], found[AGAINST] = WEIGHT / found[FOR].size, -WEIGHT / found[AGAINST].size
    return found


def linear_on_torch() -> LoadedNetwork:
    """Return the linear network in PyTorch."""
    import torch

    dense = torch.nn.Linear(SIDE * SIDE, 2)
    _fill(dense.weight, _of_classes())
    _fill(dense.bias, np.array([0.25, -0.25], np.float32))
    return _loaded(torch.nn.Sequential(torch.nn.Flatten(), dense), (1, SIDE, SIDE))


def linear_on_tensorflow() -> LoadedNetwork:
    """Return the linear network in Keras."""
    import keras

    net = keras.Sequential([keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    net.layers[-1].set_weights([_of_classes().T, np.array([0.25, -0.25], np.float32)])
    return _loaded(net, (SIDE, SIDE, 1))


def pooled_on_torch() -> LoadedNetwork:
    """Return the pooled network in PyTorch."""
    import torch

    filters, dense = torch.nn.Conv2d(1, 2, 1), torch.nn.Linear(2, 2)
    _fill(filters.weight, np.array([2, -2], np.float32).reshape(2, 1, 1, 1))
    _fill(filters.bias, np.array([-1, 1], np.float32))
    _fill(dense.weight, WEIGHT * np.array([[1, -1], [-1, 1]], np.float32))
    _fill(dense.bias, np.zeros(2, np.float32))
    pool = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    return _loaded(torch.nn.Sequential(filters, torch.nn.ReLU(), pool, dense), (1, SIDE, SIDE))


def pooled_on_tensorflow() -> LoadedNetwork:
    """Return the pooled network in Keras."""
    import keras

    filters, dense = keras.layers.Conv2D(2, 1), keras.layers.Dense(2)
    layers = [filters, keras.layers.ReLU(), keras.layers.GlobalAveragePooling2D(), dense]
    net = keras.Sequential([keras.Input((SIDE, SIDE, 1)), *layers])
    filters.set_weights([np.array([2, -2], np.float32).reshape(1, 1, 1, 2), np.array([-1, 1], np.float32)])
    dense.set_weights([WEIGHT * np.array([[1, -1], [-1, 1]], np.float32), np.zeros(2, np.float32)])
    return _loaded(net, (SIDE, SIDE, 1))


def _of_classes() -> np.ndarray:
    flat = weights().ravel()
    return np.stack([flat, -flat])


def _fill(parameter: Any, values: np.ndarray) -> None:
    import torch

    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values))


def _loaded(net: Any, shape: tuple[int, ...]) -> LoadedNetwork:
    return LoadedNetwork(net, input_shape=shape, num_classes=2, conventions=Conventions(neutral=0.0))
