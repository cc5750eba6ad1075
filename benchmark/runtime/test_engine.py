"""The engine's cost against the bare network at its best chunk and memory format, in one run.

Run with ``tox -e bench``, or ``pytest benchmark/runtime --benchmark-json out.json``. The ratio stands in the output's
``extra_info``: time of the engine over the time of the fastest bare loop, medians of interleaved rounds.
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
from heatmark.models.base import Model
from heatmark.models.engine import Pairs
from heatmark.models.queries import Query

sys.path.insert(0, str(Path(__file__).parent))
from bare import bare_loops, interleaved

ROWS = 64
TRIED = 32
"""So many rows tell which bare loops are the fastest."""
ROUNDS = int(os.environ.get("HEATMARK_BENCH_ROUNDS", "5"))


def measure(benchmark: Any, model: Model, work: Callable[[], Any], rows: Any, *, backward: bool) -> None:
    """Time the work and the two bare loops that are fastest, over as many rows, in turns, and note the ratio."""
    loops = bare_loops(model, backward)
    few = rows[:TRIED]
    trial = interleaved({name: lambda loop=loop: loop(few) for name, loop in loops.items()}, 2)
    fastest = sorted(trial, key=lambda name: min(trial[name]))[:2]
    for _ in range(2):
        work()  # lets the engine settle on its chunk
    jobs = {"engine": work, **{name: lambda loop=loops[name]: loop(rows) for name in fastest}}
    medians = {name: statistics.median(values) for name, values in interleaved(jobs, ROUNDS).items()}
    best = min(fastest, key=lambda name: medians[name])
    benchmark.extra_info.update(
        ratio=round(medians["engine"] / medians[best], 3),
        best_bare_chunk=best,
        bare_milliseconds_per_pass=round(1000 * medians[best] / len(rows), 2),
        engine_milliseconds_per_pass=round(1000 * medians["engine"] / len(rows), 2),
        load=round(os.getloadavg()[0], 1),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}", flush=True)
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

    measure(benchmark, model, work, x, backward=query.backward)


METHODS = (
    "integrated_gradients[steps=50]",
    "smoothgrad[samples=25]",
    "occlusion[window=32,stride=32]",
    "rise[masks=64]",
    "score_cam[layer=block11_project_norm]",
)


@pytest.mark.parametrize("method", METHODS)
def test_method(benchmark, model, photographs, method):
    """A method, against the bare passes that it needs."""
    x = photographs(model, 4)
    before = model.passes
    hm.explain(model, x, method, 0)
    spent = model.passes - before
    rows = photographs(model, spent.forward)
    measure(benchmark, model, lambda: hm.explain(model, x, method, 0), rows, backward=spent.backward > 0)


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
    benchmark.extra_info.update(distinct_pictures=distinct // 2)
    measure(benchmark, model, work, photographs(model, distinct), backward=False)
