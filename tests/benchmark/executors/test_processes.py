"""What brings a worker down costs a cell at most: deaths, hangs, and what a method leaves behind."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import asked_threads
import psutil
import pytest
from made_runs import specification
from tiny_runs import PLUGIN as TINY
from tiny_runs import Start

from heatmark.benchmark.executors.keeper import THREADS
from heatmark.benchmark.executors.limits import STARTING_SECONDS, generous_seconds
from heatmark.benchmark.executors.processes import ProcessExecutor
from heatmark.benchmark.executors.worker_process import ATTEMPTS, WorkerProcess
from heatmark.benchmark.store.outcomes import Failed
from heatmark.benchmark.work.cell import CellJob
from heatmark.benchmark.work.samples import SampleRule
from heatmark.errors import BadInput

pytest.importorskip("torch")
PLUGINS = [TINY, str(Path(TINY).with_name("hanging_plugin.py"))]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to the keeper")


def pids(folder: Path, name: str) -> list[int]:
    return [int(text) for text in (folder / name).read_text().split()]


def assert_all_ended(numbers: list[int]) -> None:
    until = time.monotonic() + 20
    while left := [number for number in numbers if psutil.pid_exists(number)]:
        assert time.monotonic() < until, f"{left} live on"
        time.sleep(0.05)


@on_linux
def test_what_hangs_is_ended_with_all_that_it_started(start: Start, tiny_folder: Path) -> None:
    result = start("hanging,counted", engine="processes", plugins=PLUGINS, cell_timeout=6.0)
    (failure,) = result.failures
    assert failure.spec.method == "hanging" and result.finished == 1
    assert "not done after 6 seconds" in failure.error and "--cell-timeout" in failure.error
    started = pids(tiny_folder, "hanging")
    assert len(started) == 3  # once only: what hangs is not tried again
    assert_all_ended(started)


@on_linux
def test_children_do_not_outlive_a_worker(start: Start, tiny_folder: Path) -> None:
    result = start("forking,forked_and_killed,counted,returning_twice", engine="processes", plugins=PLUGINS)
    assert [failure.spec.method for failure in result.failures] == ["forked_and_killed"], result.failures
    assert "SIGKILL" in result.failures[0].error
    assert result.finished == 3
    survived, killed = pids(tiny_folder, "forking"), pids(tiny_folder, "forked_and_killed")
    assert len(survived) >= 2 and len(killed) == 2 * ATTEMPTS
    assert_all_ended(survived + killed)
    # What came back in the child is neither this cell's answer nor the next one's.
    plain, twice = (
        next(cell for cell in result.store.cells() if cell.spec.method == name).table["score:deletion[steps=4]"]
        for name in ("counted", "returning_twice")
    )
    assert list(plain) == list(twice)


@on_linux
def test_nothing_outlives_a_killed_run_not_even_what_hangs(tiny_folder: Path) -> None:
    code = (
        "from heatmark.benchmark.run import run\n"
        "run('quick', models='tiny', data='tiny-pictures', methods='hanging', metrics='average_drop',\n"
        f"    frameworks='torch', device='cpu', out='run', plugins={PLUGINS!r}, progress=False)\n"
    )
    driver = psutil.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 120
    while not (tiny_folder / "hanging").exists() or len(pids(tiny_folder, "hanging")) < 3:
        assert driver.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    family = [process.pid for process in driver.children(recursive=True)]
    started = pids(tiny_folder, "hanging")
    assert len(family) >= 4  # the keeper, the worker and its children
    driver.kill()
    driver.wait()
    assert_all_ended([*family, *started])


@pytest.mark.slow
def test_a_cell_whose_worker_died_is_tried_again_and_given_up_at_last(start: Start, tiny_folder: Path) -> None:
    (tiny_folder / "deaths").write_text(str(ATTEMPTS - 1))
    assert start("dying", engine="processes", plugins=PLUGINS).complete
    assert len(pids(tiny_folder, "dying")) >= ATTEMPTS  # a batch may be explained again for its time
    (tiny_folder / "deaths").write_text("1000")
    (tiny_folder / "dying").unlink()
    result = start("dying,counted", engine="processes", plugins=PLUGINS, out="other")
    (failure,) = result.failures
    assert len(pids(tiny_folder, "dying")) == ATTEMPTS
    assert "SIGSEGV" in failure.error and f"{ATTEMPTS} processes" in failure.error and result.finished == 1


def test_after_an_error_that_loses_the_gpu_another_process_goes_on(start: Start, tiny_folder: Path) -> None:
    result = start("wordy,losing_the_gpu,where", engine="processes", plugins=PLUGINS)
    wordy, lost = result.failures
    assert lost.error == "RuntimeError: CUDA error: device-side assert triggered" and result.finished == 1
    assert set(pids(tiny_folder, "losing_the_gpu")).isdisjoint(pids(tiny_folder, "where"))
    assert len(wordy.error) < 5000 and wordy.error.endswith("and ends here")
    assert (result.missing, result.expected) == (2, 3)


def test_a_worker_that_is_killed_before_it_is_ready_is_started_again() -> None:
    with WorkerProcess("torch", 1, ()) as worker:
        for number in range(ATTEMPTS):
            worker.start()
            assert worker.connection is not None and not worker.ready
            worker._running.process.kill()  # type: ignore[union-attr]
            answer = worker.take()
            assert isinstance(answer, Failed) and "before it was ready" in answer.error
            assert (worker.broken is not None) == (number == ATTEMPTS - 1)


def test_a_limit_is_no_limit_of_the_serial_engine(start: Start) -> None:
    with pytest.raises(BadInput, match="--engine serial"):
        start(cell_timeout=5.0)
    for nonsense in (0.0, -1.0, float("nan")):
        with pytest.raises(BadInput, match="above 0"):
            start(engine="processes", cell_timeout=nonsense)


def test_the_usual_limit_grows_with_the_samples_and_what_is_planned() -> None:
    few, many, cheap, dear = (
        generous_seconds(CellJob(specification(method, last=last), "cpu", 8, 0, SampleRule()))
        for method, last in (("unknown here", 1), ("unknown here", 500), ("saliency", 100), ("rise[masks=8000]", 100))
    )
    assert STARTING_SECONDS < few < many
    assert cheap < 15 * STARTING_SECONDS < 24 * STARTING_SECONDS < dear


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_worker_takes_no_more_threads_than_it_is_given(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(framework)
    pytest.importorskip("threadpoolctl")
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(Path(TINY).parent))
    with WorkerProcess(framework, 1, ()) as worker:
        found = worker.call(asked_threads.of, framework)
    assert isinstance(found, dict), found
    assert len(found) >= 2 and set(found.values()) == {1}, found


def test_an_executor_without_jobs_starts_nothing() -> None:
    executor = ProcessExecutor(["torch"])
    assert list(executor.execute([])) == []
    executor.close()
