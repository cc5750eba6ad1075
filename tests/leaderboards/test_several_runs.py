"""Boards over several runs: what stands in one table, what does not, and what is refused."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import (  # noqa: F401  (autouse fixtures among them)
    METRICS,
    SAMPLES,
    THREE,
    known_entries,
    made_run,
    provenance,
    rows,
    spaced,
    specification,
    stored_curves,
)
from typer.testing import CliRunner

from heatmark.benchmark.merge import merge_runs
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.outcomes import Failed, NotMeant
from heatmark.benchmark.suite import load_suite
from heatmark.cli.main import app
from heatmark.errors import BadInput, Disagreement, StorageError
from heatmark.identity import digest
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.records import official
from heatmark.leaderboards.records.commands import made_by, reproduction
from heatmark.leaderboards.standings.told_apart import EntryNames


def run_of(folder, cells, planned=()):
    """Make a run of (specification, scores) and of cells that are only planned."""
    store = RunStore.prepared(folder)
    store.begin({"suite": {"name": folder.name}, "version": "0.1.0"}, [*(spec for spec, _ in cells), *planned])
    for spec, scores in cells:
        store.write(spec, rows(spec, scores), provenance(spec))
    return store


def values_of(table):
    """Return the means by method and metric, as texts of the board."""
    return {
        (row.method.id, metric.id): value.mean
        for row in table.rows
        for metric, value in zip(table.metrics, row.values, strict=True)
    }


def test_methods_of_two_runs_stand_in_one_table_as_if_they_were_of_one(tmp_path):
    made_run(tmp_path / "whole", THREE)
    made_run(tmp_path / "a", {"good": THREE["good"]})
    made_run(tmp_path / "b", {name: THREE[name] for name in ("fair", "random")})
    whole, parts = leaderboard(tmp_path / "whole"), leaderboard([tmp_path / "a", tmp_path / "b"])
    pd.testing.assert_frame_equal(whole.frame, parts.frame)
    assert len(parts.stores) == 2 and len(parts.tables) == 1
    assert parts.tables[0].setting.title == whole.tables[0].setting.title


def test_the_same_cell_in_two_runs_counts_once(tmp_path):
    made_run(tmp_path / "a", THREE)
    made_run(tmp_path / "b", {name: THREE[name] for name in ("good", "random")})
    pd.testing.assert_frame_equal(
        leaderboard(tmp_path / "a").frame, leaderboard([tmp_path / "a", tmp_path / "b"]).frame
    )
    assert leaderboard([tmp_path / "a", tmp_path / "a"]).stores[0].path == tmp_path / "a"
    assert len(leaderboard([tmp_path / "a", tmp_path / "a"]).stores) == 1


def test_rounding_is_no_contradiction_and_anything_more_is_refused(tmp_path):
    made_run(tmp_path / "a", THREE)
    near, far, undefined = (THREE["good"].copy() for _ in range(3))
    near[0, 3] += 1e-9
    far[1, 7] = 0.4
    undefined[0, 2] = np.nan
    for name, scores in (("near", near), ("far", far), ("undefined", undefined)):
        made_run(tmp_path / name, {"good": scores})
    with warnings.catch_warnings():
        warnings.simplefilter("error", Disagreement)
        first = values_of(leaderboard([tmp_path / "a", tmp_path / "near"]).tables[0])
    assert first["good", "deletion"] == THREE["good"][0].mean()
    with pytest.raises(
        BadInput, match=r"a and .*far hold different scores.*good on net on photos.*insertion.*s7.*0\.4"
    ):
        leaderboard([tmp_path / "a", tmp_path / "far"])
    with pytest.raises(BadInput, match=r"deletion, sample s2: .*nan.*heatmark compare"):
        leaderboard([tmp_path / "a", tmp_path / "undefined"])


def test_a_small_difference_is_told_and_the_first_run_is_shown(tmp_path):
    made_run(tmp_path / "a", THREE)
    moved = THREE["good"].copy()
    moved[0, 3] += 0.001
    moved[0, 5] += 0.01
    made_run(tmp_path / "b", {"good": moved})
    with pytest.warns(
        Disagreement, match=r"a and .*b hold different .*good on net on photos.*deletion, sample s5"
    ) as told:
        first = values_of(leaderboard([tmp_path / "a", tmp_path / "b"]).tables[0])
    assert len(told) == 1 and first["good", "deletion"] == THREE["good"][0].mean()
    with pytest.warns(Disagreement, match="shows the first run's"):
        second = values_of(leaderboard([tmp_path / "b", tmp_path / "a"]).tables[0])
    assert second["good", "deletion"] == moved[0].mean()


def test_two_protocols_and_two_versions_never_share_a_column_or_a_row(tmp_path):
    spec = specification("good")
    protocols = ({**spec.metric_identities[0], "protocol": {"fill": "blur"}}, spec.metric_identities[1])
    version = {**spec.method_identity, "version": 2}
    other = replace(spec, method_identity=version, metric_identities=protocols)
    run_of(tmp_path / "a", [(spec, spaced(0.25, 0.75))])
    run_of(tmp_path / "b", [(other, spaced(0.125, 0.5))])
    board = leaderboard([tmp_path / "a", tmp_path / "b"])
    assert len(board.tables) == 1
    found = values_of(board.tables[0])
    assert {key: value for key, value in found.items() if not np.isnan(value)} == {
        ("good (version 1)", "deletion (fill black)"): 0.25,
        ("good (version 1)", "insertion"): 0.75,
        ("good (version 2)", "deletion (fill blur)"): 0.125,
        ("good (version 2)", "insertion"): 0.5,
    }
    assert len(found) == 6
    assert {metric.id for metric in board.metrics} == {"deletion (fill black)", "deletion (fill blur)", "insertion"}
    # The direction is that of the definition, whatever the column is called.
    assert [metric.higher_is_better for metric in board.metrics if metric.id == "insertion"] == [True]


def test_one_definition_under_two_texts_is_one_column(tmp_path):
    spec = specification("good", metrics=("deletion",))
    other = replace(specification("fair", metrics=("deletion",)), metrics=("deletion[fill=black]",))
    run_of(tmp_path / "a", [(spec, spaced(0.25))])
    run_of(tmp_path / "b", [(other, spaced(0.5))])
    found = values_of(leaderboard([tmp_path / "a", tmp_path / "b"]).tables[0])
    assert found == {("good", "deletion"): 0.25, ("fair", "deletion"): 0.5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_weights": "0123456789abcdef"}, ("weights w", "weights 01234567")),
        ({"dataset_revision": "0123456789abcdef"}, ("data r", "data 01234567")),
        ({"last": 6}, ("12 samples", "6 samples")),
        ({"target": "label"}, ("explaining the predicted class", "explaining the label")),
        ({"device_class": "NVIDIA H200"}, ("cpu", "NVIDIA H200")),
        ({"precision": "bf16"}, ("", "")),
        ({"framework": "tensorflow"}, ("", "")),
    ],
)
def test_what_cannot_be_compared_has_a_table_of_its_own(tmp_path, change, words):
    spec = specification("good")
    other = replace(spec, **change)
    run_of(tmp_path / "a", [(spec, THREE["good"])])
    run_of(tmp_path / "b", [(other, THREE["fair"])])
    board = leaderboard([tmp_path / "a", tmp_path / "b"])
    assert tuple(table.setting.variant for table in board.tables) == words
    titles = [table.setting.title for table in board.tables]
    assert len(set(titles)) == 2 and all(word in title for word, title in zip(words, titles, strict=True))
    assert [values_of(table)["good", "deletion"] for table in board.tables] == [
        THREE["good"][0].mean(),
        pytest.approx(THREE["fair"][0, : other.last].mean()),
    ]
    # Frameworks of one task stand beside one another; everything else apart.
    together = "framework" in change
    assert len(board.by_task) == (1 if together else 2)
    assert len(board.agreements) == (1 if together else 0)
    assert board.write(tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_weights": "0123456789abcdef"}, ("weights w", "weights 01234567")),
        ({"dataset_revision": "0123456789abcdef"}, ("data r", "data 01234567")),
    ],
)
def test_a_network_trained_anew_is_not_the_same_in_another_framework(tmp_path, change, words):
    specs = specification("good"), replace(specification("good"), framework="tensorflow", **change)
    for folder, spec in zip("ab", specs, strict=True):
        run_of(tmp_path / folder, [(spec, THREE["good"])])
    board = leaderboard([tmp_path / "a", tmp_path / "b"])
    assert tuple(table.setting.variant for table in board.tables) == words
    assert len(board.by_task) == 2 and not board.agreements and len(board.overall().tasks) == 2


def test_metrics_of_one_method_come_from_several_runs(tmp_path):
    run_of(tmp_path / "a", [(specification(n, metrics=METRICS[:1]), THREE[n][:1]) for n in ("good", "fair")])
    run_of(tmp_path / "b", [(specification(n, metrics=METRICS[1:]), THREE[n][1:]) for n in ("good", "random")])
    board = leaderboard([tmp_path / "a", tmp_path / "b"])
    (table,) = board.tables
    found = {row.method.id: row for row in table.rows}
    assert [value.mean for value in found["good"].values] == pytest.approx(THREE["good"].mean(axis=1))
    assert found["good"].coverage.text == f"{SAMPLES}/{SAMPLES}"
    assert found["good"].place == 1
    assert found["fair"].why_unplaced == "not measured with insertion, which other methods here were"
    assert found["random"].why_unplaced == "not measured with deletion, which other methods here were"


def test_failures_and_reasons_of_all_runs_but_not_of_what_another_has_done(tmp_path):
    specs = {name: specification(name) for name in ("good", "fair", "random", "odd")}
    for folder, done in (("a", "good"), ("b", "fair")):
        store = run_of(tmp_path / folder, [(specs[done], THREE[done])], [s for n, s in specs.items() if n != done])
        for name, spec in specs.items():
            if name == "odd":
                store.keep(spec, NotMeant("no layers"))
            elif name != done:
                store.keep(spec, Failed(f"RuntimeError: {folder}"))
    board = leaderboard([tmp_path / "a", tmp_path / "b"])
    errors = [("random", "RuntimeError: a"), ("random", "RuntimeError: b")]
    assert [(failure.spec.method, failure.error) for failure in board.failures] == errors
    assert [(item.method, item.reason) for item in board.not_applicable] == [("odd", "no layers")]
    coverage = {row.method.id: row.coverage for row in board.tables[0].rows}
    assert coverage["good"].complete and coverage["fair"].complete and "odd" not in coverage
    assert (coverage["random"].expected_cells, coverage["random"].failed) == (1, 1)


def test_what_one_run_left_undone_another_has_done_with_more_metrics(tmp_path):
    run_of(tmp_path / "a", [], [specification("good", metrics=METRICS[:1])])
    run_of(tmp_path / "b", [(specification("good"), THREE["good"])])
    (row,) = leaderboard([tmp_path / "a", tmp_path / "b"]).tables[0].rows
    assert (row.coverage.complete, row.coverage.text, row.place) == (True, f"{SAMPLES}/{SAMPLES}", 1)


def test_seeds_of_several_runs_are_averaged_and_one_seed_counts_once(tmp_path):
    run_of(tmp_path / "a", [(specification("good", seed=0), spaced(0.0, 0.0))])
    run_of(tmp_path / "b", [(specification("good", seed=s), spaced(s, s)) for s in (0, 1)])
    (row,) = leaderboard([tmp_path / "a", tmp_path / "b"]).tables[0].rows
    assert (row.values[0].mean, row.coverage.text) == (0.5, f"{2 * SAMPLES}/{2 * SAMPLES}")


def test_frameworks_that_ran_in_two_runs_are_compared(tmp_path):
    made_run(tmp_path / "a", THREE, frameworks=("torch",))
    made_run(tmp_path / "b", THREE, frameworks=("tensorflow",))
    (agreement,) = leaderboard([tmp_path / "a", tmp_path / "b"]).agreements
    assert (agreement.frameworks, agreement.samples) == (("PyTorch", "TensorFlow"), SAMPLES)
    assert len(agreement.rows) == 6 and not agreement.differing


def test_what_does_not_apply_in_two_tasks_is_listed(tmp_path):
    spec = specification("good")
    specs = [spec, replace(spec, model="another")]
    store = run_of(tmp_path, [], specs)
    for one in specs:
        store.keep(one, NotMeant("no layers"))
    wanted = ["another on photos", "net on photos"]
    assert [str(item.task) for item in leaderboard(tmp_path).not_applicable] == wanted
    assert [str(item.task) for item in store.not_applicable()] == wanted


def test_several_runs_are_written_where_it_is_told_and_say_how_to_reproduce_each(tmp_path):
    made_run(tmp_path / "a", {"good": THREE["good"]})
    made_run(tmp_path / "b", {"fair": THREE["fair"]})
    board = leaderboard([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(BadInput, match="--out"):
        board.write()
    assert not (tmp_path / "a" / "leaderboard.csv").exists()
    commands = reproduction(board).splitlines()
    assert [line.rpartition("--out ")[2] for line in commands] == ["results/a", "results/b", "results/together"]
    written = board.write(tmp_path / "out")
    assert all(line in written[2].read_text() for line in commands)


def test_the_commands_run_the_tasks_and_seeds_that_were_run_and_no_others():
    quick = load_suite("quick").plain()
    assert made_by({"suite": quick}, "q") == ["heatmark run quick --out results/q"]
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    tasks = [{"model": model, "data": data} for model, data in pairs]
    assert made_by({"suite": {**quick, "tasks": tasks, "limit": 3}}, "q") == [
        "heatmark run quick --models a,b --data x,y --limit 3 --out results/q"
    ]
    # What was joined with --add is no choice of models on all data, and takes a command for each.
    assert made_by({"suite": {**quick, "tasks": [tasks[0], tasks[3]], "seeds": [0, 1]}}, "q") == [
        "heatmark run quick --models a --data x --seed 0 --out results/q",
        "heatmark run quick --models a --data x --seed 1 --out results/q --add",
        "heatmark run quick --models b --data y --seed 0 --out results/q --add",
        "heatmark run quick --models b --data y --seed 1 --out results/q --add",
    ]


def test_a_run_packed_under_its_own_name_is_made_again_beside_it(tmp_path):
    made_run(tmp_path / "quick", {"good": THREE["good"]})
    packed = merge_runs([tmp_path / "quick"], tmp_path / "official" / "quick", pack=True, curves=False).path
    made, merged, *rest = reproduction(leaderboard(packed)).splitlines()
    assert made.endswith("--out results/quick") and not rest
    assert merged == "heatmark merge results/quick --out results/quick-merged --pack --no-curves"
    both = reproduction(leaderboard([packed, made_run(tmp_path / "b", {"fair": THREE["fair"]})])).splitlines()
    assert both[-1] == "heatmark leaderboard results/quick-merged results/b --out results/together"


def test_the_command_takes_several_runs(tmp_path):
    made_run(tmp_path / "a", {"good": THREE["good"]})
    made_run(tmp_path / "b", {"fair": THREE["fair"]})
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    refused = CliRunner().invoke(app, ["leaderboard", *folders])
    assert refused.exit_code == 2 and "--out" in refused.output
    shown = CliRunner().invoke(app, ["leaderboard", *folders, "--out", str(tmp_path / "out")])
    assert shown.exit_code == 0 and "good" in shown.output and "fair" in shown.output
    assert (tmp_path / "out" / "leaderboard.csv").is_file()
    missing = CliRunner().invoke(app, ["leaderboard", folders[0], str(tmp_path / "c"), "--out", str(tmp_path / "out")])
    assert missing.exit_code == 2 and "c holds no run" in missing.output


def test_official_names_the_newest_version_that_heatmark_carries(tmp_path, monkeypatch):
    monkeypatch.setattr(official, "OFFICIAL", tmp_path / "official")
    with pytest.raises(StorageError, match="no official results"):
        leaderboard("official")
    for version in ("v2", "v10"):
        made_run(tmp_path / "official" / version / "second", {"good": THREE["good"]})
        made_run(tmp_path / "official" / version / "first", {"fair": THREE["fair"]})
    assert [path.name for path in official.official_runs()] == ["first", "second"]
    assert {path.parent.name for path in official.official_runs()} == {"v10"}
    assert {path.parent.name for path in official.official_runs("v2")} == {"v2"}
    with pytest.raises(StorageError, match=r"results v3.*It has v2, v10"):
        official.official_runs("v3")
    made_run(tmp_path / "mine", {"random": THREE["random"]})
    assert len(leaderboard([tmp_path / "mine", "official"]).tables[0].rows) == 3
    shown = CliRunner().invoke(app, ["leaderboard", "official", str(tmp_path / "mine"), "--out", str(tmp_path / "out")])
    assert shown.exit_code == 0 and "random" in shown.output.lower() and "good" in shown.output


def test_no_run_at_all_is_refused():
    with pytest.raises(BadInput, match="at least one run"):
        leaderboard([])


def names_of(*identities):
    """Return the names of entries that are all called x."""
    names = EntryNames(("x", identity) for identity in identities)
    return [names.name("x", identity) for identity in identities]


def test_names_tell_apart_what_differs():
    one = {"name": "x", "version": 1, "protocol": {"fill": "black", "levels": {"steps": 8}}}
    assert names_of(one) == ["x"]
    assert names_of(one, dict(one)) == ["x", "x"]
    assert names_of(one, {**one, "version": 3}) == ["x (version 1)", "x (version 3)"]
    steps = {**one, "protocol": {"fill": "black", "levels": {"steps": 28}}}
    assert names_of(one, steps) == ["x (steps 8)", "x (steps 28)"]
    longer = {**one, "protocol": {**one["protocol"], "order": "descending"}}
    assert names_of(one, longer) == ["x (without order)", "x (order descending)"]
    sources = [{"name": "x", "version": 1, "source": letter * 64} for letter in "ab"]
    assert names_of(*sources) == ["x (source aaaaaaaa)", "x (source bbbbbbbb)"]
    many = [{"name": "x", "version": 1, "parameters": dict.fromkeys("pqrst", value)} for value in (1, 2)]
    assert names_of(*many) == [f"x (definition {digest(identity)[:8]})" for identity in many]
    # Two versions of three entries do not name all of them.
    assert names_of(one, {**one, "version": 3}, {**steps, "version": 3}) == [
        "x (version 1, steps 8)",
        "x (version 3, steps 8)",
        "x (version 3, steps 28)",
    ]
