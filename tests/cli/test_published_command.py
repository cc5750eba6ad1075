"""Published results on the command line: what is printed, and the page of the documentation."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from made_runs import held_run
from typer.testing import CliRunner

from heatmark.benchmark.suite import load_suite
from heatmark.cli.main import app
from heatmark.leaderboards.records.published import list_published, published
from heatmark.leaderboards.records.published_matching import with_official
from heatmark.leaderboards.records.published_page import published_page
from heatmark.leaderboards.records.published_words import commands

PAGE = Path(__file__).parents[2] / "docs" / "published.md"


def said(*words):
    """What a command prints, in one line, with its exit status."""
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, re.sub(r"\s+", " ", result.output)


@pytest.fixture
def run(tmp_path):
    """Score-CAM's table 1 for Grad-CAM, everything as published but far from it; and half-way for Grad-CAM++."""
    scores = np.array([60 + np.tile([1.0, -1.0], 1000)])
    return str(held_run(tmp_path / "run", ["grad_cam"], ["average_drop[scorecam]"], scores))


def test_the_page_is_what_the_files_say():
    """Written anew by `heatmark publish`."""
    assert PAGE.read_text(encoding="utf-8") == published_page(with_official(list_published()))


def test_the_page_says_that_its_own_measurements_are_not_the_source_s():
    text = re.sub(r"\s+", " ", PAGE.read_text(encoding="utf-8"))
    assert "RISE's protocol on EfficientNet-Lite0 is not RISE's number" in text
    for paper in list_published():
        for table in paper.tables:
            for command in commands(paper, table):
                assert command in text


def test_the_example_of_a_file_can_be_read(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "my.toml").write_text(example, encoding="utf-8")
    paper = published(tmp_path / "my.toml")
    first, second = commands(paper, paper.tables[0])
    assert second == f"heatmark compare results/my-ours --published {tmp_path / 'my.toml'}"
    assert first.startswith("heatmark run --model net.py:build --data image-folder:pictures")


def test_commands_are_ones_that_run_takes(monkeypatch):
    """Each command goes through the command line itself, up to the run, and its suite is the table's."""
    asked = {}
    monkeypatch.setattr("heatmark.benchmark.run.run", lambda suite, **options: asked.update(options) or 1 / 0)
    count = 0
    for paper in list_published():
        for table in paper.tables:
            for command in commands(paper, table)[:1]:
                words = shlex.split(command)
                result = CliRunner().invoke(app, words[1:])
                assert isinstance(result.exception, ZeroDivisionError), result.output
                names = ("models", "data", "methods", "metrics", "frameworks", "target", "limit")
                suite = load_suite("quick").changed(**{name: asked[name] for name in names})
                assert suite.models == (table.model_entry,) and suite.limit == (table.images or table.limit)
                assert set(suite.methods) == {row.entry for row in table.rows if row.entry}
                assert set(suite.metrics) == {column.metric for column in table.columns if column.metric}
                count += 1
    assert count == 6


def test_list_and_show_teach():
    status, text = said("list", "published")
    assert status == 0 and "24 values, read second hand; 2 of 3 tables with a command" in text
    status, text = said("show", "published", "rise")
    assert status == 0
    for part in (
        "0.10483 [0.10237, 0.10729]",
        "1,792 pixels at a step become zero after normalisation",
        "heatmark run --models torchvision:resnet50@IMAGENET1K_V1 --data imagenet-1k:PATH",
        "heatmark compare results/rise-resnet50 --published rise",
        "each within 0.05, besides sampling",
        "Take 0.05 as the noise of the protocol.",
    ):
        assert part in text
    status, text = said("show", "published", "wam")
    assert "Known to be unreliable: WAM, Integrated Gradients (efficientnet): 0.447 - 0.049 is 0.398" in text
    assert "No command reproduces it: the page tells neither which EfficientNet nor the protocol." in text
    status, text = said("show", "published", "rise", "--json")
    assert json.loads(text)["tables"][0]["rows"][0]["claimed"] == {"Deletion": 0.10483, "Insertion": 0.77192}


def test_a_command_is_printed_in_one_line():
    output = CliRunner().invoke(app, ["show", "published", "rise"]).output
    (line,) = [line for line in output.splitlines() if line.startswith("    heatmark run")]
    assert line.strip() == commands(published("rise"), published("rise").tables[0])[0]


def test_compare_flags_a_difference_where_everything_matches(run):
    status, text = said("compare", run, "--published", "score-cam")
    assert status == 0
    assert "Grad-CAM Average Drop ↓ 47.8 % 60.00 ±.04 ✓ ✓ ✓ ✓ DIFFERS, PyTorch" in text
    assert "Grad-CAM, Average Drop, PyTorch: here 60 [59.96, 60.04], expected 44.8 to 50.8." in text
    assert text.rstrip().endswith("1 of 1 value may be compared: 0 agree, 1 differ.")
    status, text = said("compare", run, "--published", "score-cam", "--json")
    (one,) = json.loads(text)["beside"]
    assert (one["flagged"], one["claimed"], one["expected"]) == (True, 47.8, [44.8, 50.8])
    assert one["protocol"] == {"state": "same", "words": []} and one["ours"]["samples"] == 2000


@pytest.mark.parametrize("words", [["--published"], ["--published", "--json"], ["--published="]])
def test_the_name_may_be_left_out(run, words):
    status, text = said("compare", run, *words)
    assert status == 0 and all(name in text for name in ("score-cam", "average-drop", "torch-cam"))


def test_compare_says_what_is_missing(run, tmp_path):
    assert said("compare", run, "--published", "scorecam") == (
        2,
        "heatmark: Unknown published results 'scorecam'. Did you mean 'score-cam' or 'torch-cam'? See `heatmark list "
        "published`, or give the path of your own .toml file. ",
    )
    status, text = said("compare", str(tmp_path), "--published")
    assert status == 2 and "holds no run (no run.json)" in text
