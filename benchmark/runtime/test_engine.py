"""The engine's cost against the bare network at its best chunk and memory format, in the same rounds.

Run with ``tox -e bench``, or ``pytest benchmark/runtime --benchmark-json out.json``; ``heatmark runtime --methods
engine:forward,engine:gradient,engine:curves`` measures the same. The ratio stands in the output's ``extra_info``.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heatmark as hm
from heatmark.benchmark.timing.rows import CURVES, FORWARD, GRADIENT, Place, RuntimeCase, checked_precision
from heatmark.leaderboards.statistics.timed import Estimate, median_estimate, ratio_estimate
from heatmark.models.base import Model

sys.path.insert(0, str(Path(__file__).parent))
from bare import bare_loops, interleaved

NETWORK = "efficientnet-lite0"
TRIED = 32
"""So many rows tell which bare loops are the fastest."""
ROUNDS = int(os.environ.get("HEATMARK_BENCH_ROUNDS", "5"))


def measure(benchmark: Any, model: Model, work: Callable[[], Any], rows: Any) -> Estimate:
    """Time the work and the two bare loops that are fastest, over as many rows, in turns; return and note the ratio."""
    loops = bare_loops(model, backward=False)
    few = rows[:TRIED]
    trial = interleaved({name: lambda loop=loop: loop(few) for name, loop in loops.items()}, 2)
    fastest = sorted(trial, key=lambda name: min(trial[name]))[:2]
    for _ in range(2):
        work()  # lets the engine settle on its chunk
    jobs = {"engine": work, **{name: lambda loop=loops[name]: loop(rows) for name in fastest}}
    seconds = interleaved(jobs, ROUNDS)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    best = min(fastest, key=lambda name: medians[name])
    ratio = ratio_estimate(seconds["engine"], seconds[best])
    benchmark.extra_info.update(
        ratio=round(ratio.value, 3),
        ratio_low=round(ratio.low, 3),
        ratio_high=round(ratio.high, 3),
        engine_chunks=model.engine.chunk_sizes(),
        best_bare_chunk=best,
        bare_milliseconds_per_pass=round(1000 * medians[best] / len(rows), 2),
        engine_milliseconds_per_pass=round(1000 * medians["engine"] / len(rows), 2),
        load=round(os.getloadavg()[0], 1),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}", flush=True)
    benchmark.pedantic(work, rounds=1)
    return ratio


#: The work, its images a call, and what it may take over the bare network on a processor, where a bar is set.
WORKS = {
    FORWARD: ("64", 1.05),
    GRADIENT: ("64", 1.10),
    CURVES: ("2", None),
    "integrated_gradients[steps=50]": ("4", None),
    "smoothgrad[samples=25]": ("4", None),
    "occlusion[window=32,stride=32]": ("4", None),
    "rise[masks=64]": ("4", None),
    "score_cam[layer=block11_project_norm]": ("4", None),
    "score_cam": ("1", None),
}


def works(cases):
    """Return every work at the places and precisions that the options choose, on the one network."""
    places = dict.fromkeys((case.place, case.precision) for case in cases)
    return [
        RuntimeCase(work, NETWORK, place, precision, images)
        for place, precision in places
        for work, (images, _) in WORKS.items()
    ]


def test_work(benchmark, measured_row, method, model_name, framework, device, precision, batch):
    """A query, a method or curves, against the bare network's time for the same passes, which are counted exactly.

    Score-CAM sends one masked input for each channel of the default layer, so its passes are the layer's channels.
    """
    place = Place(framework, device)
    row = measured_row(RuntimeCase(method, model_name, place, checked_precision(precision), batch))
    ratio, bar = median_estimate(row.overhead), WORKS[method][1]
    benchmark.extra_info.update(ratio=ratio.value, ratio_low=ratio.low, ratio_high=ratio.high, bar=bar)
    print(f"\n{benchmark.name}: {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}), bare at {row.bare_labels}")
    if place.on_cpu and bar is not None:
        assert ratio.low <= bar


test_work.cases = works

FAMILY = (
    *("deletion", "insertion", "morf", "lerf", "n_ord", "s_ord", "tpn", "tps", "aopc", "abpc"),
    *("average_drop", "average_increase"),
)
ROAD = ("road_morf", "road_lerf", "road_combined")


@pytest.mark.parametrize(
    ("metrics", "method", "images", "bar"),
    [(FAMILY, "smoothgrad[samples=2]", 2, 1.10), (ROAD, "grad_cam", 8, 1.50)],
    ids=["curves", "road"],
)
def test_metrics(benchmark, model, photographs, metrics, method, images, bar):
    """A family of metrics together, against the bare forwards of its distinct pictures.

    Eight photographs are a batch of the suites; two of them are enough where each has some two hundred pictures.
    """
    from heatmark.metrics.planner import evaluate_batch
    from heatmark.metrics.registry import metric_from

    chosen = [metric_from(name) for name in metrics]
    x = photographs(model, images)
    maps = hm.explain(model, x, method, 0)

    def work():
        evaluate_batch(model, x, maps, np.zeros(images, np.int64), chosen)

    before = model.passes.forward
    work()
    distinct = model.passes.forward - before
    benchmark.extra_info.update(distinct_pictures=distinct // images, bar=bar)
    ratio = measure(benchmark, model, work, photographs(model, distinct))
    if model.on_cpu:
        assert ratio.low <= bar
