"""Runs joined in one folder, and packed: everything above reads the same from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from made_runs import METRICS, THREE, known_entries, made_run, provenance, rows, spaced, specification, stored_curves  # noqa: F401  (fixtures among them)
from PIL import Image
from typer.testing import CliRunner

from heatmark.benchmark.merge import merge_runs
from heatmark.benchmark.rescore import score_run
from heatmark.benchmark.run import run
from heatmark.benchmark.status import status
from heatmark.benchmark.store.cell import Task
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.outcomes import Failed, NotMeant
from heatmark.cli.main import app
from heatmark.errors import BadInput, StorageError
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.records.official import official_runs

PLUGIN = str(Path(__file__).parents[1] / "shared" / "plugins" / "tiny_plugin.py")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def shown(folder: Path) -> tuple[pd.DataFrame, str]:
    board = leaderboard(folder)
    board.write(folder / "shown")
    return board.frame, (folder / "shown" / "leaderboard.md").read_text()


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A run with cells in every state."""
    more = {f"more{i}": spaced(0.2 + i / 10, 0.5, noise=0.01, seed=9 + i) for i in range(3)}
    made_run(tmp_path / "mixed", THREE | more, missing=["more0"], failed=["more1"], skipped=["more2"])
    return tmp_path / "mixed"


def test_a_packed_run_reads_as_the_run_itself(mixed: Path, tmp_path: Path) -> None:
    found = merge_runs([mixed], tmp_path / "packed", pack=True)
    assert found.states == {"done": 3, "not applicable": 1, "failed": 1, "missing": 1}
    packed, original = RunStore(tmp_path / "packed"), RunStore(mixed)
    assert packed.expected == original.expected
    assert [spec.key for spec in packed.expected] == [spec.key for spec in original.expected]
    assert packed.failures() == original.failures() and packed.not_applicable() == original.not_applicable()
    for one, other in zip(packed.cells(), original.cells(), strict=True):
        assert one.provenance == other.provenance and one.spec == other.spec
        pd.testing.assert_frame_equal(one.table, other.table)
        assert repr(one.curves()) == repr(other.curves()) and one.curves()[0]["band_high"].tolist() == [0, 32, 64]
        assert len(one.maps()) == 0 and len(other.maps()) == 2
    assert not list((tmp_path / "packed").glob("cells/*"))
    (frame, text), (other_frame, other_text) = shown(tmp_path / "packed"), shown(mixed)
    pd.testing.assert_frame_equal(frame, other_frame)
    assert text == other_text
    plain = [{**status(path).plain(), "path": "", "suite": ""} for path in (mixed, tmp_path / "packed")]
    assert plain[0] == plain[1]


