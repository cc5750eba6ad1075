"""A network that a user trained carries the first digits of its digest in every table that names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runtime_rows import case, record, row
from typer.testing import CliRunner

from heatmark.benchmark.run import run
from heatmark.benchmark.status import status
from heatmark.benchmark.store.cell import UNKNOWN_WEIGHTS, Task
from heatmark.benchmark.store.outcomes import Finished
from heatmark.benchmark.timing.files import RuntimeFile, read_runtime
from heatmark.benchmark.timing.measure import NetworkRows, PlaceProcess
from heatmark.benchmark.timing.rows import Measurement, NotMeasured, Place, RuntimeCase, RuntimeSettings
from heatmark.cli.main import app
from heatmark.leaderboards.audits.auditing import audit_metrics
from heatmark.leaderboards.audits.json_file import read_audit
from heatmark.leaderboards.audits.tables import audit_frame, audit_markdown
from heatmark.leaderboards.board import Board, leaderboard
from heatmark.leaderboards.costs.comparison import compared
from heatmark.leaderboards.costs.pareto import fitting_costs
from heatmark.leaderboards.costs.tables import cost_frame, cost_tables, costs_markdown
from heatmark.leaderboards.galleries.of_averages import average_gallery
from heatmark.models.training.kept import TrainedModel, train
from heatmark.models.zoo.loading import shown_name, trained_digest, weights_id

pytest.importorskip("torch")

DIGEST = "3ed1dc38" + "0" * 56


@pytest.fixture(scope="module")
def grains() -> TrainedModel:
    """A network that somebody trained, in the cache of this session."""
    return train("small-cnn", "digits", framework="torch", epochs=1, name="grains")


@pytest.fixture(scope="module")
def shown(grains: TrainedModel) -> str:
    """What tables call it."""
    return f"grains ({grains.digest[:8]})"


@pytest.fixture(scope="module")
def board(grains: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """The leaderboard of a run of it, with a method that has no meaning for it."""
    out = tmp_path_factory.mktemp("run")
    given = {"frameworks": "torch", "engine": "serial", "device": "cpu", "progress": False}
    methods, metrics = "saliency,attention_rollout,random", "deletion[steps=4]"
    return leaderboard(
        run("quick", models="grains", data="digits", methods=methods, metrics=metrics, limit=4, out=out, **given)
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["small-cnn", "efficientnet-lite0", "torchvision:vgg16", "mine.py:build", "file:a.keras"]
)
def test_names_that_say_which_weights_they_mean_stay_as_they_are(name: str) -> None:
    assert shown_name(name, DIGEST) == name and trained_digest(name) == ""


def test_names_that_anybody_can_give_get_a_digest() -> None:
    assert shown_name("grains", DIGEST) == "grains (3ed1dc38)"
    assert str(Task("grains", "seeds", DIGEST)) == "grains (3ed1dc38) on seeds"
    for unknown in (UNKNOWN_WEIGHTS, "", None, "torchvision 0.28.0 vgg16@default"):
        assert shown_name("grains", unknown) == "grains"
    assert Task("grains", "seeds", DIGEST) == Task("grains", "seeds")  # one task, whatever is known of it
    assert trained_digest("never-trained") == ""


def test_the_digest_is_in_the_key_of_its_results(board: Board, grains: TrainedModel) -> None:
    assert {spec.model_weights for spec in board.stores[0].expected} == {grains.digest} == {weights_id("grains")}
    assert {spec.model for spec in board.stores[0].expected} == {"grains"}


def test_every_output_of_a_leaderboard_names_it(board: Board, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(board.frame["model"]) == {shown}
    csv, markdown, report = (path.read_text() for path in board.write())
    assert f"\n{shown},digits," in csv
    assert f"## {shown} on digits" in markdown and rf"attention\_rollout ({shown} on digits" in markdown
    assert report.count(shown) >= 3
    board.show()
    assert f"{shown} on digits" in capsys.readouterr().out


def test_the_status_names_it(board: Board, shown: str) -> None:
    found = status(board.stores[0].path).plain()
    assert [one["task"] for one in (*found["rows"], *found["not_applicable"])] == [f"{shown} on digits"] * 2
    assert f"{shown} on digits" in CliRunner().invoke(app, ["status", str(board.stores[0].path)]).stdout


def test_lists_of_models_name_it(grains: TrainedModel, shown: str) -> None:
    called = CliRunner().invoke
    assert f"{shown} " in called(app, ["list", "models"]).stdout
    assert called(app, ["show", "model", "grains"]).stdout.splitlines()[0].split() == ["name", *shown.split()]
    listed = json.loads(called(app, ["list", "models", "--json"]).stdout)
    assert [one["digest"] for one in listed if one["name"] == "grains"] == [grains.digest]


def test_an_audit_names_it(grains: TrainedModel, shown: str, tmp_path: Path) -> None:
    given = {"models": "grains", "framework": "torch", "limit": 8, "device": "cpu", "methods": "saliency"}
    audit_metrics("sparseness,relevance_mass", "digits", out=tmp_path, progress=False, **given)  # type: ignore[arg-type]
    audit = read_audit(tmp_path)
    assert [(task.model, task.weights) for task in audit.tasks] == [(shown, grains.digest)]
    assert set(audit_frame(audit)["model"]) == {shown} and f"on {shown} on digits" in audit_markdown(audit)


def test_mean_maps_name_it(grains: TrainedModel, shown: str, tmp_path: Path) -> None:
    average_gallery("digits", "grains", "saliency", tmp_path / "mean.svg", frameworks="torch", limit=4, progress=False)
    assert f"class that {shown} predicts" in (tmp_path / "mean.svg").read_text()


def test_what_is_measured_keeps_the_digest(grains: TrainedModel, shown: str, tmp_path: Path) -> None:
    what, settings = (
        RuntimeCase("saliency", "grains", Place("torch", "cpu"), batch="2"),
        RuntimeSettings(3, 1.0, memory=False),
    )
    with PlaceProcess(what.place, settings) as process:
        outcome = NetworkRows(what, process, settings).measure(what)
    assert isinstance(outcome, Finished)
    measured = outcome.value
    assert isinstance(measured, Measurement) and measured.case == what and measured.case.weights == grains.digest
    file = RuntimeFile(tmp_path, settings)
    file.add(measured)
    file.add(NotMeasured(measured.case, "no meaning"))
    found = read_runtime(tmp_path)
    assert {one.case.weights for one in (*found.measurements, *found.missing)} == {grains.digest}
    assert found.measurements[0].case.key == what.key  # it is the same row when the network is trained again


def test_every_table_of_costs_names_it(board: Board, grains: TrainedModel, shown: str) -> None:
    mine = case(model="grains", weights=grains.digest)
    found = record(row(mine, [0.1] * 5), NotMeasured(case("rise", model="grains", weights=grains.digest), "no meaning"))
    tables = cost_tables(found)
    assert set(cost_frame(tables)["model"]) == {shown}
    text = costs_markdown(tables, found)
    assert f"## {shown} · PyTorch · cpu" in text and f"rise · {shown} · torch" in text
    assert set(compared(found, found).frame["model"]) == {shown}
    assert fitting_costs(board.tables[0], tables) == list(tables)
    other = cost_tables(record(row(case(model="grains", weights=DIGEST), [0.1] * 5)))
    assert fitting_costs(board.tables[0], other) == []  # the costs of another network
