"""Attacks by a file that is not trusted: each is prevented, or named, at every level.

What a file does when it is imported is tried without a framework, in a second or so each; what it says of itself is
checked by what comes back.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from heatmark.benchmark.isolation.levels import canary
from heatmark.benchmark.isolation.limits import Limits
from heatmark.benchmark.isolation.stand_ins import IsolatedFile, IsolationFailed, isolated_methods
from heatmark.errors import BadInput, HeatmarkError
from heatmark.methods.registry import METHODS

GIB = 1 << 30

TELLS = """
import json
import heatmark as hm

def tried(name, attempt):
    try:
        came[name] = f"done: {attempt()}"
    except BaseException as error:
        came[name] = f"refused: {type(error).__name__}"

came = {}
"""

TOLD = """
@hm.register_method("teller", family="gradient", signed=True)
def teller(request):
    return request.gradient()

teller.__doc__ = json.dumps(came)
hm.register_method("teller", family="gradient", signed=True)(teller)
"""


def described(path: Path, level, **limits) -> list[dict]:
    """Run a file and return what it says of its methods."""
    name = f"heatmark_untrusted_{path.stem}"
    home = IsolatedFile(path, name, level, Limits(**{"start_seconds": 60.0, **limits}))
    return home.describe()


def left_of(path: Path) -> list[int]:
    """Return the processes that still run a file."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(path) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_a_canary_finds_that_a_level_holds(level):
    wrong = [found for found in canary(level) if not found.right]
    assert wrong == []


def test_a_canary_finds_that_nothing_holds_where_nothing_is_kept_apart():
    """The canary itself can fail: without isolation, nearly everything that is forbidden works."""
    found = {one.attempt: one.right for one in canary("none")}
    needed = {"use its scratch folder", "read what it is given", "draw random numbers"}
    assert all(found[name] for name in needed)
    held = {name for name, right in found.items() if right} - needed
    assert held <= {
        "raise its limits",
        "see the environment of who started it",
        "look into a process outside",
        "make a namespace of its own",
    }


REACHING = """
import os, shutil, socket, subprocess, sys, threading
from pathlib import Path
run, package = Path(outside["run"]), Path(outside["package"])
masks, site = Path(outside["masks"]), next(Path(p) for p in sys.path if "site-packages" in p)
tried("read masks", lambda: masks.read_text())
tried("read results", lambda: (run / "cells" / "a.parquet").read_text())
tried("list results", lambda: list(run.iterdir()))
tried("change results", lambda: (run / "cells" / "a.parquet").write_text("better"))
tried("add results", lambda: (run / "cells" / "b.parquet").write_text("better"))
tried("remove results", lambda: shutil.rmtree(run))
tried("link to results", lambda: os.symlink(run, "results") or list(Path("results").iterdir()))
tried("patch scoring", lambda: (package / "metrics" / "score.py").open("a").write("#"))
tried("plant a module", lambda: (package.parent / "planted.py").write_text("x = 1"))
tried("plant a startup file", lambda: (site / "planted.pth").write_text("import os"))
tried("change itself", lambda: Path(__file__).write_text("pass"))
tried("leave a file beside itself", lambda: (Path(outside["folder"]) / "other.py").write_text("x"))
tried("read the home", lambda: (Path(outside["home"]) / ".bashrc").read_text())
tried("open a connection", lambda: socket.create_connection(("127.0.0.1", outside["port"]), 2))
tried("look up a name", lambda: socket.getaddrinfo("example.org", 80)[0])
tried("listen", lambda: socket.create_server(("127.0.0.1", 0)))
tried("fork", lambda: os.fork())
tried("start a program", lambda: subprocess.run(["true"], check=True))
tried("start a shell", lambda: 1 / (os.system("true") == 0))
tried("kill the host", lambda: os.kill(outside["pid"], 15))
tried("kill a group", lambda: os.killpg(0, 0))
tried("read the host's environment", lambda: Path(f"/proc/{outside['pid']}/environ").read_bytes()[:9])
tried("read a token", lambda: os.environ["HF_TOKEN"])
tried("fill shared memory", lambda: Path("/dev/shm/x").write_bytes(bytes(3 << 30)))
work = threading.Thread(target=lambda: None)
tried("start a thread", lambda: work.start() or work.join())
tried("use its scratch folder", lambda: Path("mine").write_text("x") and Path(os.environ["HOME"], "mine").read_text())
"""


def test_files_network_processes_and_secrets_are_out_of_reach(level, plugin, tmp_path, monkeypatch):
    """Masks and labels on disk, a run's folder, other plugins, the network, other processes, tokens."""
    run = tmp_path / "run"
    (run / "cells").mkdir(parents=True)
    (run / "cells" / "a.parquet").write_text("results")
    masks = tmp_path / "cache" / "datasets" / "masks.npz"
    masks.parent.mkdir(parents=True)
    masks.write_text("masks")
    monkeypatch.setenv("HF_TOKEN", "secret")
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        outside = {
            "run": str(run),
            "masks": str(masks),
            "port": server.getsockname()[1],
            "pid": os.getpid(),
            "package": sys.modules["heatmark"].__path__[0],
            "home": str(Path.home()),
            "folder": str(tmp_path / "plugins"),
        }
        path = plugin("reaching", f"{TELLS}outside = {outside!r}\n{REACHING}{TOLD}")
        (method,) = described(path, level)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    came = json.loads(method["function"].__doc__)
    allowed = {"start a thread", "use its scratch folder"}
    assert {name for name, words in came.items() if words.startswith("done")} == allowed
    assert (run / "cells" / "a.parquet").read_text() == "results" and masks.read_text() == "masks"
    assert sorted(path.name for path in tmp_path.rglob("*.parquet")) == ["a.parquet"]
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["reaching.py"]


