"""The engine's cost against the bare network at its best chunk and memory format, in one run.

Run with ``tox -e bench``, or ``pytest benchmark/runtime --benchmark-json out.json``. The ratio stands in the output's
``extra_info``: time of the engine over the time of the fastest bare loop, medians of interleaved rounds.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heatmark as hm
from heatmark.models.engine import Pairs
from heatmark.models.queries import Query

sys.path.insert(0, str(Path(__file__).parent))
from bare import bare_loops, interleaved

ROWS = 64
ROUNDS = 7


def measure(benchmark: Any, work: Any, bare: dict[str, Any], passes: int) -> None:
    """Time the work and the two fastest bare loops in turns, and note the ratio."""
    trial = interleaved(bare, 1)
    fastest = sorted(trial, key=lambda name: trial[name][0])[:2]
    for _ in range(3):
        work()  # lets the engine settle on its chunk
    times = interleaved({"engine": work, **{name: bare[name] for name in fastest}}, ROUNDS)
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min(fastest, key=lambda name: medians[name])
    benchmark.extra_info.update(
        ratio=round(medians["engine"] / medians[best], 3),
        best_bare_chunk=best,
        bare_milliseconds_per_pass=round(1000 * medians[best] / passes, 2),
        engine_milliseconds_per_pass=round(1000 * medians["engine"] / passes, 2),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    benchmark.pedantic(work, rounds=1)


@pytest.mark.parametrize("kind", ["forward", "gradient"])
def test_query(benchmark, model, photographs, kind):
    """One query over many photographs."""
    x = photographs(model, ROWS)
    target = model.from_numpy(np.zeros(ROWS, np.int64))
    query = Query(input_gradient=kind == "gradient")

    def work():
        for _ in model.engine.stream(query, x, target, Pairs.grid(ROWS, 1)):
            pass
        model.synchronise()

    loops = bare_loops(model, query.backward)
    measure(benchmark, work, {name: lambda loop=loop: loop(x) for name, loop in loops.items()}, ROWS)


METHODS = {
    "integrated_gradients[steps=16]": (16, True),
    "smoothgrad[samples=16]": (16, True),
    "occlusion[window=32,stride=32]": (50, False),
    "rise[masks=64]": (64, False),
}


@pytest.mark.parametrize("method", METHODS)
def test_method(benchmark, model, photographs, method):
    """A method, against the bare passes that it needs."""
    variants, backward = METHODS[method]
    x = photographs(model, 4)
    rows = photographs(model, 4 * variants)
    loops = bare_loops(model, backward)
    bare = {name: lambda loop=loop: loop(rows) for name, loop in loops.items()}
    measure(benchmark, lambda: hm.explain(model, x, method, 0), bare, 4 * variants)


FAMILY = (
    *("deletion", "insertion", "morf", "lerf", "n_ord", "s_ord", "tpn", "tps", "aopc", "abpc"),
    *("average_drop", "average_increase"),
)
ROAD = ("road_morf", "road_lerf", "road_combined")


@pytest.mark.parametrize(("metrics", "method"), [(FAMILY, "smoothgrad[samples=2]"), (ROAD, "grad_cam")])
def test_metrics(benchmark, model, photographs, metrics, method):
    """A family of metrics together, against the bare forwards of its distinct pictures."""
    from heatmark.metrics.evaluation import evaluate_batch
    from heatmark.metrics.registry import metric_from

    chosen = [metric_from(name) for name in metrics]
    x = photographs(model, 2)
    maps = hm.explain(model, x, method, 0)

    def work():
        evaluate_batch(model, x, maps, np.zeros(2, np.int64), chosen)

    before = model.passes.forward
    work()
    distinct = model.passes.forward - before
    rows = photographs(model, distinct)
    loops = bare_loops(model, False)
    bare = {name: lambda loop=loop: loop(rows) for name, loop in loops.items()}
    benchmark.extra_info.update(distinct_pictures=distinct // 2)
    measure(benchmark, work, bare, distinct)