def test_packing_twice_gives_the_same_bytes(mixed: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        merge_runs([mixed], tmp_path / name, pack=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    merge_runs([tmp_path / "one"], tmp_path / "again", pack=True)
    for name in ("cells", "rows", "curves"):
        path = f"packed/{name}.parquet"
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "again" / path).read_bytes()
    assert RunStore(tmp_path / "again").run["sources"] == RunStore(tmp_path / "one").run["sources"]


def test_curves_may_be_left_out(mixed: Path, tmp_path: Path) -> None:
    whole = merge_runs([mixed], tmp_path / "whole", pack=True)
    found = merge_runs([mixed], tmp_path / "small", pack=True, curves=False)
    assert found.size < whole.size
    cell = RunStore(found.path).cells()[0]
    assert cell.curves()[0]["band_logit"] is None and cell.table["score:deletion"].notna().all()
    pd.testing.assert_frame_equal(leaderboard(found.path).frame, leaderboard(mixed).frame)


def test_large_pictures_become_small_and_small_ones_stay(tmp_path: Path) -> None:
    store = made_run(tmp_path / "run", THREE)
    task = Task("net", "photos")
    store.write_thumbnail(task, "large", np.full((300, 200, 3), 90, np.uint8))
    merge_runs([tmp_path / "run"], tmp_path / "packed", pack=True)
    packed = RunStore(tmp_path / "packed")
    with Image.open(packed.thumbnail(task, "large")) as picture:
        assert picture.size == (85, 128) and abs(np.asarray(picture).astype(int) - 90).max() <= 2
    assert packed.thumbnail(task, "s0").read_bytes() == store.thumbnail(task, "s0").read_bytes()


@pytest.mark.parametrize("pack", [False, True])
def test_runs_are_joined_each_cell_once(tmp_path: Path, pack: bool) -> None:
    made_run(tmp_path / "a", {name: THREE[name] for name in ("good", "fair")})
    made_run(tmp_path / "b", {name: THREE[name] for name in ("random", "good")}, failed=["good"])
    made_run(tmp_path / "c", {"good": THREE["good"]}, frameworks=("tensorflow",))
    found = merge_runs([tmp_path / name for name in ("b", "a", "c")], tmp_path / "all", pack=pack)
    assert found.states["done"] == 4 and found.states["failed"] == 0 and found.twice == 0
    store = RunStore(found.path)
    assert [spec.method for spec in store.expected] == ["random", "good", "fair", "good"]
    assert [source["folder"] for source in store.run["sources"]] == ["b", "a", "c"]
    assert {source["version"] for source in store.run["sources"]} == {"0.1.0"} and store.run["suite"]["name"] == "made"
    made_run(tmp_path / "whole", THREE)
    torch, tensorflow = leaderboard(found.path).tables
    expected = {row.method.id: row.values for row in leaderboard(tmp_path / "whole").tables[0].rows}
    assert {row.method.id: row.values for row in torch.rows} == expected
    assert [row.method.id for row in tensorflow.rows] == ["good"]


def test_other_precisions_and_targets_are_tables_of_their_own(tmp_path: Path) -> None:
    for name, change in (("float32", {}), ("bf16", {"precision": "bf16"}), ("label", {"target": "label"})):
        store = RunStore.prepared(tmp_path / name)
        spec = replace(specification("good"), **change)
        store.begin({"name": name, "suite": {"name": name}}, [spec])
        store.write(spec, rows(spec, THREE["good"]), provenance(spec))
    merge_runs([tmp_path / name for name in ("float32", "bf16", "label")], tmp_path / "all", pack=True)
    tables = leaderboard(tmp_path / "all").tables
    assert [(t.setting.precision, t.setting.target) for t in tables] == [
        ("float32", "predicted"),
        ("bf16", "predicted"),
        ("float32", "label"),
    ]
    assert "suite" not in RunStore(tmp_path / "all").run and RunStore(tmp_path / "all").run["name"].count("+") == 2


def test_choices_of_samples_are_told_and_metrics_of_other_samples_do_not_mix(tmp_path: Path) -> None:
    def made(name: str, metrics: tuple[str, ...], last: int, methods: tuple[str, ...]) -> Path:
        store = RunStore.prepared(tmp_path / name)
        specs = [replace(specification(method, metrics=metrics), last=last) for method in methods]
        store.begin({"name": name, "suite": {"name": name}}, specs)
        for spec in specs:
            scores = THREE[spec.method][[METRICS.index(metric) for metric in metrics], :last]
            store.write(spec, rows(spec, scores), provenance(spec))
        return tmp_path / name

    def tables(*paths: Path) -> dict[tuple[str, int], list[str]]:
        found = leaderboard(list(paths)).tables
        return {
            (metric.id, len(table.results.samples)): [row.method.id for row in table.rows]
            for table in found
            for metric in table.metrics
        }

    few, many = made("few", METRICS[:1], 6, ("good", "fair")), made("many", METRICS[1:], 12, ("good", "fair"))
    merged = merge_runs([few, many], tmp_path / "merged")
    apart = {("deletion", 6): ["good", "fair"], ("insertion", 12): ["good", "fair"]}
    assert tables(merged.path) == tables(few, many) == apart and not merged.notes
    # With the same metrics, the plan of the new folder cannot tell whose the cells are.
    more = made("more", METRICS[:1], 12, ("good", "random"))
    merged = merge_runs([few, more], tmp_path / "again")
    assert tables(few, more) == {("deletion", 6): ["good", "fair"], ("deletion", 12): ["good", "random"]}
    assert tables(merged.path) == {("deletion", 6): ["fair"], ("deletion", 12): ["good", "random"]}
    (note,) = merged.notes
    assert note.startswith("The runs have other choices of samples of net on photos.")


def changed(folder: Path, scores: np.ndarray) -> Path:
    made_run(folder, THREE | {"good": scores})
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_a_cell_with_two_results_is_refused_and_both_files_named(tmp_path: Path, packed: bool) -> None:
    made_run(tmp_path / "a", THREE)
    moved = THREE["good"].copy()
    moved[1, 3] += 1e-3
    other = changed(tmp_path / "b", moved)
    if packed:
        other = merge_runs([other], tmp_path / "b-packed", pack=True).path
    key = specification("good").key
    message = rf"good.*score:insertion of row 4 \(sample s3\).*a/cells/{key}.*{other.name}"
    with pytest.raises(BadInput, match=message):
        merge_runs([tmp_path / "a", other], tmp_path / "out", pack=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"a", "b", other.name})


