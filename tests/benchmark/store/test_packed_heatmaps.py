"""The heatmaps that packed runs keep: near the maps, signs kept, and going along when a run is packed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from made_runs import SAMPLES, THREE, provenance, rows, specification

from heatmark.benchmark.merge import merge_runs
from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.standings.stored_maps import kept_maps


def mapped(folder: Path, maps: list[list[float]], shape: tuple[int, ...]) -> Path:
    """Make a run of one cell whose first samples have these heatmaps."""
    spec = specification("good")
    table = rows(spec, THREE["good"])
    for name, kind, values in (("map", pa.float32(), maps), ("map_shape", pa.int32(), [list(shape)] * len(maps))):
        column = pa.array([*values, *[None] * (SAMPLES - len(values))], pa.list_(kind))
        table = table.set_column(table.column_names.index(name), name, column)
    store = RunStore.prepared(folder)
    store.begin({"suite": {"name": "mapped"}}, [spec])
    store.write(spec, table, provenance(spec))
    return folder


def test_packed_heatmaps_are_near_and_zero_stays_zero(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    maps = [
        np.array([0.0, 1.0, -3.0, 0.5, 0.0, -0.1]),
        np.array([0.0, 1.0, -0.001, 0.5, 0.0, 0.1]),  # nearly unsigned, both ways
        np.array([0.0, 0.001, -1.0, -0.5, 0.0, -0.1]),
        np.array([0.0, 1.0, 2.0, 0.5, 0.0, 0.1]),
        np.full(6, 0.25),
        np.array([0.0, 3e38, -3e38, 0.0, 1.0, 2.0]),
        *(generator.normal(size=6) * [1, 1, 1, 1, 0, 1] for _ in range(6)),
    ]
    source = mapped(tmp_path / "run", [one.tolist() for one in maps], (2, 3))
    out = merge_runs([source], tmp_path / "out", pack=True, maps=99).path
    found = RunStore(out).cells()[0].maps()
    assert len(found) == len(maps)
    for one, other, shape in zip(maps, found["map"], found["map_shape"], strict=True):
        assert np.abs(one - other).max() <= np.ptp(one) / 500 and list(shape) == [2, 3]
        assert np.abs(other[one == 0]).max(initial=0.0) <= 1e-6 * np.ptp(one)


def test_packed_heatmaps_go_with_the_cells_when_they_are_packed_again(tmp_path: Path) -> None:
    maps = np.random.default_rng(1).normal(size=(3, 6))
    source = mapped(tmp_path / "run", maps.tolist(), (2, 3))
    first, again = (tmp_path / name for name in ("first", "again"))
    merge_runs([source], first, pack=True, maps=2)
    assert merge_runs([first], again, pack=True, maps=9).notes == ()
    kept = [np.stack(RunStore(path).cells()[0].maps()["map"]) for path in (first, again)]
    assert kept[1].shape == (2, 6) and (np.abs(kept[1] - kept[0]).max(axis=1) <= np.ptp(kept[0], axis=1) / 500).all()
    assert RunStore(again).verify() == []
    fewer = merge_runs([first], tmp_path / "fewer", pack=True, maps=1).path
    assert len(RunStore(fewer).cells()[0].maps()) == 1
    # A run that is not packed holds maps as they were scored: rounded ones are left out, and it is said.
    whole = merge_runs([first], tmp_path / "whole")
    assert len(RunStore(whole.path).cells()[0].maps()) == 0
    assert whole.notes == (
        "The heatmaps of 1 cell are packed, rounded, and left out here: --pack --maps N keeps them.",
    )
    both = merge_runs([first, source], tmp_path / "both")
    assert len(RunStore(both.path).cells()[0].maps()) == 3 and not both.notes


@pytest.mark.parametrize(("values", "shape"), [([0.5] * 5, (2, 3)), ([], (0,)), ([], (2, 3))])
def test_a_heatmap_that_is_none_costs_no_report(tmp_path: Path, values: list[float], shape: tuple[int, ...]) -> None:
    board = leaderboard(mapped(tmp_path / "run", [values], shape))
    assert kept_maps(board.tables[0]) == {"good": {}}
    board.write()
    assert merge_runs([tmp_path / "run"], tmp_path / "out", pack=True, maps=2).states["done"] == 1
