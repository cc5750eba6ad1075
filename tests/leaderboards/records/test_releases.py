"""A released version of the official results never changes: what it was is written down, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import held_run

from heatmark.errors import BadInput, StorageError
from heatmark.leaderboards.publishing.publish import publish
from heatmark.leaderboards.records import official
from heatmark.leaderboards.records.packing import pack_runs
from heatmark.leaderboards.records.releases import RELEASE, check_release, release, released_on


def test_every_released_version_is_byte_for_byte_what_was_released():
    """`test_what_changes_after_a_release_is_told` shows on a made version that this can fail."""
    versions = [path.name for path in official.OFFICIAL.iterdir() if path.is_dir()]
    assert "v1" in versions
    for version in versions:
        check_release(version)


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(official, "OFFICIAL", tmp_path / "official")
    folder = tmp_path / "official" / "v3"
    for name in ("board", "published/rise"):
        run = held_run(tmp_path / Path(name).name, ["grad_cam"], ["deletion"], [np.linspace(0, 1, 8)])
        pack_runs([run], folder / name, curves=False)
    (folder / "notes.md").write_text("What was measured.\n", encoding="utf-8")
    return folder


def test_a_release_holds_the_digest_of_every_file_once(version: Path):
    assert released_on("v3") == ""
    check_release("v3")  # of what is not released nothing is asked
    told = json.loads(release("v3").read_text(encoding="utf-8"))
    files = [path for path in version.rglob("*") if path.is_file() and path.name != RELEASE]
    assert told["files"] == {
        path.relative_to(version).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    assert {"notes.md", "board/run.json", "published/rise/packed/rows.parquet"} <= set(told["files"])
    assert released_on("v3") == told["released"] and len(told["released"]) == 10
    check_release("v3")
    with pytest.raises(BadInput, match="v3 was released on"):
        release("v3")


def change(version: Path) -> str:
    path = version / "board" / "packed" / "rows.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "board/packed/rows.parquet has changed"


def add(version: Path) -> str:
    (version / "more.md").write_text("", encoding="utf-8")
    return "more.md is new"


def take(version: Path) -> str:
    (version / "notes.md").unlink()
    return "notes.md is missing"


@pytest.mark.parametrize("doing", [change, add, take])
def test_what_changes_after_a_release_is_told(version: Path, tmp_path: Path, doing):
    release("v3")
    words = doing(version)
    with pytest.raises(StorageError, match=words):
        check_release("v3")
    (tmp_path / "README.md").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="is not what was released"):
        publish(tmp_path)


def test_what_is_damaged_is_not_released(version: Path):
    change(version)
    with pytest.raises(BadInput, match="v3 cannot be released"):
        release("v3")
    assert not (version / RELEASE).exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"released": 1, "files": {}}'])
def test_a_list_of_files_that_cannot_be_read_is_said(version: Path, content: str):
    (version / RELEASE).write_text(content, encoding="utf-8")
    with pytest.raises(StorageError, match=RELEASE):
        check_release("v3")
