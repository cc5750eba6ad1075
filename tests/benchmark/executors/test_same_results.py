"""One suite by every executor: the same bytes, whoever does the cells."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from tiny_runs import METRICS, PLUGIN

from heatmark.benchmark.executors.engine import Engine, slurm_options
from heatmark.benchmark.executors.processes import ProcessExecutor
from heatmark.benchmark.merge import merge_runs
from heatmark.benchmark.run import run
from heatmark.benchmark.setting.plugins import load_plugins
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.work.messages import Advanced, Ended, NamedModel, Started
from heatmark.benchmark.work.worker import DescribeJob
from heatmark.datasets.registry import load_dataset
from heatmark.errors import BadInput, MissingExtra, UnknownName

METHODS = "counted,random,rise[masks=5],smoothgrad[samples=3],breaking"
TIMES = {"explain_seconds", "score_seconds"}
FACTS = (
    "passes_explain",
    "passes_score",
    "metrics_not_applicable",
    "labels_known",
    "skipped",
    "class_names",
    "classes",
)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Two ranges of samples, so that there are ten cells."""
    path = tmp_path / "small.toml"
    path.write_text(
        f'models = ["tiny"]\ndata = ["tiny-pictures"]\nmethods = {json.dumps(METHODS.split(","))}\n'
        f'metrics = {json.dumps(METRICS.split(","))}\nframeworks = ["torch"]\nbatch_size = 3\ncell_samples = 3\n'
    )
    return path


