"""A dask cluster: what is lost moves, what crashes costs one cell, and a GPU is asked for."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
from tiny_runs import METRICS, PLUGIN

from heatmark.benchmark.executors.engine import Engine
from heatmark.benchmark.run import run
from heatmark.benchmark.running.execution import Run
from heatmark.benchmark.store.outcomes import Failed
from heatmark.benchmark.work.messages import Ended, NamedModel
from heatmark.benchmark.work.worker import DescribeJob
from heatmark.errors import HeatmarkError

pytest.importorskip("distributed")

from heatmark.benchmark.executors.on_dask import DaskExecutor  # needs the package


def begun(out: Path, methods: str, **options: Any) -> Run:
    return run("quick", models="tiny", data="tiny-pictures", methods=methods, metrics=METRICS, frameworks="torch",
               device="cpu", out=out, plugins=[PLUGIN], progress=False, **options)  # fmt: skip


@pytest.fixture
def scheduler(tiny_folder: Path) -> Iterator[str]:
    """Return the address of a scheduler in a process of its own, on loopback."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
            break
    yield found[1]
    process.kill()
    process.wait()


def worker_at(scheduler: str, *options: str) -> psutil.Popen:
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "1", "--no-dashboard"]
    return psutil.Popen([*command, *options], stderr=subprocess.DEVNULL)


def test_here_only_this_machine_is_listened_to(tiny_folder: Path) -> None:
    """Whoever reaches the port of a dask scheduler may run any code: its own has none, and its pages are not served."""
    with closing(DaskExecutor([PLUGIN], workers=1, on_cpu=True)) as executor:
        listening = [one.laddr for one in psutil.Process().net_connections() if one.status == psutil.CONN_LISTEN]
        assert {address.ip for address in listening} <= {"127.0.0.1"}
        assert executor._cluster.scheduler_address.startswith("inproc://")
        for address in listening:
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"http://127.0.0.1:{address.port}/info/main/workers.html", timeout=10)
        jobs = [DescribeJob(NamedModel("tiny", "torch", device)) for device in ("cpu", "cuda:0")]
        ended = {event.piece.device: event.outcome for event in executor.execute(jobs) if isinstance(event, Ended)}
    assert ended["cpu"].value.device_class == "cpu"
    assert isinstance(ended["cuda:0"], Failed)  # where no GPU may be seen there is none


def test_a_gpu_that_no_worker_declares_is_not_waited_for(tiny_folder: Path) -> None:
    with closing(DaskExecutor([PLUGIN], workers=1)) as executor:
        for line in executor._lines.values():
            line.gpus = 0
        (event,) = executor.execute([DescribeJob(NamedModel("tiny", "torch", "cuda:0"))])
        assert isinstance(event, Ended) and isinstance(event.outcome, Failed)
        assert "--resources GPU=1" in event.outcome.error


def test_an_address_without_a_scheduler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatmark.benchmark.executors.on_dask.CONNECT_SECONDS", 1)
    with pytest.raises(HeatmarkError, match="No dask scheduler answers at"):
        DaskExecutor([], scheduler="tcp://127.0.0.1:9")


@pytest.mark.slow
def test_the_cells_of_a_worker_that_is_killed_move(scheduler: str, tiny_folder: Path, tmp_path: Path) -> None:
    """Two dask workers under nannies, as they come; one is killed, with all that it started, in the midst of a cell."""
    workers = [worker_at(scheduler), worker_at(scheduler)]
    shades = "1|2|3|4|5|6|7|8"
    command = [
        sys.executable,
        "-m",
        "heatmark",
        "run",
        "--models",
        "tiny",
        "--data",
        "tiny-pictures",
        "--device",
        "cpu",
    ]
    command += ["--methods", f"counted[shade={shades},pause=0.5]", "--metrics", METRICS, "--frameworks", "torch"]
    running = subprocess.Popen([*command, "--plugin", PLUGIN, "--out", "run", "--scheduler", scheduler])
    cells = tmp_path / "run" / "cells"
    until = time.monotonic() + 240
    while len(list(cells.glob("*.parquet"))) < 2:
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    for process in [*workers[0].children(recursive=True), workers[0]]:
        process.kill()
    assert running.wait(240) == 0
    assert len(list(cells.glob("*.parquet"))) == 8
    for process in [*workers[1].children(recursive=True), workers[1]]:
        process.kill()


@pytest.mark.slow
def test_a_gpu_is_asked_for_where_one_is_declared(scheduler: str, tiny_folder: Path) -> None:
    """The worker that declares a GPU has none, so that what is given to it says so, and the other does the rest."""
    workers = [worker_at(scheduler, "--name", "plain"), worker_at(scheduler, "--resources", "GPU=1")]
    try:
        with closing(DaskExecutor([PLUGIN], scheduler=scheduler)) as executor:
            until = time.monotonic() + 60
            while len(executor._lines) < 2:
                assert time.monotonic() < until
                time.sleep(0.2)
                executor._asked = 0.0
                executor._refresh()
            executor.gpu_possible = True
            jobs = [DescribeJob(NamedModel("tiny", "torch", device)) for device in ("cuda:0", "cpu")]
            ended = {event.piece.device: event.outcome for event in executor.execute(jobs) if isinstance(event, Ended)}
        assert isinstance(ended["cuda:0"], Failed) and "cuda" in ended["cuda:0"].error
        assert ended["cpu"].value.device_class == "cpu"
    finally:
        for worker in workers:
            for process in [*worker.children(recursive=True), worker]:
                process.kill()


@pytest.mark.slow
def test_a_crash_costs_one_cell(tiny_folder: Path, tmp_path: Path) -> None:
    (tiny_folder / "crash").touch()
    result = begun(tmp_path / "run", "counted[shade=1],crashing,counted[shade=2]", engine=Engine("dask", workers=1))
    (failure,) = result.failures
    assert failure.spec.method == "crashing" and "SIGKILL" in failure.error and result.finished == 2
