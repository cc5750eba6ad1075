"""Work shared out: equal shares by a count of one's own, whole, and the same for everyone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from heatmark.benchmark.executors.queue import JobQueue
from heatmark.benchmark.executors.shares import shared_out
from heatmark.benchmark.running.shards import costs, shard_of
from heatmark.benchmark.store.cell import CellSpec
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.work.cell import CellJob
from heatmark.benchmark.work.planned_cost import explaining_passes, planned_seconds
from heatmark.benchmark.work.samples import EVERYTHING
from heatmark.methods.registry import METHODS, method_from
from heatmark.metrics.registry import metric_from

OFFICIAL = Path(__file__).parents[3] / "leaderboards" / "official" / "v1"


def loads(costs: Sequence[float], groups: Sequence[object], shares: list[list[int]], setup: float) -> list[float]:
    """When each share ends, added up piece by piece."""
    return [sum(costs[place] for place in share) + setup * len({groups[place] for place in share}) for share in shares]


def spec(method: str, model: str = "tiny", first: int = 0, framework: str = "torch", data: str = "digits") -> CellSpec:
    metrics = ("deletion[steps=4]", "average_drop")
    return CellSpec(
        model=model,
        model_weights="w",
        dataset=data,
        dataset_revision="1",
        first=first,
        last=first + 200,
        method=method,
        method_identity=method_from(method).identity(),
        metrics=metrics,
        metric_identities=tuple(metric_from(metric).identity() for metric in metrics),
        framework=framework,
    )


def job(method: str, model: str = "tiny", data: str = "digits") -> CellJob:
    return CellJob(spec(method, model, data=data), "cpu", 8, 0, EVERYTHING)


def test_every_piece_is_in_one_share():
    shares = shared_out([1.0] * 10 + [5.0], list("aaaaabbbbbc"), 4)
    assert sorted(place for share in shares for place in share) == list(range(11))
    assert all(share == sorted(share) for share in shares)
    assert shared_out([1.0, 2.0], "ab", 5, 0.0)[2:] == [[], [], []]
    assert shared_out([], [], 2) == [[], []]


@pytest.mark.parametrize("setup", [0.0, 0.5])
def test_small_shares_are_nearly_the_best_there_are(setup: float) -> None:
    """Against every possible way; without setups, dearest first is at most a third above the best (Graham 1969)."""
    generator = np.random.default_rng(0)
    for _ in range(10):
        pieces, groups = list(generator.exponential(size=7)), "aaaabbb" if setup else "aaaaaaa"
        ways = ([[p for p in range(7) if way[p] == one] for one in range(3)] for way in product(range(3), repeat=7))
        best = min(max(loads(pieces, groups, way, setup)) for way in ways)
        found = max(loads(pieces, groups, shared_out(pieces, groups, 3, setup), setup))
        assert best - 1e-5 <= found <= 4 / 3 * best


@pytest.mark.parametrize("draw", range(5))
def test_eight_shards_end_within_15_percent_of_their_mean(draw: int) -> None:
    """500 cells whose costs spread over three orders of magnitude, as methods' do, on three networks."""
    generator = np.random.default_rng(draw)
    pieces = list(10 ** generator.uniform(0, 2.5, size=500))
    groups = list(generator.integers(0, 3, size=500))
    found = loads(pieces, groups, shared_out(pieces, groups, 8, 10.0), 10.0)
    assert max(found) / np.mean(found) <= 1.15
    every_eighth = loads(pieces, groups, [list(range(first, 500, 8)) for first in range(8)], 10.0)
    assert max(found) < max(every_eighth)


