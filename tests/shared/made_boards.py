"""Made-up boards for the site: of real methods and metrics, or of names that no page may obey, with known scores."""

from __future__ import annotations

import numpy as np
from made_runs import provenance, rows

from heatmark.benchmark.store.cell import CellSpec
from heatmark.benchmark.store.folder import RunStore
from heatmark.metrics.registry import metric_from

EVIL = "<img src=x onerror=document.title='obeyed'>"
METRICS = ("deletion", "insertion", "average_drop", "relevance_mass", "deletion[steps=5]")
"""The last one has no audit."""

METHODS = ("saliency", "gradient", "grad_cam", "rise", "random", EVIL)
TASKS = (("small-net", "photos"), ("large-net", "<b>odd</b> & 'data'"))
FRAMEWORKS = ("torch", "tensorflow")
SAMPLES = 24


def made_board(folder, samples=SAMPLES, missing=(("large-net", "rise"),), seed=0):
    """Make a run of two tasks in two frameworks, whose scores are random around levels; return its store.

    ``missing`` are (model, method) without a result. Scores are rounded, so that there are ties.
    """
    generator = np.random.default_rng(seed)
    store = RunStore.prepared(folder)
    identities = tuple(metric_from(name).identity() for name in METRICS)
    specs = [
        CellSpec(
            model=model,
            model_weights="w",
            dataset=dataset,
            dataset_revision="r",
            first=0,
            last=samples,
            method=method,
            method_identity={"name": method, "version": 1, "parameters": {}},
            metrics=METRICS,
            metric_identities=identities,
            framework=framework,
        )
        for model, dataset in TASKS
        for framework in FRAMEWORKS
        for method in METHODS
    ]
    store.begin({"suite": {"name": "made"}, "seed": 0, "created": "today", "version": "0.1.0"}, specs)
    for spec in specs:
        level = METHODS.index(spec.method)
        scores = np.round(0.4 + 0.05 * level + 0.1 * generator.normal(size=(len(METRICS), samples)), 2)
        if (spec.model, spec.method) not in missing:
            store.write(spec, rows(spec, scores), {**provenance(spec), "class_names": {"1": "<i>tench</i>"}})
    picture = np.full((8, 8, 3), 128, np.uint8)
    for model in dict.fromkeys(spec.task for spec in specs):
        for sample in ("s0", "s1"):
            store.write_thumbnail(model, sample, picture)
    return store
