"""The results folder and the keys of cells."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmark.benchmark.store import keyed as keyed_store
from heatmark.benchmark.store.cell import SCHEMA, CellSpec, Task, rows_schema, slug
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.outcomes import Failed, NotMeant
from heatmark.errors import BadInput, StorageError

BASE: dict[str, Any] = {
    "model": "m",
    "model_weights": "w",
    "dataset": "d",
    "dataset_revision": "r",
    "first": 0,
    "last": 2,
    "method": "gradient[steps=2]",
    "method_identity": {"name": "gradient", "parameters": {"steps": 2, "baseline": "black"}},
    "metrics": ("deletion",),
    "metric_identities": ({"name": "deletion", "protocol": {"unit": "pixel", "steps": 8}},),
    "framework": "torch",
    "precision": "float32",
    "device_class": "cpu",
    "seed": 0,
    "target": "predicted",
    "schema": SCHEMA,
}
CHANGES: dict[str, Any] = {
    "first": 1,
    "last": 3,
    "method_identity": {"name": "gradient", "parameters": {"steps": 3, "baseline": "black"}},
    "metrics": ("deletion", "insertion"),
    "metric_identities": ({"name": "deletion", "protocol": {"unit": "pixel", "steps": 9}},),
    "seed": 1,
    "schema": SCHEMA + 1,
}


def spec(**changes: Any) -> CellSpec:
    return CellSpec(**{**BASE, **changes})


def rows(count: int = 2) -> pa.Table:
    row = dict.fromkeys(rows_schema(["deletion"]).names) | {"score:deletion": 0.25, "label": -1}
    return pa.Table.from_pylist(
        [{**row, "sample": f"s/{i}", "index": i} for i in range(count)], schema=rows_schema(["deletion"])
    )


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    made = RunStore.prepared(tmp_path / "run")
    made.begin({"name": "test", "suite": {}}, [spec(), spec(seed=1)])
    return made


def reversed_keys(value: Any) -> Any:
    """Return the value with the keys of all dictionaries in the reverse order."""
    return {k: reversed_keys(v) for k, v in reversed(value.items())} if isinstance(value, dict) else value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(identity=st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_key_does_not_depend_on_the_order_of_dictionaries(identity: dict[str, Any]) -> None:
    one, other = spec(method_identity=identity), spec(method_identity=reversed_keys(identity))
    assert one.key == other.key
    assert len(one.key) == 64


@given(identity=st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_a_specification_survives_json(identity: dict[str, Any]) -> None:
    there = spec(method_identity=identity)
    back = CellSpec.from_plain(json.loads(json.dumps(there.plain())))
    assert back.key == there.key


@given(name=st.sampled_from(sorted(set(BASE) - set(CHANGES))), text=st.text(min_size=1))
def test_key_depends_on_every_text(name: str, text: str) -> None:
    assert (spec(**{name: text}).key == spec().key) == (text == BASE[name])


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_key_depends_on_every_number_and_definition(name: str) -> None:
    assert spec(**{name: CHANGES[name]}).key != spec().key


def test_every_field_of_a_specification_is_covered_by_these_tests() -> None:
    assert set(spec().plain()) == set(BASE)


def test_a_specification_with_other_fields_is_refused() -> None:
    with pytest.raises(BadInput, match="colour"):
        CellSpec.from_plain({**spec().plain(), "colour": 1})


@given(first=st.text(), second=st.text())
def test_slugs_are_safe_file_names_and_distinct(first: str, second: str) -> None:
    name = slug(first)
    assert name and "/" not in name and not name.startswith(".") and len(name) < 100
    assert (name == slug(second)) == (first == second)


def test_a_cell_is_read_as_it_was_written(store: RunStore) -> None:
    table = rows().set_column(
        rows().schema.get_field_index("map"), "map", pa.array([[0.5, 1.0], None], pa.list_(pa.float32()))
    )
    store.write(spec(), table, {"chunks": {"forward": 8}})
    (cell,) = store.cells()
    assert cell.key == spec().key and cell.spec == spec()
    assert cell.provenance == {"chunks": {"forward": 8}}
    assert cell.table["sample"].tolist() == ["s/0", "s/1"]
    assert cell.table["score:deletion"].tolist() == [0.25, 0.25]
    maps = cell.maps()
    assert maps["sample"].tolist() == ["s/0"] and maps["map"][0].tolist() == [0.5, 1.0]
    assert "map" not in cell.table and [row["band_logit"] for row in cell.curves()] == [None, None]
    assert store.cell(spec().key) is not None and store.cell(spec(seed=1).key) is None
    assert [item.key for item in store.expected] == [spec().key, spec(seed=1).key]


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_damaged_cell_is_set_aside_and_missing(store: RunStore, damage: str) -> None:
    store.write(spec(), rows(500), {})
    path = store.path / "cells" / f"{spec().key}.parquet"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    path.write_bytes(content)
    if damage == "other":
        store.write(spec(seed=1), rows(), {})
        shutil.copy(store.path / "cells" / f"{spec(seed=1).key}.parquet", path)
    assert store.cell(spec().key) is None
    assert not path.exists() and path.with_name(path.name + ".corrupt").exists()
    store.write(spec(), rows(), {})
    assert store.cell(spec().key) is not None


def test_flipped_bits_never_change_a_number_unnoticed(store: RunStore) -> None:
    store.write(spec(), rows(50), {})
    path = store.path / "cells" / f"{spec().key}.parquet"
    content = path.read_bytes()
    written = store.cells()[0].table
    noticed = 0
    for place in range(5, len(content), len(content) // 400):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        cell = store.cell(spec().key)
        noticed += cell is None
        assert cell is None or cell.table.equals(written)
    assert noticed > 50


def test_failures_are_kept_until_the_cell_succeeds(store: RunStore) -> None:
    store.keep(spec(), Failed("ValueError: no", "Traceback ..."))
    (failure,) = store.failures()
    assert (failure.key, failure.error, failure.traceback) == (spec().key, "ValueError: no", "Traceback ...")
    assert store.cell(spec().key) is None
    store.write(spec(), rows(), {})
    assert store.failures() == []


def test_reasons_are_listed_once_per_method_and_framework(store: RunStore) -> None:
    store.keep(spec(), NotMeant("no ReLU"))
    store.keep(spec(seed=1), NotMeant("no ReLU"))
    (skipped,) = store.not_applicable()
    assert skipped == (Task("m", "d"), "gradient[steps=2]", "torch", "no ReLU")
    assert store.reasons() == {spec().key: "no ReLU", spec(seed=1).key: "no ReLU"}


def test_cells_of_an_earlier_plan_stay_but_are_not_returned(store: RunStore) -> None:
    store.write(spec(), rows(), {})
    store.begin({"name": "test", "suite": {}}, [spec(last=3)])
    assert store.cells() == []
    assert store.cell(spec().key) is not None


def test_thumbnails_are_written_once(store: RunStore) -> None:
    picture = np.full((4, 4, 3), 7, np.uint8)
    store.write_thumbnail(spec().task, "a/b.jpg", picture)
    store.write_thumbnail(spec().task, "a/b.jpg", picture * 0)
    from PIL import Image

    assert np.array_equal(np.asarray(Image.open(store.thumbnail(spec().task, "a/b.jpg"))), picture)


def test_a_folder_of_another_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema": SCHEMA + 1, "version": "9.9"}))
    for opened in (RunStore, RunStore.prepared):
        with pytest.raises(StorageError, match=rf"schema {SCHEMA + 1}.*reads and writes schema {SCHEMA}.*--out.*9\.9"):
            opened(tmp_path)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StorageError, match=r"thesis\.tex"):
        RunStore.prepared(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="is a file"):
        RunStore.prepared(tmp_path / "taken")
    with pytest.raises(StorageError, match="Cannot make the folder"):
        RunStore.prepared(tmp_path / "taken" / "deeper")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no run"):
        RunStore(tmp_path)


@pytest.mark.parametrize("number", [28, 30])  # ENOSPC, EROFS
def test_a_full_or_read_only_folder_is_noticed_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(self: Path, data: bytes) -> int:
        import os

        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refused)
    with pytest.raises(StorageError, match=r"No space left|Read-only"):
        RunStore.prepared(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_damaged_run_file_is_made_anew_and_cells_are_kept(store: RunStore) -> None:
    store.write(spec(), rows(), {})
    (store.path / "run.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        RunStore(store.path)
    again = RunStore.prepared(store.path)
    again.begin({"name": "test", "suite": {}}, [spec()])
    assert len(again.cells()) == 1
    assert (store.path / "run.json.corrupt").exists()


def test_an_interrupted_write_leaves_nothing(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(table: pa.Table, where: Path, **options: Any) -> None:
        Path(where).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keyed_store.pq, "write_table", stopped)
    with pytest.raises(KeyboardInterrupt):
        store.write(spec(), rows(), {})
    assert list((store.path / "cells").iterdir()) == []
