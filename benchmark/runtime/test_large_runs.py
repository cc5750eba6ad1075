"""How long a finished folder of 10,000 cells takes to be looked at: its status, its cells, and what is left of its run.

::

    pytest benchmark/runtime/test_large_runs.py -s      # makes the folder first, which takes most of the time

Times are the process's own (user and system), so that what else runs on the machine does not count.
"""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from large_runs import finished_run
from rich.console import Console

from heatmark.benchmark.run import run
from heatmark.benchmark.status import status
from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.report.costs import cost_markdown
from heatmark.leaderboards.report.tables import board_markdown, wide_frame
from heatmark.leaderboards.standings.gathering import gather

METHODS, RANGES, SEEDS = 50, 67, 3
SECONDS = 5.0
GIBIBYTES = 2.0


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
