"""Which level is chosen, and what is refused where none holds."""

from __future__ import annotations

import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from sandboxes import need

from heatmark.benchmark.isolation import levels, system_calls
from heatmark.benchmark.isolation.levels import NotIsolated, require, strongest_level
from heatmark.benchmark.setting.plugins import load_plugins


def test_the_strongest_level_that_holds_is_chosen(monkeypatch):
    monkeypatch.setattr(levels, "why_not", lambda level: "")
    assert strongest_level() == require(None) == "bubblewrap"
    monkeypatch.setattr(levels, "why_not", lambda level: "no" if level == "bubblewrap" else "")
    assert strongest_level() == require(None) == "landlock"
    with pytest.raises(NotIsolated, match="bubblewrap: no"):
        require("bubblewrap")


def test_where_none_holds_a_file_is_refused_and_not_run(monkeypatch, tmp_path):
    monkeypatch.setattr(levels, "why_not", lambda level: f"{level} is broken here")
    assert strongest_level() == "none"
    file = tmp_path / "mine.py"
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(NotIsolated, match=r"bubblewrap is broken here; .*landlock is broken here.*--trust"):
        load_plugins([f"untrusted:{file}"])
    assert not (tmp_path / "ran").exists()
    assert require("none") == "none"


def test_without_bubblewrap_it_is_the_second_level():
    need("landlock")
    code = "from heatmark.benchmark.isolation.levels import strongest_level; print(strongest_level())"
    environment = {**os.environ, "PATH": "/nowhere"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["landlock"]


def test_a_level_that_does_not_hold_is_found_out(monkeypatch):
    """A level that forgets its filter of system calls is not taken for one."""
    need("bubblewrap")
    launched = levels.launched
    monkeypatch.setattr(levels, "launched", lambda level, *given, **more: launched("none", *given, **more))
    assert "against the rules" in levels.why_not.__wrapped__("bubblewrap")


def ran(program, number: int, arguments=(0, 0, 0, 0, 0, 0), architecture: int = 0xC000003E) -> int:
    """Run a filter as the kernel does, on one call, and return its answer."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments)
    place, held = 0, 0
    while True:
        code, yes, no, value = program[place]
        place += 1
        if code == 0x20:
            (held,) = struct.unpack_from("<I", data, value)
        elif code == 0x54:
            held &= value
        elif code in (0x15, 0x25):
            place += yes if (held == value if code == 0x15 else held > value) else no
        else:
            return value


ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
THREAD = 0x003D0F00


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_what_the_filter_answers(machine):
    architecture, numbers = system_calls._MACHINES[machine]
    program = system_calls.instructions(machine, 77)
    assert len(program) < 4096 and all(yes < 256 and no < 256 for _, yes, no, _ in program)

    def answer(name, *arguments):
        given = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
        return ran(program, numbers[name], given, architecture)

    for name in ("socket", "execve", "ptrace", "unshare", "memfd_create", "shmget", "mount", "io_uring_setup", "setns"):
        assert answer(name) == EPERM, name
    assert answer("clone", THREAD) == ALLOW and answer("clone", 17) == EPERM
    assert answer("clone", THREAD | 0x10000000) == EPERM and answer("clone3") == ENOSYS
    assert answer("kill", 77) == ALLOW and answer("kill", 78) == answer("kill", 2**32 - 1) == EPERM
    assert answer("tgkill", 77, 80) == ALLOW and answer("tgkill", 1) == EPERM
    assert answer("prlimit64", 0, 7, 0) == ALLOW
    assert answer("prlimit64", 0, 7, 64) == answer("prlimit64", 0, 7, 1 << 32) == EPERM
    assert answer("prctl", 1) == EPERM and answer("prctl", 38) == ALLOW
    assert answer("sched_setaffinity", 0) == answer("sched_setaffinity", 77) == ALLOW
    assert answer("sched_setaffinity", 5) == EPERM
    assert ran(program, 500, architecture=architecture) == ENOSYS
    assert ran(program, 0x40000000 + 41, architecture=architecture) == EPERM
    assert ran(program, 1, architecture=3) == KILL
    read = {"x86_64": 0, "aarch64": 63}[machine]
    assert ran(program, read, architecture=architecture) == ALLOW


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the header is that of x86_64")
def test_numbers_of_calls_are_those_of_the_kernel():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("the kernel's headers are not installed")
    lines = [line.split() for line in header.read_text(encoding="ascii").splitlines() if "#define __NR_" in line]
    right = {name.removeprefix("__NR_"): int(number) for _, name, number in lines}
    found = system_calls._MACHINES["x86_64"][1]
    assert {name: number for name, number in found.items() if right[name] != number} == {}
