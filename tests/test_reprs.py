"""What the objects of the public interface print: one short line each, never pages of arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_audits import made as made_audit
from made_runs import THREE, known_entries, made_run, stored_curves  # noqa: F401  (fixtures)
from runtime_rows import case, record, row

import heatmark as hm
from heatmark.benchmark.rescore import Rescored
from heatmark.benchmark.running.execution import Run
from heatmark.benchmark.store.folder import RunStore
from heatmark.datasets.samples import Batch, Sample
from heatmark.leaderboards.audits.audit import AuditedTask, MetricsAudit
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.costs.studies import Costs
from heatmark.leaderboards.costs.tables import cost_tables

LONGEST = 200


def short(thing: object, *words: str) -> bool:
    """Return whether a thing prints one short line that holds these words."""
    text = repr(thing)
    return len(text) <= LONGEST and "\n" not in text and all(word in text for word in words)


@pytest.mark.parametrize("listed", [hm.list_methods, hm.list_metrics, hm.list_datasets, hm.list_models])
def test_what_is_listed(listed):
    assert all(short(entry, entry.name, entry.family) for entry in listed())


def test_data():
    assert short(hm.load_dataset("imagenet-samples"), "imagenet-samples", "samples")
    assert short(Sample("photo", np.zeros((224, 224, 3), np.uint8), 7), "photo", "(224, 224, 3)", "uint8", "7")
    ids = tuple(f"photo {number}" for number in range(64))
    batch = Batch(np.zeros((64, 3, 8, 8), np.float32), np.zeros(64, np.int64), ids, None, np.arange(64))
    assert short(batch, "64", "(64, 3, 8, 8)", "photo 0", "photo 63")


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_models(framework):
    pytest.importorskip(framework)
    if framework == "torch":
        import torch

        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        assert short(hm.wrap(network, input_shape=(1, 8, 8)), "torch", "(1, 8, 8)", "3")
    else:
        import keras

        network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
        assert short(hm.wrap(network), "tensorflow", "(8, 8, 1)", "3")
    assert short(hm.Normalization(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)), "0.5", "0.2")


def test_plans_and_sources():
    assert short(hm.plan("deletion,insertion,road_morf,irof"), "4 metrics", "passes")
    assert short(hm.Reference("Petsiuk et al.", 2018, "RISE"), "Petsiuk", "2018")


def test_a_run_and_its_leaderboard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = made_run(Path("run"), THREE, frameworks=("torch", "tensorflow"))
    assert isinstance(store, RunStore)
    assert short(Run(Path("run"), store, 6, 6, 0, 0, tuple(store.failures()), 1.5), "6 of 6 cells", "run")
    assert short(Rescored(Path("run"), ("morf",), (), 6), "run", "morf", "6")
    board = leaderboard("run")
    assert short(board, "Board", "run", "net on photos", "3 methods", "2 metrics", "1 more")
    (table, _) = board.tables
    assert short(table, "net on photos", "3 methods") and short(table.results, "12 samples")
    assert short(table.results.methods[0], "good", "12/12")


def test_costs(tmp_path):
    found = record(*(row(case(method), [0.1] * 7) for method in ("saliency", "rise", "lime")))
    tables = cost_tables(found)
    assert short(found, "made-up.json", "3 rows") and short(tables[0], "net", "3 rows")
    assert short(Costs(found, found, tables, ()), "made-up.json", "3 rows")


def test_audits():
    metrics = tuple(made_audit({}, {"reactivity": 0.5}) for _ in range(20))
    audit = MetricsAudit({}, (AuditedTask("net", "squares", 16, 1.0),), metrics, (), (), ((0.0,) * 20,) * 20)
    assert short(audit, "20 metrics", "squares") and short(metrics[0], "made", "2 data sets", "passed on some data")
