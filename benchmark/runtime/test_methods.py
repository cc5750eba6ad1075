"""What methods cost: method x model x framework x device x precision x batch, each place in a process of its own.

Run with ``tox -e bench``, or ``pytest benchmark/runtime/test_methods.py --benchmark-json out.json``; ``heatmark
runtime`` measures the same rows with the same code and adds tables and plots. ``extra_info`` holds everything that was
measured of a row; ``heatmark runtime --compare out.json`` reads it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from heatmark.benchmark.measure_runtime import NetworkRows
from heatmark.benchmark.runtime_cases import Measurement, NotMeasured, Place, RuntimeCase, checked_precision
from heatmark.benchmark.runtime_files import group_of

_NOW = [0.0]


def replayed_time() -> float:
    """Return the time on the clock that pytest-benchmark reads: rounds were measured in another process."""
    return _NOW[0]


@pytest.fixture(scope="session")
def networks(process_at, settings) -> Callable[[RuntimeCase], NetworkRows]:
    """Return a function from a row to what measures the rows of its network, which is surveyed once."""
    found: dict[RuntimeCase, NetworkRows] = {}

    def get(case: RuntimeCase) -> NetworkRows:
        process = process_at(case.place)
        key = case.network
        if key not in found:
            found[key] = NetworkRows(case, process, settings)
        found[key].process = process
        return found[key]

    return get


@pytest.mark.benchmark(timer=replayed_time)
def test_cost(benchmark, networks, method, model_name, framework, device, precision, batch):
    """One row."""
    case = RuntimeCase(method, model_name, Place(framework, device), checked_precision(precision), batch)
    row = networks(case).measure(case)
    if isinstance(row, NotMeasured):
        pytest.fail(row.reason) if row.failed else pytest.skip(row.reason)
    assert isinstance(row, Measurement)
    benchmark.group = group_of(case)
    benchmark.extra_info.update(row.plain())
    durations = iter(row.calls)

    def replay() -> None:
        _NOW[0] += next(durations)

    benchmark.pedantic(replay, rounds=len(row.calls))
