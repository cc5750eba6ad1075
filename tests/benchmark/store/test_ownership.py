"""Two works do not meet in a folder, shares of one do, and what killed processes left is taken over."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from heatmark.benchmark.store import ownership
from heatmark.benchmark.store.keyed import write_json
from heatmark.benchmark.store.ownership import FOLDER, SILENT_SECONDS, Work, owned, owners_of
from heatmark.errors import StorageError
from heatmark.owners import Owner
from heatmark.storage import FORGOTTEN_SECONDS, cache_folder, swept, written_whole

ONE = Work("1", "heatmark run one")
OTHER = Work("2", "heatmark run other")


@contextmanager
def somebody(folder: Path, work: Work, owner: Owner | None = None) -> Iterator[Path]:
    """Leave the file of another process in a folder, by default of one that lives, a child of this one."""
    if owner is None:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        owner = replace(Owner.here(), pid=process.pid, start=_started(process.pid))
    else:
        process = None
    path = folder / FOLDER / f"{owner.text}-00000000.json"
    record = {"digest": work.digest, "part": work.part, "work": work.words, "pid": owner.pid, "host": "far"}
    write_json(path, record)
    try:
        yield path
    finally:
        if process is not None:
            process.kill()
            process.wait()


def _started(pid: int) -> int:
    from heatmark.owners import _start

    found = _start(pid)
    assert found is not None
    return found


def left(folder: Path) -> list[Path]:
    return list((folder / FOLDER).glob("*.json"))


def test_another_work_is_refused_with_words_and_goes_on_when_the_first_is_killed(tmp_path: Path) -> None:
    with somebody(tmp_path, OTHER) as path:
        with pytest.raises(StorageError) as caught, owned(tmp_path, ONE):
            pass
        there = Owner.parsed(path.stem[:-9])
        assert there is not None
        for part in (f"process {there.pid}", "heatmark run other", "another folder", "--out"):
            assert part in str(caught.value)
        assert "cannot be asked" not in str(caught.value)
        assert left(tmp_path) == [path]  # nothing of the one that was refused, nothing taken from the other
        assert len(owners_of(tmp_path)) == 1
    assert path.exists() and owners_of(tmp_path) == []
    with owned(tmp_path, ONE):
        assert not path.exists()
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("there", "here", "together"),
    [
        ("1/2", "2/2", True),
        ("1/2", "1/2", False),
        ("", "2/2", False),
        ("2/2", "", False),
        ("", "", False),
    ],
)
def test_shares_of_one_work_go_together(tmp_path: Path, there: str, here: str, together: bool) -> None:
    with somebody(tmp_path, replace(ONE, part=there)) as path:
        if together:
            with owned(tmp_path, replace(ONE, part=here)):
                assert len(left(tmp_path)) == 2
            assert left(tmp_path) == [path]
        else:
            with pytest.raises(StorageError, match="The same is being done"), owned(tmp_path, replace(ONE, part=here)):
                pass
        with pytest.raises(StorageError, match="Something else"), owned(tmp_path, replace(OTHER, part=here)):
            pass


def test_a_number_that_was_given_again_is_not_taken_for_the_owner(tmp_path: Path) -> None:
    me = Owner.here()
    assert me.alive and Owner.parsed(me.text) == me
    reused = replace(me, start=me.start - 1)
    assert reused.alive is False
    with somebody(tmp_path, OTHER, reused) as path, owned(tmp_path, ONE):
        assert not path.exists()


def test_a_process_that_waits_to_be_noticed_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    owner = replace(Owner.here(), pid=process.pid, start=_started(process.pid))
    assert owner.alive
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.alive is False
    process.wait()


def test_another_machine_is_believed_as_long_as_it_gives_signs_of_life(tmp_path: Path) -> None:
    far = Owner("00000000", os.getpid(), 5)
    assert far.alive is None
    with somebody(tmp_path, OTHER, far) as path:
        recent = time.time() - SILENT_SECONDS + 60
        os.utime(path, (recent, recent))
        with pytest.raises(StorageError, match=f"if you delete {path}"), owned(tmp_path, ONE):
            pass
        silent = time.time() - SILENT_SECONDS - 60
        os.utime(path, (silent, silent))
        with owned(tmp_path, ONE):
            assert not path.exists()


def test_an_owner_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "BEAT_SECONDS", 0.02)
    with owned(tmp_path, ONE):
        (mine,) = left(tmp_path)
        os.utime(mine, (5, 5))
        until = time.monotonic() + 10
        while mine.stat().st_mtime < 6:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_of_two_that_come_at_once_never_both_get_in(tmp_path: Path) -> None:
    inside: list[str] = []
    most: list[int] = []
    refused: list[StorageError] = []

    def come(name: str) -> None:
        try:
            with owned(tmp_path, Work(name, name)):
                inside.append(name)
                most.append(len(inside))
                time.sleep(0.02)
                inside.remove(name)
        except StorageError as error:
            refused.append(error)

    for turn in range(5):
        threads = [threading.Thread(target=come, args=(f"{turn} {number}",)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(most) == {1} and len(most) + len(refused) == 10


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in the way")
    with pytest.raises(StorageError, match="owners"), owned(tmp_path, ONE):
        pass


def test_what_killed_processes_left_half_written_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from heatmark.storage import written_whole\n"
        "with written_whole(pathlib.Path(sys.argv[1])) as part:\n"
        "    part.write_bytes(bytes(1000)); os._exit(9)\n"
    )
    (tmp_path / "cells").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "cells" / "KEY.parquet")], check=False)
    (killed,) = (tmp_path / "cells").iterdir()
    old, recent, hidden = (tmp_path / name for name in (".a.json.abcd.part", ".b.json.abcd.part", ".mine"))
    for path in (old, recent, hidden):
        path.touch()
    long_ago = time.time() - FORGOTTEN_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    with written_whole(tmp_path / "new") as part:
        assert swept(tmp_path) == 2
        assert part.exists()
        part.write_text("new")
    assert not killed.exists() and not old.exists() and recent.exists() and hidden.exists()
    assert (tmp_path / "new").read_text() == "new"


def test_the_cache_is_swept_where_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path))
    folder = cache_folder("weights")
    dead = replace(Owner.here(), start=1)
    killed, living = (folder / f".net.safetensors.abc.{one.text}.part" for one in (dead, Owner.here()))
    for path in (killed, living, folder / "net.safetensors"):
        path.touch()
    assert cache_folder("weights") == folder
    assert {path.name for path in folder.iterdir()} == {living.name, "net.safetensors"}


def test_names_may_be_as_long_as_files_may_have_them(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127)
    with written_whole(path) as part:
        part.write_text("whole")
    assert path.read_text() == "whole"
