"""Made-up runs of heatmark's own methods and metrics, to be put beside published results."""

from __future__ import annotations

import numpy as np
from made_runs import provenance, rows

from heatmark.benchmark.store.cell import CellSpec
from heatmark.benchmark.store.folder import RunStore
from heatmark.methods.registry import method_from
from heatmark.metrics.registry import metric_from


def held_run(
    folder, methods, metrics, scores, model="torchvision:vgg16@IMAGENET1K_V1", dataset="imagenet-1k:/data/val", **more
):
    """Make a run whose every method has these per-sample ``scores``, (metrics, samples)."""
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
