"""Made-up finished runs of many small cells: one is measured, and stands for all others with other scores."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from heatmark.benchmark.executors.base import SerialExecutor
from heatmark.benchmark.run import run
from heatmark.benchmark.running.jobs import described
from heatmark.benchmark.running.plan import ResolvedSuite, planned_cells
from heatmark.benchmark.store.cell import score_column
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.suite import Suite, suite_from

METRICS = (
    "deletion[steps=8],insertion[steps=8],n_ord[steps=8],s_ord[steps=8],average_drop,morf[steps=8],lerf[steps=8],"
    "complexity,sparseness,effective_complexity"
)
SAMPLES = 5
"""Samples of a cell."""


def large_suite(methods: int, ranges: int, seeds: int) -> Suite:
    """Return a suite of so many methods times so many ranges of samples and seeds, on the digits."""
    names = [f"integrated_gradients[steps={steps}]" for steps in range(2, methods)]
    return suite_from(
        {
            "models": ["small-cnn"],
            "data": ["digits"],
            "methods": ["saliency", "random", *names],
            "metrics": METRICS.split(","),
            "frameworks": ["torch"],
            "seeds": list(range(seeds)),
            "limit": SAMPLES * ranges,
            "part": "all",
            "cell_samples": SAMPLES,
            "gallery": 6,
        },
        "large",
        "large",
    )


def finished_run(folder: Path, methods: int, ranges: int, seeds: int) -> Suite:
    """Make a finished run in ``folder/run``, and return its suite; nothing is synced, which would take minutes."""
    with patch("os.fsync"):
        return _finished_run(folder, methods, ranges, seeds)


def _finished_run(folder: Path, methods: int, ranges: int, seeds: int) -> Suite:
    template = run(
        large_suite(3, 1, 1).changed(methods="saliency"),
        out=folder / "one",
        engine="serial",
        device="cpu",
        progress=False,
    )
    (first,) = [template.store.opened(spec.key) for spec in template.store.expected]
    assert first is not None
    rows = first.rows
    suite = large_suite(methods, ranges, seeds)
    resolved = ResolvedSuite.of(suite, "cpu")
    answers = described(resolved.named_models, SerialExecutor(()))
    store = RunStore.prepared(folder / "run")
    specs = [spec for spec, _ in planned_cells(resolved, answers, store)]
    store.begin({"suite": suite.plain(), "name": suite.name, "seeds": list(suite.seeds), "device": "cpu"}, specs)
    samples = resolved.samples["small-cnn", "digits"]
    level = {spec.method: number / methods for number, spec in enumerate(specs[:methods])}
    for spec in specs:
        draw = np.random.default_rng([spec.first, *spec.key.encode()])
        changed = {
            "sample": [samples.sample_id(index) for index in range(spec.first, spec.last)],
            "index": list(range(spec.first, spec.last)),
        }
        changed |= {
            score_column(metric): list(level[spec.method] + 0.2 * draw.normal(size=SAMPLES)) for metric in spec.metrics
        }
        if spec.first >= suite.gallery:
            changed |= {"map": [None] * SAMPLES, "map_shape": [None] * SAMPLES}
        columns = [
            pa.array(changed[item.name], item.type) if item.name in changed else rows[item.name] for item in rows.schema
        ]
        store.write(spec, pa.table(columns, schema=rows.schema), first.provenance)
    return suite
