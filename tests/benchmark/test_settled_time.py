"""Times without one-time work: which calls count, how often they are repeated, and that equal work costs equal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heatmark.benchmark.work import settled_time
from heatmark.benchmark.work.settled_time import SettledTime, least_seconds

TWINS = """
from heatmark.methods.registry import register_method

def _saliency(request):
    return request.operations.abs(request.gradient())

def _averaged(request):
    return sum(request.gradient() for _ in range(12)) / 12

for name in ("early", "late"):
    register_method(f"one_{name}", family="test", signed=False)(_saliency)
    register_method(f"many_{name}", family="test", signed=True)(_averaged)
"""
"""Methods that do the same work under different names."""


class Clock:
    """A clock that work moves, and a model whose engine tries chunk sizes out in the first so many calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, searching: int = 0) -> None:
        self.now, self.calls, self.searching = 0.0, 0, searching
        monkeypatch.setattr(settled_time, "perf_counter", lambda: self.now)
        self.model: Any = SimpleNamespace(synchronise=lambda: None, engine=self)

    @property
    def trials(self) -> int:
        return min(self.calls, self.searching)

    def taking(self, *seconds: float) -> Any:
        """Return a call that takes so long each time; the last time ever after."""
        left = list(seconds)

        def call() -> str:
            self.calls += 1
            self.now += left.pop(0) if len(left) > 1 else left[0]
            return "maps"

        return call


def test_a_single_batch_is_done_again_until_its_time_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    times, explain = SettledTime(clock.model), clock.taking(3.0, 0.1, 0.08, 0.09, 0.08)
    assert times.measured(explain, 1, 4) == "maps"
    times.settle(explain, 1, 4)
    assert times.seconds_per_image(1) == pytest.approx(0.02)  # the least, not the three seconds of setting up
    assert clock.calls == 4  # three settled calls of a quarter of a second in all


def test_batches_of_a_size_that_was_there_need_no_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    times, explain = SettledTime(clock.model), clock.taking(9.0, 0.8, 0.6, 0.7)
    for batch, images in enumerate((4, 4, 4, 2)):
        times.measured(explain, batch, images)
    times.settle(explain, 0, 4)
    assert clock.calls == 4
    # Each batch has its own time; the first, and the last, whose size was new, have the median of the others.
    expected = [0.175, 0.2, 0.15, 0.175]
    assert [times.seconds_per_image(batch) for batch in range(4)] == pytest.approx(expected)


def test_calls_in_which_chunks_are_tried_out_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, searching=3)
    times, explain = SettledTime(clock.model), clock.taking(5.0, 0.5, 0.4, 0.3)
    times.measured(explain, 1, 1)
    times.settle(explain, 1, 1)
    assert times.seconds_per_image(1) == pytest.approx(0.3) and clock.calls > 4


def test_repeats_never_cost_more_than_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, searching=100)
    times, explain = SettledTime(clock.model), clock.taking(4.0)
    times.measured(explain, 1, 1)
    times.settle(explain, 1, 1)
    assert clock.calls == 2 and times.seconds_per_image(1) == 4.0
    clock = Clock(monkeypatch)
    times, explain = SettledTime(clock.model), clock.taking(60.0)
    times.measured(explain, 1, 1)
    times.settle(explain, 1, 1)
    assert clock.calls == 1  # nobody waits for a minute again
    clock = Clock(monkeypatch)
    times, explain = SettledTime(clock.model), clock.taking(1e-6)
    times.measured(explain, 1, 1)
    times.settle(explain, 1, 1)
    assert clock.calls == 1 + settled_time.MOST_REPEATS


def test_the_bare_network_is_timed_by_the_same_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert least_seconds(clock.model, clock.taking(5.0, 0.1, 0.08, 0.09)) == pytest.approx(0.08)
    assert clock.calls == 4


def test_a_method_that_cannot_do_it_twice_keeps_its_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from heatmark.benchmark.run import run

    plugin = tmp_path / "once_only.py"
    plugin.write_text(
        "import heatmark as hm\n"
        "CALLS = []\n"
        "@hm.register_method('once_only', family='test', signed=True)\n"
        "def once_only(request):\n"
        "    CALLS.append(1)\n"
        "    assert len(CALLS) == 1\n"
        "    return request.x * 1.0\n"
    )
    monkeypatch.setenv("TINY_FOLDER", str(tmp_path))
    tiny = str(Path(__file__).parents[1] / "shared" / "plugins" / "tiny_plugin.py")
    result = run(
        "quick", models="tiny", data="tiny-pictures", methods="once_only", metrics="average_drop", frameworks="torch",
        device="cpu", engine="serial", out=tmp_path / "run", plugins=[tiny, str(plugin)], progress=False,
    )  # fmt: skip
    assert result.complete and (result.store.cells()[0].table["explain_seconds"] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize(("model", "data", "limit"), [("cnn-1d-series", "series", 5), ("small-cnn", "digits", 20)])
@pytest.mark.parametrize("order", ["{0}_early,{0}_late", "{0}_late,{0}_early"])
@pytest.mark.parametrize("work", ["one", "many"])
def test_equal_work_costs_equal(
    framework: str, model: str, data: str, limit: int, order: str, work: str, tmp_path: Path
) -> None:
    """Needs a machine that does nothing else: other work may hit one method and not the other."""
    pytest.importorskip(framework)
    from heatmark.benchmark.run import run
    from heatmark.leaderboards.board import leaderboard

    twins = tmp_path / "twins.py"
    twins.write_text(TWINS)
    result = run(
        "quick", models=model, data=data, methods=order.format(work), metrics="average_drop", frameworks=framework,
        device="cpu", engine="serial", limit=limit, out=tmp_path / "run", plugins=[str(twins)], progress=False,
    )  # fmt: skip
    costs = [row.cost.relative for row in leaderboard(result).tables[0].rows]
    assert max(costs) <= 1.15 * min(costs)
