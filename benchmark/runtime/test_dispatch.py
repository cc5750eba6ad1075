"""What it takes to hand out a cell and to keep it, by each executor, at 10,000 cells of one empty sample each.

::

    pytest benchmark/runtime/test_dispatch.py -s
    HEATMARK_EMPTY_CELLS=1000 pytest benchmark/runtime/test_dispatch.py -s       # a look, on a busy machine

Each run is a process of its own. Besides the wall time of a cell, which counts whatever the machine does, it tells the
processor time of the driver, and its peak of resident memory, which stand for themselves. A worker's own work on a cell
is measured by the engine ``serial`` on fewer cells.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from heatmark.benchmark.setting.environment import usable_cores

CELLS = int(os.environ.get("HEATMARK_EMPTY_CELLS", "10000"))
PLUGIN = str(Path(__file__).parents[2] / "tests" / "shared" / "plugins" / "empty_plugin.py")
MILLISECONDS = {"processes": 10.0, "dask": 30.0}
"""What a cell may take of wall time."""
MEBIBYTES = 300
GAIN = 1.6
"""What two workers on two cores do of what one does on one."""

_RUN = """
import json, resource, sys, time
from heatmark.benchmark.executors.engine import Engine
from heatmark.benchmark.run import run
from heatmark.benchmark.suite import suite_from

settings = json.loads(sys.argv[1])
suite = suite_from(settings["suite"], "dispatch", "dispatch")
engine = Engine(settings["engine"], workers=settings["workers"])
options = {"device": "cpu", "engine": engine, "plugins": settings["plugins"], "progress": False}
began, own = time.perf_counter(), time.process_time()
result = run(suite, out=settings["out"], **options)
print(json.dumps({
    "finished": result.finished,
    "seconds": time.perf_counter() - began,
    "own": time.process_time() - own,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def measured(
    folder: Path, suite: dict[str, object], engine: str, workers: int | None, plugins: list[str]
) -> dict[str, float]:
    """Run a suite in a process of its own and return what it took."""
    settings = {"suite": suite, "engine": engine, "workers": workers, "plugins": plugins, "out": str(folder)}
    command = [sys.executable, "-c", _RUN, json.dumps(settings)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def empty(cells: int) -> dict[str, object]:
    return {"models": ["empty-network"], "data": ["empty-samples"], "methods": ["nothing"], "metrics": ["complexity"],
            "frameworks": ["torch"], "limit": cells, "cell_samples": 1, "gallery": 0}  # fmt: skip


@pytest.mark.parametrize("engine", ["serial", "processes", "dask"])
def test_what_a_cell_takes(engine: str, tmp_path: Path) -> None:
    """Without what a run takes that has one cell: starting, describing, examining."""
    if engine == "dask":
        pytest.importorskip("distributed")
    cells = CELLS if engine != "serial" else min(CELLS, 1000)
    workers = None if engine == "serial" else 1
    start = measured(tmp_path / "one", empty(1), engine, workers, [PLUGIN])
    whole = measured(tmp_path / "all", empty(cells), engine, workers, [PLUGIN])
    assert whole["finished"] == cells
    wall, own = ((whole[name] - start[name]) / (cells - 1) * 1000 for name in ("seconds", "own"))
    print(f"\n{engine}, {cells} cells: {wall:.1f} ms each, {own:.1f} of the driver's; peak {whole['peak']:.0f} MiB")
    if engine != "serial":
        assert wall < MILLISECONDS[engine]
        assert whole["peak"] < MEBIBYTES


def test_a_finished_run_is_looked_at_quickly(tmp_path: Path) -> None:
    """All cells are found, and none is done; see also test_large_runs.py, with cells of more columns."""
    measured(tmp_path / "all", empty(CELLS), "processes", 1, [PLUGIN])
    measured(tmp_path / "all", empty(CELLS), "processes", 1, [PLUGIN])  # this one writes the index
    again = measured(tmp_path / "all", empty(CELLS), "processes", 1, [PLUGIN])
    print(f"\n{CELLS} finished cells: {again['seconds']:.1f} s ({again['own']:.1f} s of processor time)")
    assert again["seconds"] < 5


@pytest.mark.skipif(usable_cores() < 2, reason="needs two processor cores")
def test_two_workers_do_more_than_one(tmp_path: Path) -> None:
    """Digits by the methods and metrics of the quick suite, many cells; both with one thread a worker."""
    suite = {
        "models": ["small-cnn"], "data": ["digits"], "frameworks": ["torch"], "limit": 240, "part": "all",
        "methods": ["integrated_gradients[steps=20]", "smoothgrad[samples=20]", "rise[masks=500]", "occlusion"],
        "metrics": ["deletion", "insertion", "average_drop"], "cell_samples": 20, "gallery": 0,
    }  # fmt: skip
    took = {
        workers: measured(tmp_path / str(workers), suite, "processes", workers, [])["seconds"]
        - measured(tmp_path / f"{workers}-one", {**suite, "limit": 20}, "processes", workers, [])["seconds"]
        for workers in (1, 2)
    }
    print(f"\none worker {took[1]:.1f} s, two {took[2]:.1f} s: {took[1] / took[2]:.2f} times as much")
    assert took[1] / took[2] >= GAIN
