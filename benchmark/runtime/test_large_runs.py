"""How long large runs take to be looked at.

A finished folder of 10,000 cells: its status, its cells, what is left of its run, its board with the report. And packed
runs of many tasks with five million scores: every table and plot of them.

::

    pytest benchmark/runtime/test_large_runs.py -s      # makes the runs first, which takes most of the time

Times are the process's own (user and system), so that what else runs on the machine does not count.
"""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from large_runs import finished_run
from packed_runs import packed_run
from rich.console import Console

from heatmark.benchmark.run import run
from heatmark.benchmark.status import status
from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.board import Board, leaderboard
from heatmark.leaderboards.report.costs import cost_markdown
from heatmark.leaderboards.report.formats import FORMATS
from heatmark.leaderboards.report.html import html_report
from heatmark.leaderboards.report.tables import board_markdown, wide_frame
from heatmark.leaderboards.standings.gathering import gather

METHODS, RANGES, SEEDS = 50, 67, 3
SECONDS = 5.0
GIBIBYTES = 2.0
PACKED = (40, 12, 8, 1_303)
"""Methods, metrics, tasks and samples of a task: five million scores, a row of a long table each."""
PACKED_SECONDS = 60.0
REPORT_SECONDS = 15.0


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    began = time.process_time()
    work()
    return time.process_time() - began


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("large")
    suite = finished_run(place, METHODS, RANGES, SEEDS)
    time.sleep(2.1)  # files that have just been written are not indexed
    took = seconds(lambda: status(place / "run"))
    print(f"\n{METHODS * RANGES * SEEDS} cells are indexed in {took:.1f} s")
    assert suite.name == RunStore(place / "run").run["name"]
    return place / "run"


def test_the_status(folder: Path) -> None:
    took = seconds(lambda: status(folder))
    print(f"status: {took:.1f} s")
    assert took < SECONDS


def test_the_cells(folder: Path) -> None:
    took = seconds(lambda: RunStore(folder).cells())
    print(f"cells with their rows: {took:.1f} s")
    assert took < SECONDS


def test_a_rerun(folder: Path) -> None:
    from large_runs import large_suite

    suite = large_suite(METHODS, RANGES, SEEDS)
    took = seconds(lambda: run(suite, out=folder, device="cpu", progress=False))
    print(f"a rerun: {took:.1f} s")
    assert took < SECONDS


def test_gathering_for_a_leaderboard(folder: Path) -> None:
    took = seconds(lambda: gather([RunStore(folder)]))
    print(f"gathered for a leaderboard: {took:.1f} s")
    assert took < SECONDS


def test_the_tables_of_a_leaderboard(folder: Path) -> None:
    """Gathering, statistics, and every table as text; not the report, which draws figures besides."""

    def tables() -> list[object]:
        board = leaderboard(folder)
        board.show(Console(file=io.StringIO(), width=120))
        return [wide_frame(board), board_markdown(board, board.overall()), cost_markdown(board)]

    took = seconds(tables)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"the tables of a leaderboard: {took:.1f} s, {peak:.2f} GiB")
    assert took < SECONDS and peak < GIBIBYTES


def test_the_report_of_a_leaderboard(folder: Path) -> None:
    """With the mean curves of all methods, which are read from every sample's."""
    board = leaderboard(folder)
    standing = board.overall()
    took = seconds(lambda: html_report(board, standing))
    print(f"report.html: {took:.1f} s")
    assert took < REPORT_SECONDS


def test_all_tables_and_plots_of_five_million_scores(tmp_path: Path) -> None:
    """All texts, all formats, and the report with its plots, in 60 s and 2 GiB; every figure as a file besides.

    In a process of its own, whose memory nothing else has touched.
    """
    methods, metrics, tasks, samples = PACKED
    assert methods * metrics * tasks * samples >= 5_000_000
    run = packed_run(tmp_path / "run", *PACKED)
    done = subprocess.run([sys.executable, __file__, run, tmp_path], check=True, capture_output=True, text=True)
    laps = {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
    print(f"\n{methods} methods x {metrics} metrics x {tasks} tasks x {samples} samples: {laps}")
    assert len(list((tmp_path / "figures").glob("*.png"))) > 5 * tasks
    assert laps["board"] + laps["tables"] + laps["report"] < PACKED_SECONDS
    assert laps["gibibytes"] < GIBIBYTES


def main(run: Path, into: Path) -> None:
    """Make all tables and plots of a run in a folder, and print what each took."""
    made: list[Board] = []
    laps = {"board": seconds(lambda: made.append(leaderboard(run)))}
    (board,) = made

    def tables() -> None:
        board.show(Console(file=io.StringIO(), width=120))
        for form in FORMATS:
            board.text(form)

    laps["tables"] = seconds(tables)
    laps["report"] = seconds(lambda: board.write(into))
    laps["gibibytes_before_figures"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    laps["figures"] = seconds(lambda: board.write_figures(into / "figures"))
    laps["gibibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print("\n".join(f"{name} {value:.2f}" for name, value in laps.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
