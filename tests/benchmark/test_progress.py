"""How a run shows itself: the estimate of the time left, the bar, and plain lines."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from heatmark.benchmark.running import progress
from heatmark.benchmark.running.progress import Pace, View, view_of
from heatmark.benchmark.store.cell import CellSpec
from heatmark.benchmark.store.outcomes import Failed, Finished, NotMeant
from heatmark.benchmark.work.messages import Advanced, Ended, Started


def job(framework: str, method: str = "saliency[a=1]") -> CellSpec:
    return CellSpec(
        model="m",
        model_weights="w",
        dataset="d",
        dataset_revision="r",
        first=0,
        last=2,
        method=method,
        method_identity={},
        metrics=("deletion",),
        metric_identities=({},),
        framework=framework,
    )


JOBS = [job("torch"), job("torch"), job("tensorflow"), job("tensorflow"), job("tensorflow")]
DONE = Finished(None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stop the clock; ``clock(5)`` moves it by five seconds."""
    now = [1000.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


@pytest.mark.parametrize(("side_by_side", "left"), [(True, 3 * 4.0), (False, 1 * 10.0 + 3 * 4.0)])
def test_time_left_is_each_frameworks_mean_times_its_cells(clock: Any, side_by_side: bool, left: float) -> None:
    pace = Pace([*JOBS, job("tensorflow")], side_by_side)
    assert pace.seconds_left() is None
    for first in (JOBS[0], JOBS[2]):
        pace.hear(Started(first))
    pace.hear(Ended(JOBS[0], DONE, 10.0))
    pace.hear(Ended(JOBS[2], DONE, 4.0))
    assert pace.seconds_left() == pytest.approx(left)
    pace.hear(Started(JOBS[3]))
    clock(1.0)
    assert pace.seconds_left() == pytest.approx(left - 1.0)
    clock(100.0)  # a cell that takes longer than the mean does not make the rest shorter
    assert pace.seconds_left() == pytest.approx(max(left - 4.0, 10.0 if side_by_side else 0.0))


def test_a_cell_that_takes_longer_than_the_others_leaves_a_least_or_no_time(clock: Any) -> None:
    pace = Pace(JOBS[:2], False)
    pace.hear(Started(JOBS[0]))
    pace.hear(Ended(JOBS[0], DONE, 4.0))
    pace.hear(Started(JOBS[1]))
    clock(3.0)
    assert pace.text == "0:00:01 left"
    clock(60.0)  # the last one: how much longer is not known
    assert pace.text == ""
    pace = Pace([*JOBS[:2], JOBS[0]], False)
    pace.hear(Started(JOBS[0]))
    pace.hear(Ended(JOBS[0], DONE, 4.0))
    pace.hear(Started(JOBS[1]))
    clock(60.0)
    assert pace.text == "more than 0:00:04 left"


def test_the_rate_is_that_of_the_last_seconds(clock: Any) -> None:
    pace = Pace(JOBS, True)
    clock(5.0)
    pace.hear(Advanced(JOBS[0], 100))
    assert pace.images_per_second() == pytest.approx(20.0)
    clock(100.0)
    pace.hear(Advanced(JOBS[0], 30))
    assert pace.images_per_second() == pytest.approx(2.0)


def test_plain_lines_are_rare_and_say_how_cells_ended(clock: Any) -> None:
    out = io.StringIO()
    view = View(Pace(JOBS, True), Console(file=out, width=500))
    with view:
        view.hear(Started(JOBS[0]))
        for _ in range(50):
            clock(0.5)
            view.hear(Advanced(JOBS[0], 10))
        view.hear(Ended(JOBS[0], DONE, 25.0))
        view.hear(Ended(JOBS[1], Failed("ValueError: no [red]good[/red]"), 1.0))
        view.hear(Ended(JOBS[2], NotMeant("no ReLU"), 1.0))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2 + 3
    assert lines[0].startswith("[0/5] working on saliency[a=1] torch (") and "20 images/s" in lines[0]
    assert lines[2].startswith("[1/5] m on d · saliency[a=1] · torch · samples 0 to 1: done in 25.0 s")
    assert "FAILED: ValueError: no [red]good[/red]" in lines[3]
    assert "not applicable: no ReLU" in lines[4] and "left)" in lines[4]


def test_a_terminal_gets_a_bar_with_failures_above_it() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    view = view_of(JOBS, True, console=console)
    assert view.bar is not None
    with view:
        view.hear(Started(JOBS[0]))
        view.hear(Advanced(JOBS[0], 10))
        view.hear(Ended(JOBS[0], Failed("broken"), 2.0))
    text = out.getvalue()
    assert "1/5" in text and "images/s" in text and "FAILED: broken" in text


def test_nothing_is_shown_where_nothing_is_wanted_or_to_do() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True)
    with view_of(JOBS, shown=False, console=console) as view:
        view.hear(Started(JOBS[0]))
        view.hear(Ended(JOBS[0], DONE, 1.0))
    with view_of([], console=console):
        pass
    assert out.getvalue() == ""


def test_an_error_of_many_cells_is_written_out_once() -> None:
    endings = [Failed("broken"), Failed("broken"), NotMeant("no ReLU"), NotMeant("no ReLU"), Failed("other")]
    for terminal in (True, False):
        out = io.StringIO()
        view = view_of(JOBS, True, console=Console(file=out, force_terminal=terminal, width=200), notes=["mind this"])
        with view:
            for one, outcome in zip(JOBS, endings, strict=True):
                view.hear(Started(one))
                view.hear(Ended(one, outcome, 1.0))
        text = out.getvalue()
        assert text.startswith("mind this\n")
        assert [text.count(why) for why in ("FAILED: broken", "applicable: no ReLU", "FAILED: other")] == [1, 1, 1]
        assert text.count("FAILED: the same error") == text.count("the same reason") == (0 if terminal else 1)


@pytest.mark.parametrize("stopped", [False, True])
def test_an_ended_bar_names_nothing_that_runs(clock: Any, stopped: bool) -> None:
    out = io.StringIO()
    view = view_of(JOBS[:2], False, console=Console(file=out, force_terminal=True, width=200))
    with view:
        view.hear(Started(JOBS[0]))
        clock(20.0)
        view.hear(Advanced(JOBS[0], 100))
        view.hear(Ended(JOBS[0], DONE, 20.0))
        view.hear(Started(JOBS[1]))
        assert "saliency" in view.bar.tasks[0].fields["shown"]  # type: ignore[union-attr]
        if not stopped:
            view.hear(Ended(JOBS[1], DONE, 1.0))
    shown = view.bar.tasks[0].fields["shown"]  # type: ignore[union-attr]
    last = out.getvalue().split("\r")[-1]
    assert shown in last and "saliency" not in last
    assert ("1/2" in last and "left" in shown) if stopped else ("2/2" in last and shown == "5 images/s, took 0:00:20")


def test_two_workers_of_a_framework_halve_the_time_left(clock: Any) -> None:
    first, second, *others = (job("torch") for _ in range(4))
    pace = Pace([first, second, *others], side_by_side=True)
    pace.hear(Started(first))
    pace.hear(Started(second))
    pace.hear(Ended(first, DONE, 8.0))
    assert pace.seconds_left() == pytest.approx(3 * 8.0 / 2)
