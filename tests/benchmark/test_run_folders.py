"""Whose a folder is: what runs are called, where they go, and that no run takes another's place unasked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_runs import PLUGIN, Start

from heatmark.benchmark.running.run_folder import title_of, usual_folder
from heatmark.benchmark.suite import load_suite
from heatmark.errors import BadInput, Interrupted
from heatmark.leaderboards.board import leaderboard

pytest.importorskip("torch")

KEPT = ("run.json", "plan.json", "leaderboard.csv", "leaderboard.md", "report.html")


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in KEPT}


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function after which cells of a method stop the run."""
    from heatmark.benchmark.work.worker import Worker

    once = Worker.run

    def at(method: str) -> None:
        def stopped(self: Worker, job: Any, report: Any) -> Any:
            if method in job.spec.method:
                raise KeyboardInterrupt
            return once(self, job, report)

        monkeypatch.setattr(Worker, "run", stopped)

    yield at
    monkeypatch.setattr(Worker, "run", once)


@pytest.mark.parametrize(
    ("changes", "title", "folder"),
    [
        ({}, "quick", "quick"),
        ({"limit": 3}, "efficientnet-lite0 on imagenet-samples", "quick"),
        ({"methods": "saliency"}, "efficientnet-lite0 on imagenet-samples", "quick"),
        ({"models": "mynet.py:build", "data": "image-folder:pictures"}, "mynet on pictures", "mynet-pictures"),
        (
            {"models": "file:nets/net.keras[domain=0..255]", "data": "image-folder[classes=folders]:in/pictures"},
            "net on pictures",
            "net-pictures",
        ),
        ({"models": "own.nets:build", "data": "digits[split=train]"}, "nets on digits", "nets-digits"),
        ({"models": "torchvision:vgg16"}, "vgg16 on imagenet-samples", "vgg16-imagenet-samples"),
        (
            {"models": "small-cnn,vgg7,cnn-1d", "data": "digits"},
            "small-cnn on digits, vgg7 on digits and 1 more",
            "small-cnn-vgg7-cnn-1d-digits",
        ),
    ],
)
def test_a_run_is_called_by_what_was_run(changes: dict[str, Any], title: str, folder: str) -> None:
    original = load_suite("quick")
    suite = original.changed(**changes)
    assert title_of(suite, original) == title
    assert usual_folder(suite, original) == Path("results") / folder


def test_a_folder_that_holds_another_run_is_refused(start: Start) -> None:
    first = start("counted,random")
    leaderboard(first).write()
    before = contents(first.path)
    for methods, options, words in (
        ("counted", {}, r"methods \(random only there\).*join the two with --add, or replace that run with --force"),
        ("counted,random", {"limit": 3}, r"limit \(none there, 3 here\)\. Choose another folder with --out, or rep"),
        ("counted,random", {"metrics": "average_drop"}, r"metrics \(deletion\[steps=4\] only there\)"),
        ("counted,random", {"seed": 4}, r"seeds \(0 only there; 4 only here\)"),
        ("counted,random", {"target": "label"}, r"target \(predicted there, label here\)"),
        ("counted,random", {"per_class": 1}, r"per class \(none there, 1 here\)"),
    ):
        with pytest.raises(BadInput, match=r"holds another run, tiny on tiny-pictures\. It differs in .*" + words):
            start(methods, **options)
    assert contents(first.path) == before
    assert start("random,counted").cached == 2  # the same in another order


def test_a_run_that_was_stopped_before_its_first_cell_has_nothing_to_lose(start: Start, stopping: Any) -> None:
    stopping("random")
    with pytest.raises(Interrupted):
        start("random", limit=3)
    assert start("counted").expected == 1  # neither --add nor --force is asked for
    with pytest.raises(BadInput, match="holds another run"):
        start("random", limit=3)


def test_added_runs_stand_in_one_leaderboard(start: Start, tiny_folder: Path) -> None:
    start("counted")
    both = start("random", add=True, force=True)  # forced is only what an examination would stop
    assert (both.expected, both.cached) == (2, 1)
    assert {row.method.id for row in leaderboard(both).tables[0].rows} == {"counted", "random"}
    assert (tiny_folder / "calls").read_text().split() == ["1"]
    with pytest.raises(BadInput, match=r"cannot be joined with this one, which differs in limit.*--out"):
        start("counted", limit=2, add=True)


