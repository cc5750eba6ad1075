"""A board of the size that the site is made for, made up without computing its statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from heatmark.benchmark.store.cell import Task
from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.standings.registered import MethodFacts, MetricFacts
from heatmark.leaderboards.standings.results import Coverage, MethodCost, MethodRun, Results, Setting
from heatmark.leaderboards.standings.standings import MetricResult, ModelFacts, Row, Standings, Table
from heatmark.leaderboards.statistics.significance import Places
from heatmark.leaderboards.statistics.wins import Wins

FAMILIES = ("gradient", "cam", "perturbation", "propagation", "control")


def large_board(folder, methods=60, metrics=50, tasks=15, samples=8, seed=0):
    """Return standings of so many methods, metrics and tasks whose numbers mean nothing; ``folder`` becomes a run."""
    generator = np.random.default_rng(seed)
    store = RunStore.prepared(folder)
    store.begin({"suite": {"name": "large"}, "created": "2026-01-01", "version": "0.1.0"}, [])
    named = [
        MethodFacts(f"method_{n}[steps={n}]", FAMILIES[n % 5], True, "A method.", "Us 2026") for n in range(methods)
    ]
    scored = [
        MetricFacts(f"metric_{n}[steps=8]", "curve", bool(n % 2), "", "A metric.", "Us 2026") for n in range(metrics)
    ]
    ids = tuple(f"sample_{n:04d}" for n in range(samples))
    tables = tuple(_table(generator, number, named, scored, ids) for number in range(tasks))
    return Standings((store,), tables, (), (), ())


def _table(generator, number, methods, metrics, ids):
    setting = Setting(Task(f"network-{number}", f"data-{number}"), "float32", "predicted", "torch")
    scores = generator.random((len(metrics), len(methods), len(ids)))
    means, ranks = scores.mean(axis=2), scores.mean(axis=2).argsort(axis=1).argsort(axis=1) + 1.0
    order = ranks.mean(axis=0).argsort()
    frame = pd.DataFrame(
        {
            "sample": ids,
            "index": range(len(ids)),
            "label": 1,
            "target": 1,
            "predicted": 1,
            "target_probability": 0.5,
            "label_log_probability": -0.7,
            "degenerate": "",
        }
    )
    cost, coverage = MethodCost(0.1, 10.0, 20.0, 20.0, 0.2), Coverage(1, 1, len(ids), len(ids))
    runs = tuple(MethodRun(one.id, one.id, {}, frame, (), coverage, cost) for one in methods)
    texts = tuple(one.id for one in metrics)
    results = Results(setting, runs, texts, texts, tuple({} for _ in metrics), ids, scores, device="cpu")
    rows = tuple(
        Row(
            methods[one],
            tuple(
                MetricResult(
                    means[m, one], means[m, one] - 0.1, means[m, one] + 0.1, ranks[m, one], len(ids), None, False
                )
                for m in range(len(metrics))
            ),
            ranks[:, one].mean(),
            ranks[:, one].mean() - 1,
            ranks[:, one].mean() + 1,
            place,
            Places(1, len(methods)),
            coverage,
            cost,
            0,
            "",
        )
        for place, one in enumerate(order, 1)
    )
    half = np.full((len(methods), len(methods)), 0.5)
    model = ModelFacts(len(ids), 0, 0.9, 0.3, 0.8)
    return Table(setting, tuple(metrics), (True,) * len(metrics), rows, 1.0, model, results, Wins(half, 2 * half))
