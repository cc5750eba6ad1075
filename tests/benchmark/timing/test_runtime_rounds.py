"""Timing in rounds, on a clock that tells what the test wants: turns, repeats, noise, and statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from heatmark.benchmark.timing.files import statistics_of
from heatmark.benchmark.timing.rounds import interleaved, measured_rounds, spread


class Clock:
    """A clock that only work moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns: list[str] = []

    def __call__(self) -> float:
        return self.now

    def job(self, name: str, seconds: Sequence[float]) -> Callable[[], None]:
        """Return work that takes these times, one after the other and then again."""
        number = iter(range(10**6))

        def work() -> None:
            self.turns.append(name)
            self.now += seconds[next(number) % len(seconds)]

        return work


def test_jobs_take_turns_and_each_time_is_its_own():
    clock = Clock()
    jobs = {"one": clock.job("one", [1.0, 2.0, 3.0]), "two": clock.job("two", [10.0])}
    assert interleaved(jobs, 3, clock=clock) == {"one": [1.0, 2.0, 3.0], "two": [10.0] * 3}
    assert clock.turns == ["one", "two"] * 3


def test_steady_times_are_measured_once():
    clock = Clock()
    found = measured_rounds({"work": clock.job("work", [1.0, 1.01])}, "work", 6, clock=clock)
    assert found.attempts == 1 and not found.noisy and len(found.seconds["work"]) == 6


def test_a_noisy_measurement_is_taken_again_and_then_flagged():
    clock = Clock()
    found = measured_rounds({"work": clock.job("work", [1.0, 2.0])}, "work", 4, clock=clock)
    assert found.attempts == 2 and found.noisy


def test_the_steadier_attempt_is_kept():
    clock = Clock()
    # One call first, four noisy rounds, four steady ones.
    times = [1.0, *(1.0, 3.0, 1.0, 3.0), *(2.0, 2.0, 2.0, 2.0)]
    found = measured_rounds({"work": clock.job("work", times)}, "work", 4, clock=clock)
    assert found.attempts == 2 and not found.noisy and found.seconds["work"] == (2.0,) * 4


def test_short_calls_are_repeated_within_a_round():
    clock = Clock()
    jobs = {"work": clock.job("work", [0.001]), "bare": clock.job("bare", [0.2])}
    found = measured_rounds(jobs, "work", 3, clock=clock)
    # As long as a quarter of the longest job, and its time is still that of one call.
    assert found.iterations == {"work": 50, "bare": 1}
    assert found.seconds["work"] == pytest.approx((0.001,) * 3)


def test_long_calls_get_fewer_rounds_but_never_less_than_three():
    clock = Clock()
    assert len(measured_rounds({"work": clock.job("work", [1.0])}, "work", 50, 10.0, clock).seconds["work"]) == 10
    assert len(measured_rounds({"work": clock.job("work", [60.0])}, "work", 50, 10.0, clock).seconds["work"]) == 3
    assert len(measured_rounds({"work": clock.job("work", [60.0])}, "work", 2, 10.0, clock).seconds["work"]) == 2


@pytest.mark.parametrize("count", range(1, 12))
def test_statistics_are_those_of_pytest_benchmark(count):
    stats = pytest.importorskip("pytest_benchmark.stats")
    calls = list(np.random.default_rng(count).gamma(2.0, 0.01, count))
    theirs = stats.Stats()
    for seconds in calls:
        theirs.update(seconds)
    ours = statistics_of(calls, 1)
    for name in theirs.fields:
        assert ours[name] == pytest.approx(getattr(theirs, name)), name


def test_spread_by_hand():
    found = spread([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (found.low, found.median, found.high) == (1.75, 3.0, 4.25)
    assert found.iqr == 2.5 and found.relative == pytest.approx(2.5 / 3)