def test_shares_of_recorded_cells_end_together_in_time():
    """The cells of heatmark's official results, ten times over, each network's ten ranges of samples."""
    cells = [cell for run in sorted(OFFICIAL.iterdir()) if run.is_dir() for cell in RunStore(run).cells()] * 10
    took = [float(cell.table[["explain_seconds", "score_seconds"]].to_numpy().sum()) for cell in cells]
    groups = [(cell.spec.model, cell.spec.framework) for cell in cells]
    for known in ([planned_seconds(cell.spec) for cell in cells], took):
        found = loads(took, groups, shared_out(known, groups, 8), 10.0)
        assert max(found) / np.mean(found) <= 1.15


def test_a_shard_is_the_same_whoever_works_it_out_and_whatever_is_done():
    methods = ["saliency", "rise", "integrated_gradients", "random", "occlusion"]
    specs = [spec(method, first=first) for first in (0, 200, 400) for method in methods]
    shards = [shard_of(specs, number, 4) for number in range(1, 5)]
    assert sorted(key for shard in shards for key in shard) == sorted(one.key for one in specs)
    again = [shard_of([CellSpec.from_plain(one.plain()) for one in specs], number, 4) for number in range(1, 5)]
    assert again == shards


def test_planned_costs_follow_the_passes():
    assert explaining_passes(method_from("saliency")) == (1, 1)
    assert explaining_passes(method_from("integrated_gradients[steps=200]")) == (200, 200)
    assert explaining_passes(method_from("smooth[integrated_gradients]")) == (10 * 50, 10 * 50)
    assert explaining_passes(method_from("random")) == (0, 0)
    assert planned_seconds(spec("rise")) > 3 * planned_seconds(spec("integrated_gradients"))
    assert planned_seconds(spec("saliency", "efficientnet-lite0")) > 20 * planned_seconds(spec("saliency", "small-cnn"))


def test_recorded_passes_are_those_of_the_official_results():
    """Per sample, from the provenance of the cells with a method's own parameters; networks differ in some."""
    passes: dict[str, list[np.ndarray]] = {}
    for run in sorted(OFFICIAL.iterdir()):
        for cell in RunStore(run).cells() if run.is_dir() else ():
            if cell.spec.method in METHODS.names():
                made = cell.provenance["passes_explain"]
                passes.setdefault(cell.spec.method, []).append(
                    np.array([made["forward"], made["backward"]]) / len(cell.table)
                )
    assert len(passes) > 40
    for method, recorded in passes.items():
        planned = np.array(explaining_passes(method_from(method)))
        assert (planned >= 0.5 * np.min(recorded, axis=0) - 1).all(), method
        assert (planned <= 1.5 * np.max(recorded, axis=0) + 1).all(), method


def test_costs_that_were_recorded_are_used(tmp_path: Path) -> None:
    run = OFFICIAL / "digits-small-cnn"
    (cell,) = [one for one in RunStore(run).cells() if one.spec.method == "rise" and one.spec.framework == "torch"]
    took = float(cell.table[["explain_seconds", "score_seconds"]].to_numpy().sum()) / len(cell.table)
    known, unknown = costs([spec("rise", cell.spec.model), spec("rise[masks=8000]", cell.spec.model)], run)
    assert known == pytest.approx(200 * took)
    assert unknown > 0 and unknown != planned_seconds(spec("rise[masks=8000]", cell.spec.model))


def test_a_worker_goes_on_with_the_network_and_the_data_that_it_has():
    queue = JobQueue(
        [job("saliency"), job("random", "other"), job("rise"), job("saliency", data="more"), job("rise", "other")]
    )
    first = queue.take(None)
    assert first is not None and first.spec.method == "saliency"
    other = queue.take(None)  # another worker begins with the other network
    assert other is not None and other.spec.model == "other"
    group = (first.named_model, "digits")
    took = []
    while (one := queue.take(group)) is not None:
        took.append((one.spec.model, one.spec.dataset, one.spec.method))
        group = (one.named_model, one.spec.dataset)
    assert took == [("tiny", "digits", "rise"), ("tiny", "more", "saliency"), ("other", "digits", "rise")]
    assert len(queue) == 0 and queue.take(None) is None
