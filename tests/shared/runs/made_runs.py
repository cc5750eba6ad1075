"""Made-up runs, written and read through the real store, whose standings are known beforehand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from heatmark.benchmark.store.cell import CellSpec, rows_schema, score_column
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.outcomes import Failed, NotMeant
from heatmark.leaderboards.standings import curves as curves_module
from heatmark.leaderboards.standings import standings as standings_module
from heatmark.leaderboards.standings.registered import MethodFacts, MetricFacts
from heatmark.methods.registry import method_from
from heatmark.metrics.registry import metric_from

METRICS = ("deletion", "insertion")
CONTROLS = ("random",)
SAMPLES = 12


@pytest.fixture(autouse=True)
def known_entries(monkeypatch):
    """Directions and families as fixed here, so that these tests rest on no registry."""
    higher = {"deletion": False, "insertion": True}
    monkeypatch.setattr(
        standings_module, "metric_facts", lambda text, identity: MetricFacts(text, "curve", higher.get(text))
    )
    monkeypatch.setattr(
        standings_module,
        "method_facts",
        lambda text, identity: MethodFacts(text, "control" if text in CONTROLS else "gradient", signed=text != "rise"),
    )


@pytest.fixture(autouse=True)
def stored_curves(monkeypatch):
    """Curves read straight from the bands: the probability against the share of positions that are kept."""

    def read(metric, row, readings=None):
        if row["band_high"] is None:
            return None
        return np.asarray(row["band_high"]) / 64.0, np.asarray(row["band_probability"], dtype=float)

    monkeypatch.setattr(curves_module, "defined_now", lambda text, identity: text)
    monkeypatch.setattr(curves_module, "stored_curve", read)


def specification(method, framework="torch", first=0, last=SAMPLES, metrics=METRICS, seed=0, dataset="photos"):
    return CellSpec(
        model="net",
        model_weights="w",
        dataset=dataset,
        dataset_revision="r",
        first=first,
        last=last,
        method=method,
        method_identity={"name": method, "version": 1, "parameters": {"steps": 50}},
        metrics=metrics,
        metric_identities=tuple({"name": metric, "version": 1, "protocol": {"fill": "black"}} for metric in metrics),
        framework=framework,
        seed=seed,
    )


def rows(spec, scores, gallery=2, degenerate=()):
    """Return a cell's rows; ``scores`` are (metrics, samples)."""
    made = []
    for number, index in enumerate(range(spec.first, spec.last)):
        shown = index < gallery
        made.append(
            {
                "sample": f"s{index}",
                "index": index,
                "label": index % 3 if index else -1,
                "target": 1,
                "predicted": 1,
                "target_logit": 2.0 + index,
                "target_probability": 0.5,
                "label_log_probability": np.log(0.25) if index else np.nan,
                "degenerate": "constant" if index in degenerate else "",
                **{score_column(m): float(scores[k][number]) for k, m in enumerate(spec.metrics)},
                "band_fill": ["black"] * 3,
                "band_low": [0, 0, 0],
                "band_high": [0, 32, 64],
                "band_logit": [0.0, 1.0, 2.0],
                "band_unit": ["position"] * 3,
                "band_probability": [0.0, 0.25, 0.5],
                "explain_seconds": 0.2,
                "score_seconds": 0.1,
                "map": np.linspace(-1, 1, 64).tolist() if shown else None,
                "map_shape": [8, 8] if shown else None,
            }
        )
    return pa.Table.from_pylist(made, schema=rows_schema(spec.metrics))


def provenance(spec):
    return {
        "versions": {"numpy": "2"},
        "platform": "Linux",
        "cpu": "a processor",
        "started": "2026-01-01T00:00:00",
        "finished": "2026-01-01T00:01:00",
        "passes_explain": {"forward": 20 * (spec.last - spec.first), "backward": 5 * (spec.last - spec.first)},
        "bare_forward_seconds": 0.05,
        "peak_memory_bytes": 2**30,
        "class_names": {"1": "tench"},
    }


def made_run(folder, scores, missing=(), failed=(), skipped=(), frameworks=("torch",), seed=0):
    """Make a run; ``scores`` maps a method to (metrics, samples)."""
    store = RunStore.prepared(folder)
    specs = [
        specification(method, framework, last=len(values[0]))
        for framework in frameworks
        for method, values in scores.items()
    ]
    store.begin({"suite": {"name": "made", "seeds": [0]}, "seed": 0, "created": "today", "version": "0.1.0"}, specs)
    picture = np.full((8, 8, 3), 128, np.uint8)
    for spec in specs:
        if spec.method in failed:
            store.keep(spec, Failed("RuntimeError: <b>boom</b>", "Traceback\n<script>alert(2)</script>"))
        elif spec.method in skipped:
            store.keep(spec, NotMeant("the model has no layers with positions"))
        elif spec.method not in missing:
            store.write(spec, rows(spec, scores[spec.method]), provenance(spec))
    for index in range(2):
        store.write_thumbnail(specs[0].task, f"s{index}", picture)
    return store


def spaced(*levels, noise=0.0, seed=0):
    """Return (metrics, samples) scores: a level per metric plus noise."""
    generator = np.random.default_rng(seed)
    return np.array([level + noise * generator.normal(size=SAMPLES) for level in levels])


THREE = {
    "good": spaced(0.1, 0.9, noise=0.01, seed=1),
    "fair": spaced(0.3, 0.6, noise=0.01, seed=2),
    "random": spaced(0.7, 0.2, noise=0.01, seed=3),
}


def held_run(
    folder, methods, metrics, scores, model="torchvision:vgg16@IMAGENET1K_V1", dataset="imagenet-1k:/data/val", **more
):
    """Make a run of heatmark's own entries, by name; every method has these ``scores``, (metrics by name, samples)."""
    metrics = tuple(sorted(metrics))
    store = RunStore.prepared(folder)
    specs = [
        CellSpec(
            **{
                "model": model,
                "model_weights": "w",
                "dataset": dataset,
                "dataset_revision": "r",
                "first": 0,
                "last": len(scores[0]),
                "method": method_from(method).id,
                "method_identity": method_from(method).identity(),
                "metrics": tuple(metric_from(metric).id for metric in metrics),
                "metric_identities": tuple(metric_from(metric).identity() for metric in metrics),
                "framework": "torch",
                **more,
            }
        )
        for method in methods
    ]
    store.begin({"suite": {"name": "held"}, "seed": 0, "created": "today", "version": "0.1.0"}, specs)
    for spec in specs:
        store.write(spec, rows(spec, np.asarray(scores), gallery=0), provenance(spec))
    return folder
