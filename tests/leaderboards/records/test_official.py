"""The official results are what heatmark computes: whole, readable, examined, and the same when computed again."""

from __future__ import annotations

import random

import numpy as np
import pytest

from heatmark.benchmark.run import run
from heatmark.benchmark.running import execution
from heatmark.benchmark.store.cell import score_column
from heatmark.benchmark.store.folder import RunStore
from heatmark.errors import StorageError
from heatmark.leaderboards.records.official import official_runs, runs_named
from heatmark.models.devices import installed_frameworks

TOLERANCE = 1e-3
"""As a share of a metric's spread over a cell's samples: what other processors' rounding may do (docs/design.md)."""
CELLS = 2
MOST_SECONDS = 5.0
"""Dearer cells are not computed again here: seconds of the machine that computed them, beside other work."""
MANY_STEPS = ("opti_cam", "guided_ig", "extremal_perturbation")
"""Where rounding decides on further steps, maps differ between processors by more."""


@pytest.fixture(scope="module")
def stores():
    return [RunStore(path) for path in official_runs()]


def test_every_official_run_is_whole_and_examined(stores):
    for store in stores:
        assert store.verify() == []
        assert store.packed is not None and not store.failures()
        states = [store.has(spec.key) or store.reason(spec.key) is not None for spec in store.expected]
        assert states and all(states), f"{store.path} has cells that are missing"
        named = {(spec.model, spec.dataset, spec.framework) for spec in store.expected}
        examined = {
            tuple(record["spec"][name] for name in ("model", "dataset", "framework")) for record in store.examinations()
        }
        assert named <= examined
        assert all(source.get("suite") for source in store.run["sources"])


def _cheap(store):
    """The cells of a run that are computed again in a moment, without a chaotic method."""
    for cell in store.cells():
        seconds = cell.table[["explain_seconds", "score_seconds"]].to_numpy().sum()
        name = cell.spec.method.partition("[")[0]
        if seconds < MOST_SECONDS and name not in MANY_STEPS and cell.spec.framework in installed_frameworks():
            yield store, cell


def test_a_seeded_handful_is_the_same_when_computed_again(stores, tmp_path, monkeypatch):
    # What the examinations found is in the official results already, and asked again by tests of their own.
    monkeypatch.setattr(execution, "examined", lambda *parts, **options: ())
    cheap = [found for store in stores for found in _cheap(store)]
    assert len(cheap) > 10 * CELLS
    for number, (store, cell) in enumerate(random.Random(20261129).sample(cheap, CELLS)):
        spec = cell.spec
        source = next(
            one["suite"]
            for one in store.run["sources"]
            if {"model": spec.model, "data": spec.dataset} in one["suite"]["tasks"]
        )
        again = run(
            source["name"],
            models=spec.model,
            data=spec.dataset,
            methods=spec.method,
            metrics=list(spec.metrics),
            frameworks=spec.framework,
            seed=spec.seed,
            target=spec.target,
            limit=source["limit"],
            device="cpu",
            engine="serial",
            out=tmp_path / str(number),
            progress=False,
        )
        (new,) = again.store.cells()
        assert new.key == spec.key, f"{spec.label}: a version has risen; official results of it must be computed again"
        assert new.table["sample"].tolist() == cell.table["sample"].tolist()
        for metric in (metric for metric in spec.metrics if score_column(metric) in cell.table):
            old, now = (table[score_column(metric)].to_numpy(np.float64) for table in (cell.table, new.table))
            assert np.array_equal(np.isnan(old), np.isnan(now)), (spec.label, metric)
            known = old[~np.isnan(old)]
            spread = float(np.ptp(known)) if known.size else 0.0
            scale = max(spread, 1e-3 * float(np.abs(known).max(initial=0.0)), 1e-9)
            assert np.abs(now - old)[~np.isnan(old)].max(initial=0.0) <= TOLERANCE * scale, (spec.label, metric)


def test_the_word_official_stands_for_all_of_them():
    assert runs_named("official") == official_runs() and runs_named(["x", "official"])[1:] == official_runs()
    with pytest.raises(StorageError, match="no official results v99"):
        official_runs("v99")