def content(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Every cell's rows as Arrow's bytes, without times, and what its provenance says of how, beside pictures."""
    found = {}
    store = RunStore(folder)
    for spec in store.expected:
        opened = store.opened(spec.key)
        assert opened is not None
        rows = opened.rows.drop_columns(sorted(TIMES)).replace_schema_metadata(None)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows.combine_chunks())
        facts = json.dumps({name: opened.provenance[name] for name in FACTS}, sort_keys=True)
        found[spec.key] = sink.getvalue().to_pybytes(), facts
    pictures = sorted((folder / "thumbnails").rglob("*.png"))
    return found | {path.name: (path.read_bytes(), "") for path in pictures}


def begun(suite: Path, out: Path, **options: Any) -> Path:
    result = run(suite, device="cpu", out=out, plugins=[PLUGIN], progress=False, **options)
    assert not result.failures
    return result.path


def test_every_executor_gives_the_same_bytes(suite: Path, tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    serial = content(begun(suite, tmp_path / "serial", engine="serial"))
    assert len(serial) == 10 + 6
    assert content(begun(suite, tmp_path / "processes", engine=Engine("processes", workers=2))) == serial
    assert content(begun(suite, tmp_path / "dask", engine=Engine("dask", workers=2))) == serial
    for number in range(1, 5):
        begun(suite, tmp_path / "shards", engine="serial", shard=f"{number}/4")
    assert content(tmp_path / "shards") == serial


def test_shards_in_folders_of_their_own_are_merged_to_the_same_bytes(
    suite: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    serial = content(begun(suite, tmp_path / "serial", engine="serial"))
    parts = [begun(suite, tmp_path / f"part-{number}", engine="serial", shard=f"{number}/4") for number in range(1, 5)]
    sizes = [sum(RunStore(part).has(spec.key) for spec in RunStore(part).expected) for part in parts]
    assert sum(sizes) == 10 and min(sizes) >= 1
    merged = merge_runs(parts, tmp_path / "merged")
    assert merged.states["done"] == 10 and merged.twice == 0
    assert content(tmp_path / "merged") == serial


def test_shards_do_not_overlap_when_much_is_done_already(suite: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """A job that starts late must not count other cells as its own."""
    folder = begun(suite, tmp_path / "run", engine="serial", shard="1/3")
    first = {spec.key for spec in RunStore(folder).expected if RunStore(folder).has(spec.key)}
    begun(suite, folder, engine="serial", shard="2/3")
    second = {spec.key for spec in RunStore(folder).expected if RunStore(folder).has(spec.key)} - first
    alone = begun(suite, tmp_path / "alone", engine="serial", shard="2/3")
    assert second == {spec.key for spec in RunStore(alone).expected if RunStore(alone).has(spec.key)}


def test_two_workers_of_one_framework_begin_at_the_same_time(tiny_folder: Path) -> None:
    jobs = [DescribeJob(NamedModel("tiny", "torch", "cpu", examined=examined)) for examined in (True, False)]
    with closing(ProcessExecutor(("torch",), [PLUGIN], on_cpu=True, workers=2)) as executor:
        events = [event for event in executor.execute(jobs) if not isinstance(event, Advanced)]
        assert [type(event) for event in events] == [Started, Started, Ended, Ended]
        assert len({worker.connection for worker in executor._workers}) == 2
    weights = {event.outcome.value.weights for event in events[2:]}
    assert len(weights) == 1


def test_a_further_worker_is_not_started_for_a_moment(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark.executors import processes

    monkeypatch.setattr(processes, "suitable_workers", lambda frameworks, most: 2)
    monkeypatch.setattr(processes, "FURTHER_SECONDS", 1e6)
    job = DescribeJob(NamedModel("tiny", "torch", "cpu"))
    with closing(ProcessExecutor(("torch",), [PLUGIN], on_cpu=True)) as executor:
        assert executor.side_by_side and len(executor._workers) == 2
        assert sum(isinstance(event, Ended) for event in executor.execute([job] * 3)) == 3
        assert [worker.connection is None for worker in executor._workers] == [False, True]
        monkeypatch.setattr(processes, "FURTHER_SECONDS", 0.0)
        assert sum(isinstance(event, Ended) for event in executor.execute([job] * 3)) == 3
        assert [worker.connection is None for worker in executor._workers] == [False, False]


def test_workers_are_bounded_by_cores_memory_and_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark.executors import suitable

    monkeypatch.setattr(suitable, "usable_cores", lambda: 16)
    monkeypatch.setattr(suitable.psutil, "virtual_memory", lambda: SimpleNamespace(available=21 * 2**30))
    assert suitable.suitable_workers(1) == 10  # 21 GiB hold ten of 2 GiB
    assert suitable.suitable_workers(2) == 5
    assert suitable.suitable_workers(1, most=3) == 3
    monkeypatch.setattr(suitable, "usable_cores", lambda: 2)
    assert suitable.suitable_workers(2) == 1 and suitable.suitable_workers(1) == 2
    monkeypatch.setattr(suitable.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**20))
    assert suitable.suitable_workers(1) == 1


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"name": "dusk"}, UnknownName, "Did you mean 'dask'"),
        ({"name": "serial", "workers": 2}, BadInput, "works in this process"),
        ({"workers": 0}, BadInput, "at least 1"),
        ({"scheduler": "tcp://node:8786"}, BadInput, "--engine dask"),
        ({"name": "dask", "scheduler": "tcp://node:8786", "workers": 3}, BadInput, "leave out the number"),
        ({"slurm": {"partition": "gpu"}}, BadInput, "--engine slurm"),
    ],
)
def test_what_an_engine_has_not_is_refused(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Engine(**options)


def test_an_engine_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark.executors import engine

    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"heatmark\[distributed\]"):
        Engine("dask")
    with pytest.raises(MissingExtra, match=r"heatmark\[slurm\]"):
        Engine("slurm")


def test_what_is_asked_of_slurm_is_read():
    assert slurm_options("partition=gpu, timeout_min=90") == {"partition": "gpu", "timeout_min": 90}
    assert slurm_options(None) == {}
    with pytest.raises(BadInput, match="name=value"):
        slurm_options("partition")


def test_a_shard_reads_only_the_samples_of_its_cells(
    suite: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Besides those that the network is examined with, the first and the one in the middle."""
    load_plugins([PLUGIN])
    kind = type(load_dataset("tiny-pictures"))
    read: set[int] = set()
    usual = kind.sample
    monkeypatch.setattr(kind, "sample", lambda self, index: (read.add(index), usual(self, index))[1])
    folder = begun(suite, tmp_path / "run", engine="serial", shard="1/10")
    store = RunStore(folder)
    (mine,) = [spec for spec in store.expected if store.has(spec.key)]
    assert read == {*range(mine.first, mine.last), 0, 3}
