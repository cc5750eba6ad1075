"""Runtime results as files: what is written is read back, by us and by pytest-benchmark."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from runtime_rows import MACHINE, case, record, row

from heatmark.benchmark.timing.files import RuntimeFile, read_runtime, runtime_document
from heatmark.benchmark.timing.rows import CHUNK, NotMeasured, RuntimeCase, RuntimeSettings
from heatmark.errors import BadInput, StorageError


def written(folder, *rows):
    file = RuntimeFile(folder, RuntimeSettings())
    for one in rows:
        file.add(one)
    return file.path


def test_rows_come_back_as_they_were(tmp_path):
    rows = (
        row(case(batch=CHUNK), [0.1, 0.11, 0.12], images=8, gpu={"driver": "1"}),
        row(case("random", "tensorflow", "cuda", precision="bf16", size=64, classes=7), [0.2], passes=(0, 0)),
    )
    missing = NotMeasured(case("greedy"), "ran out of memory", failed=True, traceback="line")
    found = read_runtime(written(tmp_path, *rows, missing))
    assert found.measurements == rows and found.missing == (missing,) and found.failures == (missing,)


def test_the_file_is_whole_after_every_row(tmp_path):
    file = RuntimeFile(tmp_path, RuntimeSettings())
    for number in range(3):
        file.add(row(case(batch=str(number + 1)), [0.1]))
        assert len(read_runtime(file.path).measurements) == number + 1


def test_a_folder_gives_each_row_as_it_was_measured_last(tmp_path):
    written(tmp_path, row(case(), [0.1]), NotMeasured(case("rise"), "died", failed=True))
    written(tmp_path, row(case(), [0.3]), row(case("rise"), [0.4]))
    found = read_runtime(tmp_path)
    assert {item.case.method: item.calls for item in found.measurements} == {"saliency": (0.3,), "rise": (0.4,)}
    assert found.missing == ()


def test_rows_of_another_machine_are_left_out_aloud(tmp_path):
    other = runtime_document(record(row(case("rise"), [9.0])), {})
    assert other["machine_info"]["heatmark"] == MACHINE
    (tmp_path / "runtime-00000000.json").write_text(json.dumps(other))
    written(tmp_path, row(case(), [0.1]))
    found = read_runtime(tmp_path)
    assert [item.case.method for item in found.measurements] == ["saliency"]
    assert len(found.notes) == 1 and "another machine" in found.notes[0]


def test_what_is_no_runtime_result_is_said_so(tmp_path):
    with pytest.raises(StorageError, match="holds no runtime results"):
        read_runtime(tmp_path)
    with pytest.raises(StorageError, match="does not exist"):
        read_runtime(tmp_path / "nowhere")
    damaged = tmp_path / "runtime-1.json"
    for text in ("{", "[]", '{"benchmarks": [{"extra_info": {"case": {}}}], "machine_info": {}, "datetime": ""}'):
        damaged.write_text(text)
        with pytest.raises(BadInput):
            read_runtime(damaged)


def test_case_parameters_come_back():
    for one in (case(), case("rise[masks=8]", "tensorflow", "cuda:1", precision="tf32", batch=CHUNK, size=64)):
        assert RuntimeCase.from_plain(one.plain()) == one
    with pytest.raises(BadInput, match="does not say"):
        RuntimeCase.from_plain({"method": "saliency"})


def test_pytest_benchmark_reads_the_file(tmp_path):
    pytest.importorskip("pytest_benchmark")
    path = written(tmp_path, row(case(), [0.1, 0.2, 0.3]), row(case("rise"), [0.4, 0.5, 0.6]))
    code = "from pytest_benchmark.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", str(path), "--columns=median"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "test_cost[saliency-net-torch-cpu-float32-1]" in done.stdout and "500.0000 (2.50)" in done.stdout