def test_rounding_makes_no_second_result(tmp_path: Path) -> None:
    made_run(tmp_path / "a", THREE)
    other = changed(tmp_path / "b", THREE["good"] * (1 + 1e-7))
    found = merge_runs([tmp_path / "a", other], tmp_path / "out")
    assert found.twice == 3
    cell = RunStore(found.path).cell(specification("good").key)
    assert cell is not None and cell.table["score:deletion"].tolist() == THREE["good"][0].tolist()


def test_what_is_whole_is_taken_before_what_is_packed(tmp_path: Path) -> None:
    made_run(tmp_path / "a", THREE)
    merge_runs([tmp_path / "a"], tmp_path / "packed", pack=True)
    found = merge_runs([tmp_path / "packed", tmp_path / "a"], tmp_path / "out")
    assert all(len(cell.maps()) == 2 for cell in RunStore(found.path).cells())


@pytest.mark.parametrize("damage", ["cut", "foreign", "empty"])
def test_a_damaged_source_is_named_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    store = made_run(tmp_path / "a", THREE)
    path = store.path / "cells" / f"{specification('fair').key}.parquet"
    if damage == "foreign":
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    else:
        path.write_bytes(path.read_bytes()[: 1000 if damage == "cut" else 0])
    before = contents(store.path)
    with pytest.raises(StorageError, match=rf"{path.name} is damaged"):
        merge_runs([store.path], tmp_path / "out")
    assert contents(store.path) == before and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["cells", "rows", "curves"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_packed_file_is_an_error_and_stays(tmp_path: Path, name: str, damage: str) -> None:
    made_run(tmp_path / "a", THREE)
    merge_runs([tmp_path / "a"], tmp_path / "packed", pack=True)
    path = tmp_path / "packed" / "packed" / f"{name}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[: 200 if damage == "cut" else None])
    with pytest.raises(StorageError, match=rf"{name}\.parquet is damaged: .*merge --pack"):
        leaderboard(tmp_path / "packed").write()
    assert path.exists() == (damage != "gone") and not list(path.parent.glob("*.corrupt"))


def test_a_packed_cell_that_was_changed_is_named(tmp_path: Path) -> None:
    from heatmark.identity import file_digest

    made_run(tmp_path / "a", THREE)
    merge_runs([tmp_path / "a"], tmp_path / "packed", pack=True)
    path = tmp_path / "packed" / "packed" / "rows.parquet"
    table = pq.read_table(path)
    scores = table["score:deletion"].to_pylist()
    scores[13] = 0.0
    place = table.schema.get_field_index("score:deletion")
    pq.write_table(table.set_column(place, "score:deletion", [scores]), path)
    record = json.loads((tmp_path / "packed" / "run.json").read_text())
    record["files"]["rows.parquet"] = file_digest(path)
    (tmp_path / "packed" / "run.json").write_text(json.dumps(record))
    packed = RunStore(tmp_path / "packed").packed
    assert packed is not None
    with pytest.raises(StorageError, match=r"rows 13 to 24 \(net on photos · fair · torch"):
        packed.verify()


def test_a_merged_run_is_not_continued(tmp_path: Path) -> None:
    store = made_run(tmp_path / "a", THREE)
    for pack in (False, True):
        merge_runs([store.path], tmp_path / f"out{pack}", pack=pack)
        with pytest.raises(StorageError, match="merged, which is not continued"):
            RunStore.prepared(tmp_path / f"out{pack}")
    for outcome in (Failed("no"), NotMeant("no")):
        with pytest.raises(StorageError, match="packed run"):
            RunStore(tmp_path / "outTrue").keep(specification("good"), outcome)


def test_where_to_is_checked_before_anything_is_written(tmp_path: Path) -> None:
    store = made_run(tmp_path / "a", THREE)
    with pytest.raises(BadInput, match="at least one run"):
        merge_runs([], tmp_path / "out")
    with pytest.raises(BadInput, match="one of the runs"):
        merge_runs([store.path], store.path, force=True)
    for inside in ("scores", "new", "cells/new"):
        with pytest.raises(BadInput, match=r"lies in .*/a, which is to be merged"):
            merge_runs([store.path], store.path / inside)
    made_run(tmp_path / "b", {"good": THREE["good"]})
    with pytest.raises(StorageError, match="a run that was not merged"):
        merge_runs([store.path], tmp_path / "b", force=True)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("years")
    with pytest.raises(StorageError, match=r"thesis\.tex"):
        merge_runs([store.path], tmp_path / "own", force=True)
    merge_runs([tmp_path / "b"], tmp_path / "out", pack=True)
    with pytest.raises(StorageError, match="--force"):
        merge_runs([store.path], tmp_path / "out", pack=True)
    assert merge_runs([store.path], tmp_path / "out", pack=True, force=True).states["done"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "out", "own"]
    empty = RunStore.prepared(tmp_path / "empty")
    with pytest.raises(BadInput, match=r"nothing to merge.*no cell was planned"):
        merge_runs([empty.path], tmp_path / "new")


def test_a_full_disk_leaves_nothing_and_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = made_run(tmp_path / "a", THREE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("heatmark.benchmark.merge.shutil.copyfile", full)
    for pack in (True, False):
        with pytest.raises(StorageError, match=r"cannot be merged into .*out: No space left on device"):
            merge_runs([store.path], tmp_path / "out", pack=pack)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("pack", [True, False])
def test_a_damaged_picture_is_left_out_and_named(tmp_path: Path, pack: bool) -> None:
    store = made_run(tmp_path / "a", THREE)
    picture = store.thumbnail(Task("net", "photos"), "s0")
    picture.write_bytes(picture.read_bytes()[:40])
    (note,) = merge_runs([store.path], tmp_path / "out", pack=pack).notes
    assert str(picture) in note and "damaged" in note
    kept = RunStore(tmp_path / "out")
    assert [kept.thumbnail(Task("net", "photos"), name).is_file() for name in ("s0", "s1")] == [False, True]


def test_audits_and_runtimes_beside_one_run_go_with_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made_run(tmp_path / name, THREE)
    (tmp_path / "a" / "audit").mkdir()
    (tmp_path / "a" / "audit" / "audit.json").write_text("{}")
    (tmp_path / "a" / "runtime-1.json").write_text("{}")
    (tmp_path / "b" / "runtime-2.json").write_text("{}")
    found = merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "out", pack=True)
    assert (found.path / "audit" / "audit.json").is_file() and not list(found.path.glob("runtime*"))
    assert found.notes == ("2 of the runs have runtime results of their own, which were left where they are.",)


@pytest.mark.parametrize("pack", [False, True])
def test_scores_and_examinations_go_with_the_cells(tmp_path: Path, pack: bool) -> None:
    identity = {"name": "extra", "version": 1}
    for name, methods in (("a", ("good", "fair")), ("b", ("fair", "random"))):
        store = made_run(tmp_path / name, {method: THREE[method] for method in methods})
        keys = [specification(method).key for method in methods]
        store.write_scores("extra", identity, {key: [0.5] * 12 for key in keys})
        store.write_examination("k" + name, {"model": "net"}, {"findings": []})
    found = RunStore(merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "out", pack=pack).path)
    (added,) = found.added_scores()
    assert (added.metric, added.identity) == ("extra", identity)
    assert set(added.values) == {specification(method).key for method in THREE}
    assert found.examination("ka") == {"findings": []} and len(found.examinations()) == 2
    for number, other in enumerate(([0.25] * 12, [0.5] * 11, [0.5] * 11 + [np.nan])):
        RunStore(tmp_path / "b").write_scores("extra", identity, {specification("fair").key: other})
        with pytest.raises(BadInput, match="different values of extra"):
            merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / f"new{number}", pack=pack)


