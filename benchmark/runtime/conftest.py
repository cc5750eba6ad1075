"""Fixtures of the runtime benchmarks: real photographs, a real network, and both frameworks where installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from heatmark.datasets.registry import load_dataset
from heatmark.models.base import Model
from heatmark.models.devices import installed_frameworks
from heatmark.models.registry import load_model

NETWORK = "efficientnet-lite0"


@pytest.fixture(scope="session", params=installed_frameworks())
def model(request: pytest.FixtureRequest) -> Model:
    """The network that every benchmark asks, in one framework after the other."""
    return load_model(NETWORK, framework=request.param)


@pytest.fixture(scope="session")
def photographs() -> Callable[[Model, int], Any]:
    """Return a function from (model, count) to raw photographs on the model's device, repeated as needed."""

    def get(model: Model, count: int) -> Any:
        x = model.to_numpy(load_dataset("imagenet-samples").take(16, model).x)
        return model.from_numpy(np.resize(x, (count, *x.shape[1:])))

    return get
