"""Runs end as Ctrl-C ends them when the system asks, and go on when nobody reads what they print."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import PLUGIN

from heatmark.benchmark.running.stopping import stopped_by_signals
from heatmark.datasets.progress import Progress, Unbroken

COMMAND = [
    sys.executable, "-m", "heatmark", "run", "--models", "tiny", "--data", "tiny-pictures", "--metrics",
    "average_drop", "--frameworks", "torch", "--device", "cpu", "--out", "run", "--plugin", PLUGIN,
]  # fmt: skip


@pytest.fixture(autouse=True)
def tiny_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINY_FOLDER", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signal")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_run_as_ctrl_c_does(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import psutil

    methods = "counted[shade=1],counted[shade=2,pause=60]"
    number = getattr(signal, name)
    parent = psutil.Popen(
        [*COMMAND, "--methods", methods],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the tests themselves may run under nohup
    )
    until = time.monotonic() + 120
    while not list((tmp_path / "run" / "cells").glob("*.parquet")):
        assert parent.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    workers = [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]
    assert workers
    parent.send_signal(number)
    _, told = parent.communicate(timeout=60)
    assert parent.returncode == 130
    assert "Stopped. 1 finished cell is kept in run. Resume with: heatmark run quick" in told
    assert "Traceback" not in told
    gone, alive = psutil.wait_procs(workers, timeout=30)
    assert gone and not alive


@pytest.mark.parametrize("closed", ["stderr", "stdout"])
def test_what_nobody_reads_does_not_end_a_run(closed: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pipes = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, closed: subprocess.PIPE}
    process = subprocess.Popen([*COMMAND, "--methods", "counted[shade=1|2]"], **pipes)  # type: ignore[call-overload]
    getattr(process, closed).close()
    status = process.wait(timeout=120)
    assert len(list((tmp_path / "run" / "cells").glob("*.parquet"))) == 2
    assert (tmp_path / "run" / "report.html").is_file()
    # Results that cannot be printed are worth a status; notes are not.
    assert status == 0 if closed == "stderr" else status in (0, 1, 120)


def test_handlers_are_put_back_and_those_of_others_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) is before
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as under nohup
    try:
        with stopped_by_signals():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


class Broken(io.StringIO):
    """A pipe whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", ["broken", "closed", "missing"])
def test_progress_is_dropped_where_it_cannot_be_written(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark.running.progress import view_of

    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", {"broken": Broken(), "closed": closed, "missing": None}[stream])
    with Progress("Reading", 3) as bar:
        bar.update(3)
    with view_of([], notes=["a note"]):
        pass
    assert not Unbroken(sys.stderr).isatty()
