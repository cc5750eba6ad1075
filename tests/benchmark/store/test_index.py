"""The index beside many cells: it changes nothing but the time, and nothing in it is trusted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import provenance, rows, specification

from heatmark.benchmark.status import status
from heatmark.benchmark.store import loose
from heatmark.benchmark.store.cell import CellSpec, with_keys
from heatmark.benchmark.store.folder import RunStore
from heatmark.errors import Damaged, StorageError
from heatmark.identity import digest

CELLS = 70
LONG_AGO = 1_000_000_000


def specs() -> list[CellSpec]:
    return [specification(f"m{number}", last=3) for number in range(CELLS)]


def write(store: RunStore, spec: CellSpec, score: float) -> Path:
    store.write(spec, rows(spec, np.full((2, 3), score)), provenance(spec))
    path = store.path / "cells" / f"{spec.key}.parquet"
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = RunStore.prepared(tmp_path_factory.mktemp("made") / "run")
    store.begin({"name": "made", "suite": {}}, specs())
    for number, spec in enumerate(specs()):
        write(store, spec, number / 100)
    return store.path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> RunStore:
    return RunStore(shutil.copytree(made, tmp_path / "run"))


def read(path: Path) -> tuple[pd.DataFrame, str]:
    cells = RunStore(path).cells()
    text = repr([(one.key, one.spec, one.provenance, one.curves(), one.maps().to_dict()) for one in cells])
    return pd.concat([one.table for one in cells], ignore_index=True), text


def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    real = loose.read_table

    def counting(path, *more):
        found.append(path.stem)
        return real(path, *more)

    monkeypatch.setattr(loose, "read_table", counting)
    return found


def test_keys_worked_out_together_are_the_keys() -> None:
    for spec in with_keys([*specs(), specification("é<b>", metrics=("a", "b"))]):
        assert spec.key == digest(spec.plain())


def test_it_is_written_once_and_changes_nothing(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = opened_files(monkeypatch)
    first = read(store.path)
    assert (store.path / "index" / "index.json").is_file() and len(opened) == CELLS
    second = read(store.path)
    assert len(opened) == CELLS  # none was opened again
    shutil.rmtree(store.path / "index")
    third = read(store.path)
    for other in (second, third):
        pd.testing.assert_frame_equal(other[0], first[0])
        assert other[1] == first[1]
    assert status(store.path).rows[0].done == CELLS
    assert store.verify() == []


def test_a_changed_cell_is_read_anew(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    read(store.path)
    opened = opened_files(monkeypatch)
    changed = write(store, specs()[5], 0.99)
    os.utime(changed, (LONG_AGO + 1, LONG_AGO + 1))
    assert read(store.path)[0]["score:deletion"].iloc[15:18].tolist() == [0.99] * 3
    assert set(opened) == {changed.stem}


@pytest.mark.parametrize("damage", ["gone", "cut", "tampered", "foreign"])
def test_a_damaged_cell_is_noticed_and_named(store: RunStore, damage: str) -> None:
    read(store.path)
    path = store.path / "cells" / f"{specs()[7].key}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:500], "tampered": content, "foreign": b"PK\x03\x04 a letter"}[damage])
    if damage == "gone":
        assert len(RunStore(store.path).cells()) == CELLS - 1
        return
    assert path.name in store.verify()[0] and path.exists()
    with pytest.warns(Damaged, match=rf"{path.name} is damaged.*moved to {path.name}\.corrupt.*counts as missing"):
        assert len(RunStore(store.path).cells()) == CELLS - 1
    assert status(store.path).rows[0].missing == 1


def test_damage_that_keeps_size_and_time_is_found_by_verify(store: RunStore) -> None:
    read(store.path)
    path = store.path / "cells" / f"{specs()[7].key}.parquet"
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(RunStore(store.path).cells()) == CELLS
    (words,) = store.verify()
    assert path.name in words


@pytest.mark.parametrize("name", ["cells.parquet", "rows.parquet", "curves.parquet", "index.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_index_changes_nothing(store: RunStore, name: str, damage: str) -> None:
    first = read(store.path)
    path = store.path / "index" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[: 100 if damage == "cut" else None])
    second = read(store.path)
    pd.testing.assert_frame_equal(second[0], first[0])
    assert second[1] == first[1]


def test_a_folder_that_may_only_be_read_is_read_without_it(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(store.path)[0]
    shutil.rmtree(store.path / "index")

    def refused(*words: object, **more: object) -> None:
        raise StorageError("read-only")

    monkeypatch.setattr(loose, "write_packed", refused)
    pd.testing.assert_frame_equal(read(store.path)[0], expected)
    assert not (store.path / "index").exists()


def test_cells_that_have_just_been_written_are_not_indexed(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.path / "cells" / f"{specs()[0].key}.parquet"
    os.utime(path)
    read(store.path)
    opened = opened_files(monkeypatch)
    read(store.path)
    assert set(opened) == {path.stem}
