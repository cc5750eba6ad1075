"""Added scores and an audit's values carry the checksum that cells have: a flipped bit changes no number unnoticed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_runs import provenance, rows, specification

from heatmark.benchmark.audit.store import AuditStore
from heatmark.benchmark.audit.units import UnitSpec, UnitValues
from heatmark.benchmark.store.folder import RunStore
from heatmark.errors import Damaged, StorageError

FLIPS = 150


def added(folder: Path) -> tuple[Path, Callable[[], object]]:
    """Write added scores; return their file, and how they are read."""
    store = RunStore.prepared(folder / "run")
    spec = specification("m0")
    store.begin({"name": "made", "suite": {}}, [spec])
    store.write(spec, rows(spec, np.full((2, 12), 0.5)), provenance(spec))
    values = {spec.key: [0.25 * number for number in range(12)], "f" * 64: [float("nan"), 1.0]}
    store.write_scores("morf[steps=4]", {"name": "morf", "protocol": {"steps": 4}}, values)
    (path,) = (store.path / "scores").iterdir()

    def read() -> object:
        found = RunStore(store.path).added_scores()
        return [(one.metric, dict(one.identity), repr(dict(one.values))) for one in found] or None

    return path, read


def audited(folder: Path) -> tuple[Path, Callable[[], object]]:
    """Write the values of an audit; return their file, and how they are read."""
    store = AuditStore(folder / "audit")
    spec = UnitSpec(
        model="net", model_weights="w", dataset="data", dataset_revision="1", method="saliency",
        method_identity={"name": "saliency"}, framework="torch", role="method",
    )  # fmt: skip
    scores = np.arange(12.0).reshape(4, 3) / 7
    store.write_finished(spec, UnitValues(("a", "b", "c"), np.array([True, False, True]), {"k": scores}))
    (path,) = (store.path / "values").iterdir()

    def read() -> object:
        found = store.read(spec)
        return None if found is None else (found.samples, found.right.tolist(), found.values["k"].tolist())

    return path, read


@pytest.mark.parametrize("made", [added, audited])
def test_flipped_bits_never_change_a_number_unnoticed(
    tmp_path: Path, made: Callable[[Path], tuple[Path, Callable[[], object]]]
) -> None:
    path, read = made(tmp_path)
    whole, right = path.read_bytes(), read()
    assert right is not None
    chance, noticed = np.random.default_rng(0), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Damaged)
        for place in chance.integers(0, len(whole), FLIPS):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(chance.integers(8))
            path.write_bytes(damaged)
            found = read()
            assert found in (right, None), place
            noticed += found is None
    assert noticed > FLIPS / 3


def test_verify_reads_added_scores_and_changes_nothing(tmp_path: Path) -> None:
    path, read = added(tmp_path)
    store = RunStore(tmp_path / "run")
    assert store.verify() == []
    table = pq.read_table(path)
    column = table.column_names.index("values")
    other = [[0.0] * len(row) for row in table["values"].to_pylist()]
    pq.write_table(table.set_column(column, table.schema.field(column), [other]), path)
    (words,) = store.verify()
    assert str(path) in words and "not what was written" in words and path.exists()
    with pytest.raises(StorageError):
        store.added_scores(strict=True)
    with pytest.warns(Damaged):
        assert read() is None


def test_scores_that_were_added_before_there_were_checksums_are_read(tmp_path: Path) -> None:
    path, read = added(tmp_path)
    right = read()
    table = pq.read_table(path)
    metadata = table.schema.metadata[b"heatmark"]
    bare = metadata.replace(b'"checksum"', b'"earlier"')
    assert bare != metadata
    pq.write_table(table.replace_schema_metadata({b"heatmark": bare}), path)
    assert read() == right
