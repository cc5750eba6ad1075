"""Made-up runs over several tasks, whose standing across them is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from made_runs import provenance, rows, specification

from heatmark.benchmark.store.folder import RunStore

#: A task: its model, its dataset, and the scores of its methods, (metrics, samples) each.
Task = tuple[str, str, Mapping[str, np.ndarray]]


def made_tasks(folder, tasks: Sequence[Task], frameworks=("torch",), only=None):
    """Make a run of several tasks; ``only`` maps a method to the frameworks in which it has results."""
    store = RunStore.prepared(folder)
    cells = [
        (replace(specification(method, framework, last=values.shape[1]), model=model, dataset=data), data, values)
        for framework in frameworks
        for model, data, scores in tasks
        for method, values in scores.items()
        if framework in (only or {}).get(method, frameworks)
    ]
    store.begin({"suite": {"name": "made"}, "seed": 0, "version": "0.1.0"}, [spec for spec, *_ in cells])
    for spec, data, values in cells:
        made = rows(spec, values)
        ids = [f"{data}-{index:05d}" for index in made["index"].to_pylist()]
        store.write(spec, made.set_column(made.schema.get_field_index("sample"), "sample", [ids]), provenance(spec))
    return store


def levels(ranking: Mapping[str, float], samples=12, seed=0, noise=0.001):
    """Return the scores of methods that come out in the order of their levels on both metrics, the lowest best."""
    generator = np.random.default_rng(seed)
    return {
        method: np.array([level, 1 - level])[:, None] + noise * generator.normal(size=(2, samples))
        for method, level in ranking.items()
    }