SLOW = pytest.mark.slow
MEMORY = """
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, 1 << 27))
    kept[-1].write(b"x" * (1 << 27))
"""
THREADS = """
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""
SCRATCH = """
import itertools
for number in itertools.count():
    with open(str(number), "wb") as file:
        file.write(bytes(1 << 24))
"""
FLOOD = """
import sys
while True:
    print("x" * 4000)
    sys.stderr.write("y" * 4000)
"""


@pytest.mark.parametrize(
    ("text", "limits", "said"),
    [
        pytest.param(MEMORY, {"memory_bytes": GIB}, "more than 1 GiB of memory", id="shared memory"),
        pytest.param("import time\ntime.sleep(600)", {"start_seconds": 3.0}, "did not answer in time", id="clock"),
        pytest.param(FLOOD, {"cpu_seconds": 1.0}, "computed for more than 1 s", id="flood", marks=SLOW),
        pytest.param(
            SCRATCH,
            {"scratch_bytes": 1 << 27},
            "No space left|folder held",
            id="scratch",
            marks=SLOW,
        ),
        pytest.param(
            THREADS,
            {"threads": 200},
            "can't start new thread|more than 200 threads",
            id="threads",
            marks=SLOW,
        ),
        pytest.param("kept = bytearray(2 << 30)", {"memory_bytes": GIB}, "MemoryError", id="memory", marks=SLOW),
        pytest.param("import os\nos._exit(7)", {}, "ended in the middle", id="exit", marks=SLOW),
        pytest.param("import ctypes\nctypes.string_at(0)", {}, "SIGSEGV", id="crash", marks=SLOW),
    ],
)
def test_limits_end_it_and_say_so(level, plugin, text, limits, said):
    path = plugin("greedy", text)
    began = time.monotonic()
    with pytest.raises(IsolationFailed, match=said):
        described(path, level, **limits)
    assert time.monotonic() - began < 60
    assert left_of(path) == []


@pytest.mark.parametrize("payload", ["pickle.dumps(Trap()) * 50", "b'heatmk\\x01\\n' + b'\\xff' * 4 + b'x' * 10**6"])
def test_a_pickle_or_a_giant_header_on_the_wire_runs_nothing(level, plugin, tmp_path, payload):
    trap = tmp_path / "it ran"
    text = f"""
import os, pickle
class Trap:
    def __reduce__(self):
        return os.mkdir, ({str(trap)!r},)
data = {payload}
for pipe in range(3, 64):
    try:
        os.write(pipe, data)
    except OSError:
        pass
"""
    path = plugin("poison", text)
    with pytest.raises(IsolationFailed, match=r"begins with|declares a header"):
        described(path, level)
    assert not trap.exists() and left_of(path) == []


def test_a_name_that_is_markup_is_refused(level, plugin):
    text = """
import heatmark as hm
@hm.register_method("<script>alert(1)</script>", family="gradient", signed=True)
def method(request):
    pass
"""
    with pytest.raises(HeatmarkError, match="cannot be used"):
        isolated_methods(plugin("misleading", text), "heatmark_untrusted_misleading", level)
    assert not any("script" in name for name in METHODS.names())


def test_words_cannot_command_a_terminal(level, plugin):
    text = """
import heatmark as hm
@hm.register_method("worded", title="A\\x1b[2J\\u202eB", family="gradient", signed=True, cost="\\x07 1")
def worded(request):
    "Sees\\x1b]0;all\\x07."
"""
    (fields,) = described(plugin("worded", text), level)
    shown = json.dumps([fields["title"], fields["summary"], fields["cost"]], ensure_ascii=False)
    assert shown.isprintable() and "\x1b" not in fields["function"].__doc__


def test_descriptions_that_are_forged_are_refused(level, plugin):
    """A file that takes over the process may say what it likes of itself; that is checked like the rest."""
    text = """
from heatmark.benchmark.isolation import inside
inside.told = lambda entry: {"name": "forged", "family": 3, "parameters": "x" * 1000}
import heatmark as hm
@hm.register_method("forged", family="gradient", signed=True)
def forged(request):
    pass
"""
    with pytest.raises(BadInput):
        described(plugin("forging", text), level)


LASTING = """
import signal, time
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
time.sleep(300)
"""


def test_it_ends_with_whoever_started_it(level, plugin):
    """A host that is killed takes the process with it, also one that sleeps and ignores what it can."""
    path = plugin("lasting", LASTING)
    code = (
        "from pathlib import Path; from heatmark.benchmark.isolation.stand_ins import IsolatedFile;"
        "from heatmark.benchmark.isolation.limits import Limits;"
        f"IsolatedFile(Path({str(path)!r}), 'x', {level!r}, Limits()).describe()"
    )
    host = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not left_of(path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_of(path)
    time.sleep(1)
    host.kill()
    host.wait()
    while left_of(path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_of(path) == []