def test_rounding_beside_larger_values_makes_no_second_value(tmp_path: Path) -> None:
    """What is next to nothing beside the metric's other values is rounding, whatever share of itself it changes by."""
    key, identity = specification("good").key, {"name": "extra", "version": 1}
    for name, small in (("a", 1e-9), ("b", 2e-9)):
        made_run(tmp_path / name, {"good": THREE["good"]}).write_scores("extra", identity, {key: [0.5] * 11 + [small]})
    (added,) = RunStore(merge_runs([tmp_path / "a", tmp_path / "b"], tmp_path / "out").path).added_scores()
    assert added.values[key][-1] == 1e-9


def test_metrics_are_computed_from_packed_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("TINY_FOLDER", str(tmp_path))
    options: dict[str, Any] = {"frameworks": "torch", "device": "cpu", "engine": "serial", "plugins": [PLUGIN]}
    options |= {"models": "tiny", "data": "tiny-pictures", "metrics": "deletion[steps=4]", "progress": False}
    path = run("quick", methods="saliency,random", out=tmp_path / "run", **options).path
    packed = merge_runs([path], tmp_path / "packed", pack=True).path
    for folder in (path, packed):
        assert score_run(folder, "morf[steps=4]", [PLUGIN]).cells == 2
    one, other = (
        {cell: values for added in RunStore(folder).added_scores() for cell, values in added.values.items()}
        for folder in (path, packed)
    )
    assert one == other and len(one) == 2
    bare = merge_runs([path], tmp_path / "bare", pack=True, curves=False).path
    with pytest.raises(BadInput, match=r"aopc.*no curves are there \(it was packed with --no-curves\)"):
        score_run(bare, "aopc[steps=4]", [PLUGIN])


def test_the_command_merges_and_packs(tmp_path: Path) -> None:
    made_run(tmp_path / "a", THREE)
    made_run(tmp_path / "b", {"good": THREE["good"]}, frameworks=("tensorflow",))
    words = ["merge", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(app, [*words, "--pack"])
    assert said.exit_code == 0 and said.output.startswith("2 runs: 4 done cells;")
    assert RunStore(tmp_path / "out").run["packed"] is True
    assert CliRunner().invoke(app, [*words, "--no-curves"]).exit_code == 2
    said = CliRunner().invoke(app, ["merge", "official", str(tmp_path / "a"), "--out", str(tmp_path / "all"), "--pack"])
    assert said.exit_code == 0 and said.output.startswith(f"{len(official_runs()) + 1} runs: ")
    assert CliRunner().invoke(app, [*words[:-1], str(tmp_path / "a")]).exit_code == 2
