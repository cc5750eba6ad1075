"""``heatmark runtime`` from end to end, in processes of its own, on tiny networks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import heatmark as hm
from heatmark.benchmark.timing.files import read_runtime
from heatmark.cli.main import app

PLUGIN = "runtime_plugin"  # the module, which other tests may have imported already


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder; other processes find the test networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "shared" / "plugins"))


def called(*words: str) -> Result:
    return CliRunner().invoke(app, ["runtime", *words])


def test_help_teaches():
    text = called("--help").stdout
    for word in ("--scaling", "--check-devices", "--compare", "--precision", "heatmark runtime --methods"):
        assert word in text


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_rows_tables_and_plots(framework):
    pytest.importorskip(framework)
    options = ["--models", "runtime-net", "--frameworks", framework, "--device", "cpu", "--batch", "2"]
    options += ["--rounds", "3", "--seconds", "1", "--threads", "1", "--no-memory", "--plugin", PLUGIN, "--out", "out"]
    result = called("--methods", "saliency,faulty", *options)
    assert result.exit_code == 1, result.output
    assert "broken on purpose" in result.output and "saliency" in result.output
    record = read_runtime("out")
    assert [row.case.method for row in record.measurements] == ["saliency"] and len(record.failures) == 1
    assert record.measurements[0].passes.forward == 2 and record.measurements[0].conditions["threads"] == 1
    for name in ("runtime.csv", "runtime.md", "runtime-costs.png", "runtime-costs.svg"):
        assert (Path("out") / name).stat().st_size > 200


def test_python_measures_the_same_rows():
    pytest.importorskip("torch")
    given = {"models": "runtime-net", "frameworks": "torch", "device": "cpu", "batches": "2", "plugins": [PLUGIN]}
    given |= {"rounds": 3, "seconds": 1.0, "threads": 1, "memory": False, "progress": False}
    found = hm.runtime("saliency", out="out", **given)
    row = found.frame.iloc[0]
    assert len(found.frame) == 1 and (row["method"], row["images"], row["framework"]) == ("saliency", 2, "torch")
    assert row["relative_cost_low"] <= row["relative_cost"] <= row["relative_cost_high"]
    assert Path("out/runtime.csv") in found.written
    with pytest.raises(hm.HeatmarkError, match="saliency"):
        hm.runtime("salience", out="out", **given)


def test_pytest_measures_the_same_rows(tmp_path):
    pytest.importorskip("pytest_benchmark")
    pytest.importorskip("torch")
    folder = Path(__file__).parents[2] / "benchmark" / "runtime"
    options = ["--methods", "saliency,faulty", "--models", "runtime-net", "--frameworks", "torch", "--devices", "cpu"]
    options += ["--batches", "2", "--rounds", "3", "--seconds", "1", "--no-memory", "--plugin-modules", PLUGIN]
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(folder / "test_methods.py"),
        "-q",
        "-p",
        "no:cacheprovider",
        *options,
    ]
    done = subprocess.run(
        [*command, f"--benchmark-json={tmp_path / 'out.json'}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout and "broken on purpose" in done.stdout
    (row,) = read_runtime(tmp_path / "out.json").measurements
    assert row.case.parameters["method"] == "saliency" and row.passes.backward == 2
    written = json.loads((tmp_path / "out.json").read_text())["benchmarks"][0]
    assert written["stats"]["data"] == pytest.approx(row.calls)


def test_memory_on_a_processor_is_that_of_a_fresh_process():
    pytest.importorskip("torch")
    options = ["--models", "runtime-net", "--frameworks", "torch", "--device", "cpu", "--batch", "64", "--rounds", "1"]
    result = called("--methods", "saliency", *options, "--threads", "1", "--plugin", PLUGIN, "--out", "out")
    assert result.exit_code == 0, result.output
    (row,) = read_runtime("out").measurements
    assert row.memory is not None and 0 < row.memory < row.memory_peak and "resident" in row.memory_kind


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rounds", "0"], "--rounds must be at least 1"),
        (["--device", "toaster"], "Unknown device 'toaster'"),
        (["--scaling", "--check-devices"], "give one of them"),
        (["--current", "there"], "belongs to --compare"),
        (["--compare", "nowhere"], "does not exist"),
        (["--scaling", "--axes", "colour"], "Unknown axis 'colour'"),
        (["--check-devices", "--images", "0"], "--images must be at least 1"),
    ],
)
def test_what_cannot_be_used_ends_with_status_two(words, message):
    result = called("--methods", "saliency", "--models", "small-cnn", "--frameworks", "torch", *words)
    assert result.exit_code == 2 and message in result.output, result.output
    assert not any(Path().rglob("runtime-*.json"))


def test_a_device_that_is_not_there_is_said_before_anything_is_measured():
    torch = pytest.importorskip("torch")
    number = torch.cuda.device_count() + 7
    result = called(
        "--methods", "saliency", "--models", "small-cnn", "--frameworks", "torch", "--device", f"cuda:{number}"
    )
    assert result.exit_code == 2 and f"There is no device 'cuda:{number}'" in result.output
    assert not any(Path().rglob("runtime-*.json"))


def test_precisions_are_compared_with_their_ranking():
    pytest.importorskip("torch")
    options = ["--models", "runtime-net", "--frameworks", "torch", "--device", "cpu", "--batch", "2", "--rounds", "1"]
    options += ["--threads", "1", "--no-memory", "--plugin", PLUGIN, "--out", "out"]
    result = called("--methods", "saliency,random", "--precision", "bf16", "--metrics", "deletion[steps=4]", *options)
    assert result.exit_code == 0, result.output
    assert "cpu bf16 against cpu float32" in result.output and "mean ranks correlate" in result.output.replace(
        "\n", " "
    )
    assert {row.case.precision for row in read_runtime("out").measurements} == {"bf16"}
    assert "saliency" in (Path("out") / "runtime-devices.csv").read_text()