@pytest.mark.parametrize("how", ["add", "force"])
def test_a_run_that_is_stopped_takes_nothing_from_another(start: Start, stopping: Any, how: str) -> None:
    first = start("random")
    leaderboard(first).write()
    before = contents(first.path)
    stopping("shade=2")
    with pytest.raises(Interrupted, match=f"--{how}"):
        start("counted[shade=1|2]", **{how: True})
    assert contents(first.path) == before
    assert [row.method.id for row in leaderboard(first.path).tables[0].rows] == ["random"]
    stopping("nothing")
    resumed = start("counted[shade=1|2]", **{how: True})
    assert resumed.cached == (2 if how == "add" else 1) and resumed.complete
    names = {row.method.id for row in leaderboard(resumed).tables[0].rows}
    assert ("random" in names) == (how == "add") and "counted[shade=2]" in names


def test_a_run_of_an_earlier_version_is_continued(start: Start) -> None:
    first = start("counted")
    path = first.path / "run.json"
    record = json.loads(path.read_text())
    for name in ("per_class", "part"):
        del record["suite"][name]
    record["name"] = "quick, changed by options"
    path.write_text(json.dumps(record))
    again = start("counted")
    assert again.cached == 1 and again.store.run["name"] == "tiny on tiny-pictures"


def test_cells_of_other_samples_are_not_mixed_in(start: Start, tmp_path: Path) -> None:
    """As an earlier version took the first samples, whatever their classes."""
    from heatmark.benchmark.store.plan_file import write_plan

    for name in ("cat", "dog"):
        (tmp_path / "sorted" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (8, 8), 40 * number).save(tmp_path / "sorted" / name / f"{number}.png")
    options = {"data": "image-folder:sorted", "limit": 2}
    found = start("counted", **options)
    assert sorted(row["sample"][:3] for _, row in found.store.cells()[0].table.iterrows()) == ["cat", "dog"]
    (spec,) = found.store.expected
    earlier = replace(spec, dataset_revision="of the whole folder")
    write_plan(found.path, [earlier])
    cells = found.path / "cells"
    (cells / f"{spec.key}.parquet").rename(cells / f"{earlier.key}.parquet")
    again = start("counted", **options)
    assert again.cached == 0 and again.complete
    assert any("finished cells" in note and "done anew" in note for note in again.notes)


def test_two_runs_without_a_folder_leave_both_results(start: Start, tmp_path: Path) -> None:
    """What the first two sections of the README do: a run by a suite, then one's own network on one's own pictures."""
    (tmp_path / "own.toml").write_text(
        'models = ["tiny"]\ndata = ["tiny-pictures"]\nmethods = ["counted", "random"]\nmetrics = ["average_drop"]\n'
        'frameworks = ["torch"]\n'
    )
    (tmp_path / "mynet.py").write_text(
        "import sys, torch\n"
        "def build():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64, 2))\n"
    )
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            picture = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "pictures" / name / f"{number}.png")
    from heatmark.benchmark.run import run

    options: dict[str, Any] = {"device": "cpu", "engine": "serial", "plugins": [PLUGIN], "progress": False}
    first = run("own.toml", **options)
    leaderboard(first).write()
    before = contents(first.path)
    (tmp_path / "mynet.py").write_text((tmp_path / "mynet.py").read_text().replace(
        "return torch", "from heatmark.models.zoo.loading import LoadedNetwork\n    return LoadedNetwork(torch"
    ).replace("2))", "2)), input_shape=(3, 8, 8))"))  # fmt: skip
    second = run("own.toml", models="mynet.py:build", data="image-folder:pictures", limit=4, **options)
    leaderboard(second).write()
    assert (str(first.path), str(second.path)) == ("results/own", "results/mynet-pictures")
    assert contents(first.path) == before
    assert "heatmark <span>mynet on pictures" in (second.path / "report.html").read_text()
    labels = second.store.cells()[0].table["label"].tolist()
    assert labels == [0, 0, 1, 1]  # over both folders, not the first alone
