"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import networks
from array_namespaces import operations_of

from heatmark.models.arrays.operations import TensorOperations
from heatmark.models.base import Model


@pytest.fixture(scope="session")
def model() -> Callable[[str, str], Model]:
    """Return a function from (architecture's name, framework) to a model that is made once a session."""
    made: dict[tuple[str, str, tuple[int, ...]], Model] = {}

    def get(name: str, framework: str, shape: tuple[int, ...] = (12, 12, 3)) -> Model:
        key = (name, framework, shape)
        if key not in made:
            made[key] = networks.model_of(networks.ARCHITECTURES[name](shape), framework)
        return made[key]

    return get


@pytest.fixture(scope="session", params=["torch", "tensorflow"])
def operations(request: pytest.FixtureRequest) -> TensorOperations:
    """The array namespace of each framework in turn."""
    return operations_of(request.param)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests train, convert and generate out of the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("HEATMARK_CACHE")
    os.environ["HEATMARK_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["HEATMARK_CACHE"]
    else:
        os.environ["HEATMARK_CACHE"] = before
