"""How long the statistics of large boards take, and how much memory.

Seconds are of the processor, whatever else runs on the machine.

::

    pytest benchmark/runtime/test_statistics_speed.py -s      # prints seconds and memory; a minute on one core
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np

from heatmark.leaderboards.statistics.bootstrap import bootstrap_means, interval
from heatmark.leaderboards.statistics.ranking import ranking
from heatmark.leaderboards.statistics.ranks import ranks

METHODS, METRICS, TASKS = 60, 50, 15
SAMPLES = 5_000_000 // (METHODS * METRICS * TASKS)
"""So many a task make five million scores."""


def test_ten_thousand_resamples() -> None:
    """10,000 resamples of 60 methods on 1,000 samples, ranked, with intervals: in 5 s."""
    scores = np.random.default_rng(0).normal(size=(METHODS, 1000))
    begin = time.process_time()
    draws = bootstrap_means(scores, np.ones(scores.shape, bool), resamples=10_000)
    low, high = interval(ranks(draws, True))
    seconds = time.process_time() - begin
    print(f"\n10,000 resamples of 60 methods on 1,000 samples: {seconds:.2f} s")
    assert (low <= high).all() and seconds < 5


def test_all_statistics_of_a_board() -> None:
    """Five million scores: means, intervals, ranks, ties of every metric and task, in 60 s and 2 GiB.

    In a process of its own, whose memory nothing else has touched.
    """
    run = subprocess.run([sys.executable, __file__], check=True, capture_output=True, text=True)
    seconds, gigabytes = map(float, run.stdout.split())
    size = f"{METHODS} methods x {METRICS} metrics x {TASKS} tasks x {SAMPLES} samples"
    print(f"\n{size}: {seconds:.1f} s, {gigabytes} GiB")
    assert seconds < 60 and gigabytes < 2


def main() -> None:
    """Print the seconds and GiB of a board whose methods differ, so that every pair is tested on every metric."""
    draw = np.random.default_rng(0)
    shape = (TASKS, METRICS, METHODS, SAMPLES)
    scores = draw.normal(size=shape, scale=0.5) + np.linspace(0, 1, METHODS)[:, None]
    # A third of the metrics have few values, and so many ties.
    scores[:, ::3] = scores[:, ::3].round(1)
    begin = time.process_time()
    for task in scores:
        ranking(task, [True] * METRICS, np.ones(METHODS, bool))
    print(time.process_time() - begin, round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2))


if __name__ == "__main__":
    main()
