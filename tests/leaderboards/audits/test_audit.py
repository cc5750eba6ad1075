"""Audits end to end: good metrics pass, bad ones do not, work is kept, and leaderboards show what is known."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from small_audits import BAD, COMPARED, CONTROLS, GOOD, METHODS, PLUGIN, audited, one
from typer.testing import CliRunner

from heatmark.benchmark.audit.measure import _each_once, measure_audit
from heatmark.benchmark.audit.plan import audit_plan
from heatmark.benchmark.audit.units import UnitJob, UnitValues
from heatmark.cli.main import app
from heatmark.errors import BadInput, Interrupted, StorageError, UnknownName
from heatmark.leaderboards.audits.auditing import audit_metrics
from heatmark.leaderboards.audits.json_file import read_audit, write_audit
from heatmark.leaderboards.audits.plots import CELL, draw_agreement, write_audit_files
from heatmark.leaderboards.audits.tables import COLUMNS, print_audit, where_text
from heatmark.leaderboards.writing.names import shown

# What an audit finds


@pytest.mark.parametrize("name", GOOD)
def test_a_good_metric_passes(found, name):
    assert one(found, name).mark == "✓" and one(found, name).weak == ()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_metric_does_not(found, name):
    assert one(found, name).mark == "!" and one(found, name).complaints


def test_an_inverted_metric_loses_every_comparison(found):
    upright, inverted = one(found, "overlap"), one(found, "overlap_inverted")
    assert upright.beaten == (3, 3) and inverted.beaten == (0, 3)
    right, wrong = upright.tasks[0], inverted.tasks[0]
    assert {comparison.outcome for comparison in wrong.oracle} == {"lost"}
    assert {comparison.control for comparison in wrong.oracle} == COMPARED
    assert right.reactivity == 1.0 and wrong.reactivity == 0.0
    assert right.resilience == pytest.approx(wrong.resilience)
    for straight, turned in zip(right.oracle, wrong.oracle, strict=True):
        assert straight.difference == pytest.approx(-turned.difference) and straight.low == pytest.approx(-turned.high)


def test_a_control_that_finds_the_truth_by_itself_is_no_control(found):
    # The squares are bright, so the brightest positions are the mask, and their edges are most of it.
    (task,) = found.tasks
    second = dict(task.second_oracles)
    assert second["input_intensity"] == pytest.approx(1.0) and set(second) == CONTROLS - COMPARED
    assert set(found.settings["controls"]) == CONTROLS  # measured, and in the comparison of orders
    assert "Input Intensity on squares (1.00)" in where_text(found)


def test_a_constant_metric_reacts_to_nothing(found):
    flat = one(found, "flat")
    (task,) = flat.tasks
    assert task.reactivity == 0.5 and np.isnan(task.resilience) and np.isnan(task.split_half)
    assert flat.beaten == (0, 3) and flat.weak == ("oracle", "reacts")


def test_only_dice_depend_on_the_seed(found):
    assert [metric.metric for metric in found.metrics if metric.random] == ["dice"]
    assert abs(one(found, "dice").mean("retest")) < 0.7 and one(found, "overlap").mean("retest") == 1.0


def test_metrics_that_cannot_be_audited_are_listed_with_the_reason(found):
    assert dict(found.skipped) == {
        "directionless": "its direction is unknown",
        "broken": "failed: ValueError: broken on purpose",
        "picky": "it likes no picture",
    }
    assert {what.partition(",")[0] for what, _ in found.settings["failures"]} == {"broken"}


def test_the_comparison_of_oracle_and_control_is_that_of_their_scores(found):
    import heatmark as hm

    model, data = hm.load_model("halves", "torch", "cpu"), hm.load_dataset("squares")
    batch = data.take(16, model)
    frame = hm.evaluate(
        model, batch.x, batch.y, methods="oracle,random", metrics="overlap", masks=batch.masks, ids=batch.ids
    )
    table = frame.pivot(index="sample", columns="method", values="value")
    expected = (table["oracle"] - table["random"]).mean()
    comparison = next(item for item in one(found, "overlap").tasks[0].oracle if item.control == "random")
    assert comparison.difference == pytest.approx(expected) and comparison.samples == comparison.of == 16


def test_agreement_is_turned_by_direction(found):
    names = [metric.metric for metric in found.metrics]
    tau = np.array(found.tau)
    assert tau[names.index("overlap"), names.index("overlap_inverted")] == pytest.approx(-1.0)
    assert np.isnan(tau[names.index("overlap"), names.index("flat")])
    by_family = {(item.family, item.metrics) for item in found.concordance}
    assert by_family == {("all", 5), ("localisation", 3)}


def test_frameworks_find_the_same(found, tmp_path):
    pytest.importorskip("tensorflow")
    other = audited(tmp_path, ",".join([*GOOD, "overlap_inverted", "flat"]), framework="tensorflow")
    for metric in other.metrics:
        here = one(found, metric.metric)
        assert metric.key == here.key and metric.weak == here.weak
        for name in ("reactivity", "resilience", "split_half"):
            assert metric.mean(name) == pytest.approx(here.mean(name), abs=1e-3, nan_ok=True)


def test_without_masks_there_is_no_oracle(tmp_path):
    pytest.importorskip("torch")
    plan = audit_plan("flat,steady", "unmasked", methods=METHODS, framework="torch", limit=8, device="cpu")
    (task,) = measure_audit(plan, tmp_path, engine="serial", progress=False).tasks
    assert task.not_applicable == {"oracle": "unmasked has no ground-truth masks"}
    assert task.places("oracle") == [] and len(task.places("method")) == 3
    found = audit_metrics(
        "overlap,steady",
        "unmasked",
        methods=METHODS,
        framework="torch",
        limit=8,
        out=tmp_path,
        engine="serial",
        progress=False,
    )
    assert dict(found.skipped) == {"overlap": "it needs ground-truth masks, and there are none"}
    assert one(found, "steady").tasks[0].oracle == ()


# What is kept


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """What is measured from here on: (method, metrics)."""
    calls: list[tuple[str, tuple[str, ...]]] = []
    true = UnitJob.result

    def counting(job: UnitJob, *given: Any) -> UnitValues:
        calls.append((job.spec.method, job.metrics))
        return true(job, *given)

    monkeypatch.setattr(UnitJob, "result", counting)
    return calls


def test_what_is_measured_is_not_measured_again(tmp_path, measured):
    pytest.importorskip("torch")
    options: dict[str, Any] = {"methods": "gradient,input_x_gradient", "limit": 8}
    first = audited(tmp_path, "overlap,picky", **options)
    assert len(measured) == 2 + 5 + 1
    measured.clear()
    again = audited(tmp_path, "overlap,picky", **options)
    assert measured == [] and again.metrics == first.metrics
    more = audited(tmp_path, "overlap,flat,picky", **options)
    assert {metrics for _, metrics in measured} == {("flat",)}
    assert one(more, "overlap") == one(first, "overlap")
    measured.clear()
    audited(tmp_path, "overlap", seed=1, **options)
    assert len(measured) == 8


def test_an_audit_that_was_stopped_goes_on(tmp_path, measured, monkeypatch):
    pytest.importorskip("torch")
    counting = UnitJob.result

    def stopping(job: UnitJob, *given: Any) -> UnitValues:
        if len(measured) == 3:
            raise KeyboardInterrupt
        return counting(job, *given)

    monkeypatch.setattr(UnitJob, "result", stopping)
    with pytest.raises(Interrupted, match="goes on from there"):
        audited(tmp_path, limit=8)
    monkeypatch.setattr(UnitJob, "result", counting)
    done = {entry for entry, _ in measured}
    measured.clear()
    resumed = audited(tmp_path, limit=8)
    assert len(done) == 3 and not done & {entry for entry, _ in measured}
    assert resumed.metrics == audited(tmp_path / "whole", limit=8).metrics


def test_damaged_values_are_measured_again(tmp_path, measured):
    pytest.importorskip("torch")
    first = audited(tmp_path, limit=8)
    file = sorted((tmp_path / "values").glob("*.parquet"))[0]
    file.write_bytes(file.read_bytes()[:-20])
    measured.clear()
    assert audited(tmp_path, limit=8).metrics == first.metrics and len(measured) == 1
    assert list((tmp_path / "values").glob("*.corrupt"))


def test_an_audit_is_read_as_it_was_written(found, tmp_path):
    path = write_audit(found, tmp_path)
    read = read_audit(tmp_path)
    for here, there in zip(found.metrics, read.metrics, strict=True):
        assert (here.metric, here.key, here.complaints) == (there.metric, there.key, there.complaints)
        assert [item.outcome for item in here.tasks[0].oracle] == [item.outcome for item in there.tasks[0].oracle]
        for name in ("reactivity", "resilience", "order_kept", "retest", "split_half"):
            assert here.mean(name) == pytest.approx(there.mean(name), rel=1e-5, nan_ok=True)
    np.testing.assert_allclose(np.array(read.tau, float), np.array(found.tau, float), rtol=1e-5)
    assert read.skipped == found.skipped and read.concordance[0].metrics == found.concordance[0].metrics
    write_audit(read, tmp_path / "again")
    assert (tmp_path / "again" / "audit.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "holds no audit"), ("{", "damaged"), ("[]", "damaged"), ('{"schema": 99}', "schema version 99")],
)
def test_what_is_no_audit_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "audit.json").write_text(content)
    with pytest.raises(StorageError, match=words):
        read_audit(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"metrics": "overlp"}, UnknownName, "Did you mean 'overlap'"),
        ({"data": "squarse"}, UnknownName, "squares"),
        ({"data": "cifar10,squares", "models": "small-cnn,vgg7,cnn-1d"}, BadInput, "one for each of the 2"),
        ({"data": "image-folder:nowhere"}, BadInput, "--models"),
        ({"limit": 3}, BadInput, "at least 8 samples"),
        ({"metrics": "directionless"}, BadInput, "No metric is left"),
    ],
)
def test_plans_that_cannot_be_used_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        audit_plan(**{"metrics": "overlap", "data": "squares", "framework": None, **options})


def test_a_reason_that_holds_for_many_is_told_once():
    told = [
        ("saliency, a on b", "does not fit."),
        ("sobel, a on b", "no colours."),
        ("oracle, a on b", "does not fit."),
    ]
    assert _each_once(told) == "saliency, a on b and 1 more: does not fit.; sobel, a on b: no colours."


def test_data_whose_truth_is_not_known_is_named(found):
    assert found.without_truth == () and "not known" not in where_text(found)
    blind = replace(
        found,
        metrics=tuple(
            replace(metric, tasks=tuple(replace(task, oracle=()) for task in metric.tasks)) for metric in found.metrics
        ),
    )
    assert blind.without_truth == tuple(task.dataset for task in found.tasks)
    assert f"The truth on {found.tasks[0].dataset} is not known (no masks)" in where_text(blind)


# How it is shown


def test_the_files_hold_what_was_found(found, tmp_path):
    figures = list(plt.get_fignums())
    names = [path.name for path in write_audit_files(found, tmp_path)]
    assert names == [
        "audit.json",
        "audit.md",
        "audit.csv",
        "oracle.csv",
        "checks.png",
        "checks.svg",
        "agreement.png",
        "agreement.svg",
    ]
    assert plt.get_fignums() == figures
    frame = pd.read_csv(tmp_path / "audit.csv").set_index("metric")
    assert (
        frame.loc["overlap_inverted", "not_passed"] == "oracle, reacts" and frame.loc["overlap", "verdict"] == "passed"
    )
    assert len(pd.read_csv(tmp_path / "oracle.csv")) == len(found.metrics) * len(COMPARED)
    text = (tmp_path / "audit.md").read_text(encoding="utf-8")
    assert (
        "**Overlap Inverted**: the ground truth does not beat every control" in text and "it likes no picture" in text
    )
    for name in ("checks.png", "agreement.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 300
    first = (tmp_path / "agreement.svg").read_bytes()
    write_audit_files(found, tmp_path)
    assert (tmp_path / "agreement.svg").read_bytes().count(b"<path") == first.count(b"<path")


def test_the_agreement_is_drawn_once_for_each_pair_with_the_values_under_their_names(found):
    figure = draw_agreement(found)
    axes = figure.axes[0]
    down = [label.get_text().rpartition("   ")[0] for label in axes.get_yticklabels()]
    names = [shown(metric.metric, "metric") for metric in found.metrics]
    assert set(down) == set(names) - {"Flat"} and len(down) > 2
    colours = np.ma.asarray(axes.collections[0].get_array()).reshape(len(down), len(down))
    for row, first in enumerate(down):
        for column, second in enumerate(down):
            if column < row:
                assert colours[row, column] == pytest.approx(found.tau[names.index(first)][names.index(second)])
            else:
                assert colours.mask[row, column]
    inches = axes.get_position().bounds[2:] * figure.get_size_inches()
    assert inches == pytest.approx(CELL * len(down))  # cells and words stay as large as they are
    assert draw_agreement(found, {one(found, "overlap").key}) is None


def test_the_terminal_shows_every_metric_in_100_columns(found):
    console = Console(width=100, record=True, file=StringIO())
    print_audit(found, console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    for metric in found.metrics:
        assert shown(metric.metric, "metric") in text
    heads = [line for line in text.splitlines() if all(column.head in line for column in COLUMNS[1:])]
    assert len(heads) == len(found.of_family)


def test_the_command_writes_and_fails_where_a_metric_did(tmp_path):
    pytest.importorskip("torch")
    words = ["audit", "metrics", "--metrics", "overlap,broken", "--data", "squares", "--methods", "gradient"]
    words += [
        "--framework",
        "torch",
        "--device",
        "cpu",
        "--limit",
        "8",
        "--out",
        str(tmp_path / "a"),
        "--engine",
        "serial",
        "--plugin",
        PLUGIN,
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "failed: broken, gradient, halves on squares (and 6 more): ValueError: broken on purpose" in result.stderr
    assert "audit.json" in result.stdout and one(read_audit(tmp_path / "a"), "overlap").beaten[1]
    assert "heatmark audit metrics" in CliRunner().invoke(app, ["audit", "metrics", "--help"]).stdout
