"""Made-up packed runs of many scores in many tasks, as they are sent and cited: of curves they keep the means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa

from heatmark.benchmark.store.cell import SCHEMA, CellSpec, rows_schema, score_column
from heatmark.benchmark.store.finished import BAND, MAPS
from heatmark.benchmark.store.keyed import write_json
from heatmark.benchmark.store.layout import PACKED
from heatmark.benchmark.store.packed import DONE, PackedCell
from heatmark.benchmark.store.packing import Kept, ToPack, write_packed
from heatmark.benchmark.suite import load_suite
from heatmark.identity import digest
from heatmark.leaderboards.standings.kept_curves import FILE, POINTS, MeanCurve, curves_table
from heatmark.leaderboards.standings.results import MethodRun
from heatmark.methods.registry import Method, method_from
from heatmark.metrics.measure import Measure
from heatmark.metrics.registry import Metric, metric_from

Entry = TypeVar("Entry", Method, Metric)
SPREAD = 0.5
"""The standard deviation of scores within a method, where the methods' means lie between 0 and 1."""
PROVENANCE = {
    "versions": {"numpy": "2"},
    "platform": "Linux",
    "started": "2026-01-01T00:00:00",
    "finished": "2026-01-01T00:01:00",
    "passes_explain": {"forward": 1000, "backward": 1000},
    "bare_forward_seconds": 0.05,
}


def packed_run(folder: Path, methods: int, metrics: int, tasks: int, samples: int) -> Path:
    """Make a packed run of so many tasks in a folder: its methods differ, and a third of its metrics have many ties."""
    suite = load_suite("full")
    texts = [*suite.metrics, *(f"deletion[steps={steps}]" for steps in range(2, 2 + metrics))]
    # A metric's scores are kept under its canonical text, and texts are sorted.
    scored = sorted(_different(map(metric_from, texts))[:metrics], key=lambda one: one.id)
    names = [*suite.methods, *(f"integrated_gradients[steps={steps}]" for steps in range(2, 2 + methods))]
    explained = _different(map(method_from, names))[:methods]
    identities = tuple(metric.identity() for metric in scored)
    specs = [
        CellSpec(
            model=f"net-{task}",
            model_weights="w",
            dataset=f"data-{task}",
            dataset_revision="r",
            first=0,
            last=samples,
            method=method.id,
            method_identity=method.identity(),
            metrics=tuple(metric.id for metric in scored),
            metric_identities=identities,
            framework="torch",
        )
        for task in range(tasks)
        for method in explained
    ]
    grid = np.linspace(0, 1, POINTS)
    curved = [metric.identity() for metric in scored if type(metric.measure).curve is not Measure.curve]
    kept = []
    for number, spec in enumerate(specs):
        mean = np.exp(-(2 + number % methods / methods) * grid)
        run = cast(MethodRun, SimpleNamespace(cells=(spec,)))  # whose mean a curve is, is known by keys alone
        kept += [(run, identity, MeanCurve(grid, mean, mean - 0.05, mean + 0.05)) for identity in curved]
    folder.joinpath(PACKED).mkdir(parents=True)
    beside = {FILE: curves_table(kept)}
    files = write_packed(folder / PACKED, _cells(specs, methods), specs, Kept(curves=False, beside=beside))
    about = {"schema": SCHEMA, "name": "large", "suite": suite.plain(), "seeds": [0], "device": "cpu"}
    write_json(folder / "run.json", {**about, "version": "0", "created": "", "packed": True, "files": files})
    return folder


def _different(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries that are not the same under two names."""
    return list({digest(one.identity()): one for one in reversed(list(entries))}.values())[::-1]


def _cells(specs: list[CellSpec], methods: int) -> Iterator[ToPack]:
    draw = np.random.default_rng(0)
    for number, spec in enumerate(specs):
        scores = number % methods / methods + SPREAD * draw.normal(size=(len(spec.metrics), spec.last))
        scores[::3] = scores[::3].round(1)
        own: dict[str, Any] = {
            "sample": [f"sample-{index:06d}" for index in range(spec.last)],
            "index": range(spec.last),
            "degenerate": [""] * spec.last,
            **{score_column(metric): values for metric, values in zip(spec.metrics, scores, strict=True)},
        }
        schema = pa.schema(
            [item for item in rows_schema(spec.metrics) if item.name not in MAPS and not item.name.startswith(BAND)]
        )
        columns = [
            pa.array(own[item.name] if item.name in own else [1] * spec.last, item.type, from_pandas=False)
            for item in schema
        ]
        yield ToPack(PackedCell(spec.key, spec, DONE, provenance=PROVENANCE), pa.table(columns, schema=schema))
