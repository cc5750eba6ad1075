"""Folders that are damaged or hold odd things: a clear message, and nothing that was written is lost."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import THREE, known_entries, made_run, spaced, stored_curves  # noqa: F401  (autouse fixtures among them)
from typer.testing import CliRunner

from heatmark.benchmark.merge import merge_runs
from heatmark.benchmark.store.folder import RunStore
from heatmark.cli.main import app
from heatmark.errors import BadInput, HeatmarkError, StorageError
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.writing.files import csv_text

REPORTS = ("leaderboard.csv", "leaderboard.md", "report.html")


def damaged_plans() -> dict[str, str]:
    return {
        "cut": '{"metrics": [',
        "no list": '"hello"',
        "foreign": '{"name": "package", "version": "1.0.0"}',
        "empty": "",
        "a cell without its key": '{"metrics": [], "cells": [{"spec": {}}]}',
    }


@pytest.mark.parametrize("damage", sorted(damaged_plans()))
def test_a_damaged_plan_is_an_error_and_costs_no_report(tmp_path: Path, damage: str) -> None:
    store = made_run(tmp_path / "run", THREE)
    leaderboard(store.path).write()
    before = {name: (store.path / name).read_bytes() for name in REPORTS}
    (store.path / "plan.json").write_text(damaged_plans()[damage])
    for command in ("leaderboard", "status"):
        said = CliRunner().invoke(app, [command, str(store.path)])
        assert said.exit_code == 2 and "plan.json is damaged" in said.output and "heatmark run" in said.output
    assert {name: (store.path / name).read_bytes() for name in REPORTS} == before
    # The same run goes on: it makes the plan anew and keeps the cells.
    again = RunStore.prepared(store.path)
    assert again.expected == [] and (store.path / "plan.json.corrupt").exists()
    assert len(list((store.path / "cells").glob("*.parquet"))) == 3


def test_a_changed_cell_of_a_plan_is_named(tmp_path: Path) -> None:
    store = made_run(tmp_path / "run", THREE)
    plan = json.loads((store.path / "plan.json").read_text())
    plan["cells"][1]["spec"]["seed"] = 9
    (store.path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(StorageError, match=r"plan\.json is damaged: its cell 2 \(net on photos · fair.*its key says"):
        leaderboard(store.path)


def test_a_plan_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    store = made_run(tmp_path / "run", THREE)
    expected = store.expected
    (store.path / "plan.json").write_text(json.dumps([{"key": one.key, "spec": one.plain()} for one in expected]))
    assert RunStore(store.path).expected == expected


def test_an_empty_run_is_told_and_costs_no_report(tmp_path: Path) -> None:
    store = RunStore.prepared(tmp_path / "run")
    (store.path / "leaderboard.md").write_text("kept")
    with pytest.raises(BadInput, match="no cell was planned"):
        leaderboard(store.path)
    assert (store.path / "leaderboard.md").read_text() == "kept"


def test_a_lost_plan_is_told_from_an_empty_run(tmp_path: Path) -> None:
    store = made_run(tmp_path / "run", THREE)
    (store.path / "plan.json").unlink()
    words = "plan.json is missing or empty, though there are 3 finished cells"
    with pytest.raises(BadInput, match=words):
        leaderboard(store.path)
    with pytest.raises(BadInput, match=words):
        merge_runs([store.path], tmp_path / "out")
    said = CliRunner().invoke(app, ["status", str(store.path)])
    assert (said.exit_code, words in said.output) == (0, True)
    said = CliRunner().invoke(app, ["status", str(store.path), "--verify"])
    assert (said.exit_code, words in said.output) == (1, True)
    empty = RunStore.prepared(tmp_path / "empty").path
    said = CliRunner().invoke(app, ["status", str(empty), "--verify"])
    assert (said.exit_code, "no cell was planned" in said.output) == (0, True)


def test_the_status_of_several_runs_is_told_one_after_the_other(tmp_path: Path) -> None:
    paths = [made_run(tmp_path / name, THREE).path for name in ("a", "b")]
    said = CliRunner().invoke(app, ["status", *map(str, paths)])
    assert said.exit_code == 0 and [line for line in said.output.splitlines() if line in map(str, paths)] == [
        str(path) for path in paths
    ]
    facts = json.loads(CliRunner().invoke(app, ["status", *map(str, paths), "--json"]).output)
    assert [one["path"] for one in facts] == [str(path) for path in paths]
    (paths[1] / "cells" / f"{RunStore(paths[1]).expected[0].key}.parquet").write_bytes(b"")
    said = CliRunner().invoke(app, ["status", *map(str, paths), "--verify"])
    assert said.exit_code == 1 and f"{paths[1]}/cells" in said.output and f"{paths[0]}/cells" not in said.output


@pytest.mark.parametrize("packed", [None, "", "{"])
def test_a_packed_run_that_is_not_said_to_be_one_is_taken_anew(tmp_path: Path, packed: str | None) -> None:
    made_run(tmp_path / "run", THREE)
    folder = merge_runs([tmp_path / "run"], tmp_path / "out", pack=True).path
    run = json.loads((folder / "run.json").read_text())
    del run["packed"]
    (folder / "run.json").write_text(json.dumps(run) if packed is None else packed)
    with pytest.raises(HeatmarkError, match=r"run\.json is damaged\. Take the folder anew from where it came"):
        leaderboard(folder)


def test_names_with_tags_and_paths_stay_names(tmp_path: Path) -> None:
    odd = {
        "<script>alert(1)</script>": spaced(0.1, 0.9),
        "../../etc/passwd": spaced(0.3, 0.6),
        "=1+2": spaced(0.5, 0.5),
    }
    made_run(tmp_path / "a" / "run", odd | {"random": spaced(0.7, 0.2)})
    before = {path.name for path in tmp_path.rglob("*")}
    for folder in (
        tmp_path / "a" / "run",
        merge_runs([tmp_path / "a" / "run"], tmp_path / "a" / "out", pack=True).path,
    ):
        board = leaderboard(folder)
        assert {row.method.id for row in board.tables[0].rows} == {*odd, "random"}
        board.write()
        assert "<script>alert(1)" not in (folder / "report.html").read_text()
        cells = [cell for row in csv.reader(io.StringIO((folder / "leaderboard.csv").read_text())) for cell in row]
        assert "'=1+2" in cells and not any(cell.startswith("=") for cell in cells)
    assert {path.name for path in tmp_path.iterdir()} == {"a"} and "passwd" not in before


def test_formulas_in_csv_are_texts_and_numbers_stay(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"=name": ["=cmd|' /C calc'!A0", "@x", "+1", "-", "plain", "a=b"], "value": [-1.5, 1, 2, 3, 4, 5]}
    )
    found = list(csv.reader(io.StringIO(csv_text(frame))))
    assert [row[0] for row in found] == ["'=name", "'=cmd|' /C calc'!A0", "'@x", "'+1", "-", "plain", "a=b"]
    assert [row[1] for row in found[1:]] == ["-1.5", "1", "2", "3", "4", "5"]


def test_an_undefined_score_stays_undefined(tmp_path: Path) -> None:
    some = {name: values.copy() for name, values in THREE.items()}
    some["fair"][0, 3] = np.nan
    store = made_run(tmp_path / "run", some)
    packed = RunStore(merge_runs([store.path], tmp_path / "out", pack=True).path)
    for one in (store, packed):
        frames = {cell.spec.method: cell.table for cell in one.cells()}
        assert np.flatnonzero(frames["fair"]["score:deletion"].isna()).tolist() == [3]
        assert not frames["good"]["score:deletion"].isna().any()
        rows = {row.method.id: row for row in leaderboard(one.path).tables[0].rows}
        assert rows["fair"].values[0].samples == 11
