"""Runs on a tiny network: cells, resume, failures, crashes, Ctrl-C, shards, and the user's own model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_runs import METRICS, PLUGIN, Start

from heatmark.benchmark.run import run
from heatmark.benchmark.status import status
from heatmark.benchmark.store.cell import SCHEMA, CellSpec
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.outcomes import Failed
from heatmark.benchmark.store.ownership import Work, owned, owners_of
from heatmark.errors import BadInput, HeatmarkError, Interrupted, MissingExtra, StorageError, UnknownName

pytest.importorskip("torch")


def calls(folder: Path) -> list[str]:
    """Return the shade of every batch that the counted method explained."""
    path = folder / "calls"
    return path.read_text().split() if path.exists() else []


def scores(path: Path) -> pd.DataFrame:
    """Return all rows of a run without times, in a fixed order."""
    frames = [
        cell.table.assign(method=cell.spec.method, **pd.DataFrame(cell.curves())).merge(cell.maps(), how="left")
        for cell in RunStore(path).cells()
    ]
    rows = pd.concat(frames).drop(columns=["explain_seconds", "score_seconds"])
    return rows.sort_values(["method", "index"]).reset_index(drop=True)


def assert_same_scores(first: pd.DataFrame, second: pd.DataFrame) -> None:
    plain = [name for name in first.columns if first[name].dtype != object]
    pd.testing.assert_frame_equal(first[plain], second[plain], check_exact=True)
    for name in ("band_logit", "map"):
        for one, other in zip(first[name], second[name], strict=True):
            assert np.array_equal(one, other) or (np.ndim(one) == np.ndim(other) == 0 and pd.isna([one, other]).all())


def test_a_cell_holds_what_the_contract_says(start: Start) -> None:
    result = start("counted,random", limit=4)
    assert result.finished == result.expected == 2 and result.complete and not result.failures
    cell = result.store.cells()[0]
    rows = cell.table
    assert rows["sample"].tolist() == [f"picture/{i}" for i in range(4)]
    assert rows["label"].tolist() == [0, 1, 2, 0]
    assert rows["target"].equals(rows["predicted"])
    assert np.isfinite(rows[["score:deletion[steps=4]", "score:average_drop", "label_log_probability"]]).all(axis=None)
    assert (rows["explain_seconds"] > 0).all() and (rows["score_seconds"] > 0).all()
    assert cell.maps()["map_shape"][0].tolist() == [8, 8] and len(cell.maps()["map"][0]) == 64
    curves = cell.curves()[0]
    lengths = {len(curves[name]) for name in ("band_fill", "band_low", "band_high", "band_logit", "band_probability")}
    assert len(lengths) == 1 and lengths.pop() >= 4
    provenance = cell.provenance
    assert provenance["passes_explain"] == {"forward": 0, "backward": 0}
    assert provenance["passes_score"]["forward"] >= 4 * 4 and provenance["passes_score"]["backward"] == 0
    assert provenance["bare_forward_seconds"] > 0 and provenance["peak_memory_bytes"] > 1e6
    assert provenance["versions"]["torch"] and provenance["started"] <= provenance["finished"]
    assert result.store.thumbnail(cell.spec.task, "picture/0").is_file()
    assert result.store.run["suite"]["limit"] == 4 and result.store.run["schema"] == SCHEMA


def test_the_label_can_be_explained_instead(start: Start) -> None:
    result = start(target="label")
    (cell,) = result.store.cells()
    assert cell.table["target"].equals(cell.table["label"]) and cell.spec.target == "label"
    with pytest.raises(UnknownName, match="predicted"):
        start(target="truth")


def test_scores_do_not_depend_on_batches_cells_or_engine(start: Start, tmp_path: Path) -> None:
    suite = tmp_path / "small.toml"
    suite.write_text(
        'models = ["tiny"]\ndata = ["tiny-pictures"]\nmethods = ["counted", "rise[masks=5]"]\n'
        f"metrics = {json.dumps(METRICS.split(','))}\nframeworks = ['torch']\nbatch_size = 1\ncell_samples = 2\n"
    )
    whole = start("counted,rise[masks=5]")
    cut = run(suite, device="cpu", engine="processes", out=tmp_path / "cut", plugins=[PLUGIN], progress=False)
    assert (whole.finished, cut.finished) == (2, 6)
    first, second = scores(whole.path), scores(cut.path)
    names = ["score:deletion[steps=4]", "score:average_drop", "target_logit", "label_log_probability"]
    np.testing.assert_allclose(first[names], second[names], rtol=1e-4, atol=1e-5)
    assert first[["sample", "target", "method"]].equals(second[["sample", "target", "method"]])


def test_a_second_run_does_only_what_is_missing(start: Start, tiny_folder: Path) -> None:
    first = start("counted[shade=1|2]")
    before = scores(first.path)
    assert calls(tiny_folder) == ["1", "2"]
    created = (first.path / "run.json").stat().st_mtime_ns
    again = start("counted[shade=1|2]")
    assert (first.path / "run.json").stat().st_mtime_ns == created  # the same run, so it keeps its date
    assert (again.finished, again.cached) == (2, 2) and calls(tiny_folder) == ["1", "2"]
    assert_same_scores(before, scores(again.path))
    (first.path / "cells" / f"{first.store.expected[1].key}.parquet").write_bytes(b"PAR1")
    more = start("counted[shade=1|2|3]", add=True)
    assert (more.finished, more.cached) == (3, 1) and calls(tiny_folder) == ["1", "2", "2", "3"]
    assert len(list((first.path / "cells").glob("*.corrupt"))) == 1


def test_another_order_of_metrics_is_the_same_cell(start: Start, tiny_folder: Path) -> None:
    start("counted")
    assert start("counted", metrics=",".join(reversed(METRICS.split(",")))).cached == 1
    assert start("counted", metrics="deletion[steps=4]", force=True).cached == 0
    assert start("counted", seed=1, force=True).cached == 0
    assert len(calls(tiny_folder)) == 3


def test_failures_are_recorded_and_tried_again(start: Start, tiny_folder: Path) -> None:
    (tiny_folder / "broken").touch()
    result = start("breaking,counted")
    (failure,) = result.failures
    assert failure.error == "ValueError: broken on purpose"
    assert "tiny_plugin.py" in failure.traceback and failure.spec.method == "breaking"
    assert (result.finished, result.complete) == (1, False) and "1 failed" in result.summary
    assert start("breaking,counted").failures
    (tiny_folder / "broken").unlink()
    repaired = start("breaking,counted")
    assert repaired.complete and not repaired.failures and repaired.cached == 1
    assert len(calls(tiny_folder)) == 1
    assert list((result.path / "failures").iterdir()) == []


def test_methods_without_a_meaning_are_listed_with_the_reason(start: Start) -> None:
    result = start("rectified,grad_cam,counted")
    reasons = {item.method: item.reason for item in result.store.not_applicable()}
    assert set(reasons) == {"rectified", "grad_cam"}
    assert "ReLU" in reasons["rectified"] and "layer" in reasons["grad_cam"]
    assert result.complete and not result.failures and result.not_applicable == 2
    assert start("rectified,grad_cam,counted").cached == 1
    (row,) = status(result.path).rows
    assert (row.done, row.failed, row.missing, row.not_applicable, row.total) == (1, 0, 0, 2, 3)


def test_a_crash_of_the_worker_costs_one_cell(start: Start, tiny_folder: Path) -> None:
    (tiny_folder / "crash").touch()
    result = start("counted[shade=1],crashing,counted[shade=2]", engine="processes")
    (failure,) = result.failures
    assert failure.spec.method == "crashing"
    assert "torch worker process died" in failure.error and "SIGKILL" in failure.error
    assert result.finished == 2 and calls(tiny_folder) == ["1", "2"]


def test_a_run_that_is_killed_goes_on_where_it_was(start: Start, tiny_folder: Path, tmp_path: Path) -> None:
    methods = "counted[shade=1|2|3,pause=0.4]"
    command = [sys.executable, "-m", "heatmark", "run", "--models", "tiny", "--data", "tiny-pictures"]
    command += ["--methods", methods, "--metrics", METRICS, "--frameworks", "torch", "--device", "cpu"]
    command += ["--out", "run", "--plugin", PLUGIN]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    cells = tmp_path / "run" / "cells"
    until = time.monotonic() + 60
    while not list(cells.glob("*.parquet")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = len(list(cells.glob("*.parquet")))
    assert 1 <= done < 3
    found = status(tmp_path / "run")
    assert not found.complete and found.rows[0].missing == 3 - done

    resumed = start(methods)
    assert (resumed.finished, resumed.cached) == (3, done)
    undisturbed = start(methods, out=tmp_path / "other")
    assert_same_scores(scores(resumed.path), scores(undisturbed.path))
    assert not [path for path in cells.iterdir() if path.suffix != ".parquet"]


def test_workers_end_with_a_killed_parent(tiny_folder: Path) -> None:
    code = (
        "from heatmark.benchmark.run import run\n"
        "run('quick', models='tiny', data='tiny-pictures', methods='counted[pause=60]', frameworks='torch',\n"
        f"    device='cpu', out='run', plugins=[{PLUGIN!r}], progress=False)\n"  # unguarded, as in a notebook
    )
    import psutil

    parent = psutil.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 60
    workers: list[psutil.Process] = []
    while not workers:
        assert parent.poll() is None and time.monotonic() < until
        workers = [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]
        time.sleep(0.05)
    parent.kill()
    gone, alive = psutil.wait_procs(workers, timeout=30)
    assert gone and not alive


def test_ctrl_c_keeps_finished_cells_and_prints_the_command(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark.work.worker import Worker

    once = Worker.run

    def stop_at_the_second(self: Worker, job: Any, report: Any) -> Any:
        if "shade=2" in job.spec.method:
            raise KeyboardInterrupt
        return once(self, job, report)

    monkeypatch.setattr(Worker, "run", stop_at_the_second)
    with pytest.raises(Interrupted) as caught:
        start("counted[shade=1|2]", limit=3)
    message = str(caught.value)
    assert "1 finished cell is kept" in message
    for part in ("heatmark run quick", "--models tiny", "--methods 'counted[shade=1|2]'", "--limit 3", "--plugin"):
        assert part in message
    monkeypatch.undo()
    os.environ["TINY_FOLDER"] = str(Path.cwd() / "tiny")
    assert start("counted[shade=1|2]", limit=3).cached == 1


def test_shards_do_all_cells_once(start: Start, tiny_folder: Path) -> None:
    methods = "counted[shade=1|2|3]"
    parts = [start(methods, shard=f"{number}/2") for number in (1, 2)]
    assert [part.finished for part in parts] == [2, 3]
    assert sorted(calls(tiny_folder)) == ["1", "2", "3"]
    assert start(methods).cached == 3


def test_a_shard_answers_for_its_own_cells(start: Start, tiny_folder: Path) -> None:
    (tiny_folder / "broken").touch()
    parts = [start("breaking,counted", shard=f"{number}/2") for number in (1, 2)]
    assert sorted(part.missing for part in parts) == [0, 1]
    whole = start("breaking,counted")
    assert (whole.missing, len(whole.failures)) == (1, 1)
    (tiny_folder / "broken").unlink()
    assert start("counted,rectified", out="other").missing == 0  # what has no meaning is not missing


def test_a_folder_in_which_another_run_is_at_work_is_refused(start: Start, tmp_path: Path) -> None:
    with owned(tmp_path / "run", Work("another", "heatmark run of another")):
        with pytest.raises(StorageError, match="heatmark run of another"):
            start()
        assert len(owners_of(tmp_path / "run")) == 1
    assert start().complete and owners_of(tmp_path / "run") == []


def test_a_folder_in_which_an_audit_is_at_work_is_refused(tmp_path: Path) -> None:
    from heatmark.benchmark.audit.measure import measure_audit
    from heatmark.benchmark.audit.plan import audit_plan

    plan = audit_plan("deletion", "series", limit=8)
    with (
        owned(tmp_path / "audit", Work("another", "another audit")),
        pytest.raises(StorageError, match="another audit"),
    ):
        measure_audit(plan, tmp_path / "audit", engine="serial", progress=False)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0"])
def test_a_bad_shard_is_refused(start: Start, shard: str) -> None:
    with pytest.raises(BadInput, match="i/n"):
        start(shard=shard)


def test_labels_may_be_the_target(start: Start, tmp_path: Path) -> None:
    suite = tmp_path / "labels.toml"
    suite.write_text(
        'models = ["tiny"]\ndata = ["tiny-pictures"]\nmethods = ["counted"]\nmetrics = ["average_drop"]\n'
        'frameworks = ["torch"]\ntarget = "label"\n'
    )
    result = run(suite, device="cpu", engine="serial", out=tmp_path / "run", plugins=[PLUGIN], progress=False)
    rows = result.store.cells()[0].table
    assert rows["target"].tolist() == [0, 1, 2, 0, 1, 2]
    np.testing.assert_allclose(np.log(rows["target_probability"]), rows["label_log_probability"], rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"methods": "countd"}, UnknownName, r"Unknown method 'countd'.*Did you mean 'counted'"),
        ({"methods": "counted[shde=1]"}, UnknownName, r"no parameter 'shde'.*'shade'"),
        ({"metrics": "deletoin"}, UnknownName, r"Did you mean 'deletion'"),
        ({"models": "tinny"}, UnknownName, r"Did you mean 'tiny'"),
        ({"data": "tiny-picture"}, UnknownName, r"tiny-pictures"),
        ({"models": "none.py:build"}, BadInput, r"no file none\.py"),
        ({"models": "file:none.keras"}, BadInput, r"no file none\.keras"),
        ({"frameworks": "pytorch"}, UnknownName, r"Unknown framework 'pytorch'"),
        ({"precision": "half"}, UnknownName, r"Unknown precision 'half'"),
        ({"engine": "serail"}, UnknownName, r"Did you mean 'serial'"),
        ({"limit": 0}, BadInput, r"limit is a whole number of at least 1"),
        ({"plugins": ["none.py"]}, UnknownName, r"no plugin file none\.py"),
        ({"plugins": ["no_such_module"]}, UnknownName, r"no module 'no_such_module'"),
    ],
)
def test_mistakes_leave_no_folder_behind(
    start: Start, tmp_path: Path, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    options = {"methods": "counted", **options, "plugins": [PLUGIN, *options.get("plugins", [])]}
    with pytest.raises(kind, match=message):
        start(**options)
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_an_error_before_any_cell(start: Start) -> None:
    with pytest.raises(HeatmarkError, match="no device 'cuda:99'"):
        start(device="cuda:99")


def test_an_unusable_folder_is_noticed_first(start: Start, tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(StorageError, match="is a file"):
        start()
    assert calls(tiny_folder) == []


def test_a_missing_framework_is_left_out_unless_it_was_asked_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark import run as run_module
    from heatmark.models import devices

    monkeypatch.setattr(devices, "installed_frameworks", lambda: ("torch",))
    monkeypatch.setattr(run_module, "installed_frameworks", lambda: ("torch",))
    result = start(frameworks=None)
    assert result.complete and result.expected == 1
    assert any("heatmark[tensorflow]" in note for note in result.notes)
    with pytest.raises(MissingExtra, match=r"heatmark\[tensorflow\]"):
        start(frameworks="torch,tensorflow")


def test_evaluate_gives_a_tidy_table(start: Start) -> None:
    from heatmark.benchmark.evaluate import evaluate
    from heatmark.models.zoo.loading import load_model

    rows = scores(start("counted").path)
    model = load_model("tiny", framework="torch", device="cpu")
    x = np.stack([np.random.default_rng(index).random((8, 8, 1), dtype=np.float32) for index in range(6)])
    table = evaluate(model, np.moveaxis(x, -1, 1), methods=["counted", "random"], metrics=METRICS, ids=list("abcdef"))
    assert list(table.columns) == ["sample", "method", "metric", "value"] and len(table) == 6 * 2 * 2
    mine = table[(table["method"] == "counted") & (table["metric"] == "average_drop")]
    assert mine["sample"].tolist() == list("abcdef")
    np.testing.assert_allclose(mine["value"], rows["score:average_drop"], rtol=1e-5, atol=1e-6)
    with pytest.raises(BadInput, match="6 samples but 1 ids"):
        evaluate(model, np.moveaxis(x, -1, 1), methods="counted", metrics=METRICS, ids=["a"])


def test_a_script_may_register_methods_and_run_them_under_a_guard(tiny_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    text = (
        "import heatmark as hm\n"
        "@hm.register_method('mine', family='own', signed=True)\n"
        "def mine(request):\n"
        "    return request.x * 1.0\n"
        "{guard}hm.run('quick', models='tiny', data='tiny-pictures', methods='mine', metrics='average_drop',\n"
        f"    frameworks='torch', device='cpu', out='run', plugins=[{PLUGIN!r}], progress=False)\n"
    )
    script.write_text(text.format(guard="if __name__ == '__main__': "))
    subprocess.run([sys.executable, script], check=True, timeout=120)
    assert status(tmp_path / "run").complete
    script.write_text(text.format(guard="").replace("'mine'", "'other'").replace("out='run'", "out='again'"))
    answer = subprocess.run([sys.executable, script], check=False, timeout=120, capture_output=True, text=True)
    assert answer.returncode != 0
    assert 'Put the call under `if __name__ == "__main__":`' in answer.stderr


def test_a_cell_is_not_done_on_another_device_than_it_was_planned_for(start: Start) -> None:
    """As when a cluster's planner sees no GPU and a worker takes one: no number may stand under the wrong device."""
    from heatmark.benchmark.work.cell import CellJob
    from heatmark.benchmark.work.samples import EVERYTHING
    from heatmark.benchmark.work.worker import Worker

    (spec,) = start("counted").store.expected
    elsewhere = CellSpec.from_plain({**spec.plain(), "device_class": "Great GPU"})
    outcome = Worker().run(CellJob(elsewhere, "cpu", 8, 0, EVERYTHING), lambda images: None)
    assert isinstance(outcome, Failed) and "is on cpu here, but the work was planned for Great GPU" in outcome.error
