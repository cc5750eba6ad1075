"""Fixtures and options of the runtime benchmarks: what is measured, and where.

::

    pytest benchmark/runtime/test_methods.py --methods grad_cam,saliency --models small-cnn --devices cpu --batches 1,8
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from heatmark.benchmark.executors.malloc import keep_freed_memory
from heatmark.benchmark.setting.plugins import load_plugins
from heatmark.benchmark.store.outcomes import Failed, NotMeant
from heatmark.benchmark.timing.files import group_of
from heatmark.benchmark.timing.machine import machine_record
from heatmark.benchmark.timing.measure import Choice, NetworkRows, PlaceProcess, chosen
from heatmark.benchmark.timing.rows import Measurement, Place, RuntimeCase, RuntimeSettings
from heatmark.datasets.registry import load_dataset
from heatmark.models.base import Model
from heatmark.models.devices import installed_frameworks
from heatmark.models.zoo.loading import load_model

NETWORK = "efficientnet-lite0"
OPTIONS = {
    "methods": (None, "methods, comma-separated; those of the quick suite by default"),
    "models": (None, "models, comma-separated"),
    "frameworks": (None, "torch, tensorflow, or both"),
    "devices": ("auto", "auto (all there are), or some of cpu,cuda,cuda:N"),
    "precisions": ("float32", "some of float32,tf32,bf16"),
    "batches": ("1,chunk", "images a call: numbers, and chunk for the engine's"),
}


class ReplayClock:
    """The clock that pytest-benchmark reads: rounds are measured in another process, and replayed here."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        """Return the seconds that were replayed so far."""
        return self.now


CLOCK = pytest.StashKey[ReplayClock]()


def pytest_configure(config: pytest.Config) -> None:
    """Measure both heatmark and what it is compared with as heatmark's own processes run."""
    keep_freed_memory()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("heatmark", "heatmark's runtime benchmarks")
    for name, (default, meaning) in OPTIONS.items():
        group.addoption(f"--{name}", default=default, help=meaning)
    group.addoption("--plugin-modules", default="", help="modules or .py files that register methods or models")
    group.addoption("--rounds", type=int, default=7, help="measured rounds of each row")
    group.addoption("--seconds", type=float, default=60.0, help="time for the rounds of one row")
    group.addoption("--no-memory", action="store_true", help="do not measure peak memory")


def choice_of(config: pytest.Config) -> Choice:
    """Return what the options choose."""
    load_plugins(_plugins(config))
    values = [config.getoption(name) for name in OPTIONS]
    return chosen(*values)


def _plugins(config: pytest.Config) -> tuple[str, ...]:
    return tuple(name for name in config.getoption("plugin_modules").split(",") if name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a benchmark that takes them every combination of the coordinates, those of one process together."""
    names = ("method", "model_name", "framework", "device", "precision", "batch")
    if not set(names) <= set(metafunc.fixturenames):
        return
    cases = choice_of(metafunc.config).cases
    named = getattr(metafunc.function, "cases", None)
    rows = [tuple(case.parameters[name.removesuffix("_name")] for name in names) for case in (named or list)(cases)]
    rows = list(dict.fromkeys(rows))
    metafunc.parametrize(names, rows, ids=["-".join(row) for row in rows])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have pytest-benchmark read the clock on which measured rounds are replayed."""
    clock = config.stash.setdefault(CLOCK, ReplayClock())
    for item in items:
        if "measured_row" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.benchmark(timer=clock.read))


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Add what identifies the machine for heatmark, which compares runs by it."""
    machine_info["heatmark"] = machine_record()


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> RuntimeSettings:
    """How rows are measured."""
    config = request.config
    return RuntimeSettings(
        config.getoption("rounds"),
        config.getoption("seconds"),
        memory=not config.getoption("no_memory"),
        plugins=_plugins(config),
    )


@pytest.fixture(scope="session")
def process_at(settings: RuntimeSettings) -> Iterator[Callable[[Place], PlaceProcess]]:
    """Return a function from a place to its process; there is one at a time, so that none disturbs another."""
    held: dict[Place, PlaceProcess] = {}

    def get(place: Place) -> PlaceProcess:
        for other in [other for other in held if other != place]:
            held.pop(other).end()
        return held.setdefault(place, PlaceProcess(place, settings))

    yield get
    for process in held.values():
        process.end()


@pytest.fixture(scope="session")
def networks(
    process_at: Callable[[Place], PlaceProcess], settings: RuntimeSettings
) -> Callable[[RuntimeCase], NetworkRows]:
    """Return a function from a row to what measures the rows of its network, which is surveyed once."""
    found: dict[RuntimeCase, NetworkRows] = {}

    def get(case: RuntimeCase) -> NetworkRows:
        process = process_at(case.place)
        if case.network not in found:
            found[case.network] = NetworkRows(case, process, settings)
        found[case.network].process = process
        return found[case.network]

    return get


@pytest.fixture
def measured_row(
    benchmark: Any, pytestconfig: pytest.Config, networks: Callable[[RuntimeCase], NetworkRows]
) -> Callable[[RuntimeCase], Measurement]:
    """Return a function that measures a row in its process and tells pytest-benchmark the rounds.

    The benchmark takes its time from the `ReplayClock`.
    """
    clock = pytestconfig.stash[CLOCK]

    def measure(case: RuntimeCase) -> Measurement:
        found = networks(case).measure(case)
        if isinstance(found, Failed):
            pytest.fail(found.error)
        if isinstance(found, NotMeant):
            pytest.skip(found.reason)
        row: Measurement = found.value
        benchmark.group = group_of(row.case)
        benchmark.extra_info.update(row.plain())
        durations = iter(row.calls)

        def replay() -> None:
            clock.now += next(durations)

        benchmark.pedantic(replay, rounds=len(row.calls))
        return row

    return measure


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
