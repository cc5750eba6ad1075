"""Arrays of jobs: by a stand-in for Slurm's commands, and by submitit's processes on this machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import METRICS, PLUGIN, Start

from heatmark.benchmark.executors.engine import Engine
from heatmark.benchmark.run import run
from heatmark.benchmark.running.execution import Run
from heatmark.benchmark.store.folder import RunStore
from heatmark.errors import BadInput, Interrupted

pytest.importorskip("submitit")

SBATCH = '''#!{python}
"""Starts each task of an array as a process, with what Slurm tells it in its environment."""
import json, os, pathlib, re, subprocess, sys
here = pathlib.Path({here!r})
script = pathlib.Path(sys.argv[1]).read_text()
number = str(100 + len(list(here.glob("*.script"))))
(here / (number + ".script")).write_text(script)
array = re.search(r"--array=(\\d+)-(\\d+)", script)
tasks = range(int(array[1]), int(array[2]) + 1) if array else [None]
for task in tasks:
    name = number if task is None else f"{{number}}_{{task}}"
    lost = here / "lost"
    if lost.exists() and task == 0:  # its node is gone before it begins
        lost.unlink()
        (here / (name + ".state")).write_text("NODE_FAIL")
        continue
    told = dict(os.environ, SLURM_JOB_ID=number, SLURM_NTASKS="1", SLURM_JOB_NUM_NODES="1", SLURM_NODEID="0",
                SLURM_PROCID="0", SLURM_LOCALID="0", SLURM_JOB_NODELIST="here")
    if task is not None:
        told |= dict(SLURM_ARRAY_JOB_ID=number, SLURM_ARRAY_TASK_ID=str(task))
    log = open(here / (name + ".log"), "wb")
    begun = subprocess.Popen(["bash", "-c", script], env=told, start_new_session=True, stdout=log, stderr=log)
    (here / (name + ".pid")).write_text(str(begun.pid))
print("Submitted batch job", number)
'''
SRUN = """#!{python}
import os, sys
words = [word for word in sys.argv[1:]]
place = next(i for i, word in enumerate(words) if word.endswith("python") or "/python" in word)
os.execvp(words[place], words[place:])
"""
SACCT = """#!{python}
import os, pathlib
here = pathlib.Path({here!r})
print("JobID|State|NodeList")
for path in sorted(here.glob("*.pid")):
    stat = pathlib.Path(f"/proc/{{path.read_text()}}/stat")
    alive = stat.exists() and stat.read_text().split(")")[-1].split()[0] != "Z"
    print(f"{{path.stem}}|{{'RUNNING' if alive else 'COMPLETED'}}|here")
for path in sorted(here.glob("*.state")):
    print(f"{{path.stem}}|{{path.read_text()}}|here")
"""
SCANCEL = """#!{python}
import os, pathlib, signal, sys
here = pathlib.Path({here!r})
with open(here / "cancelled", "a") as file:
    file.write(sys.argv[1] + "\\n")
for path in here.glob(sys.argv[1] + "*.pid"):
    try:
        os.killpg(int(path.read_text()), signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@pytest.fixture
def slurm(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put commands named as Slurm's on the path; they keep what they are told in a folder, which is returned."""
    from heatmark.benchmark.executors import on_slurm

    here, commands = tmp_path / "slurm", tmp_path / "bin"
    here.mkdir()
    commands.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": SCANCEL}.items():
        path = commands / name
        path.write_text(text.format(python=sys.executable, here=str(here)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(on_slurm, "ASK_SECONDS", 1.0)
    yield here
    for path in here.glob("*.pid"):
        subprocess.run([str(commands / "scancel"), path.stem], check=False)


def begun(out: Path, methods: str = "counted[shade=1|2|3|4]", **options: Any) -> Run:
    return run("quick", models="tiny", data="tiny-pictures", methods=methods, metrics=METRICS, frameworks="torch",
               device="cpu", out=out, plugins=[PLUGIN], progress=False, **options)  # fmt: skip


@pytest.mark.slow
def test_an_array_does_the_cells_and_a_lost_node_s_are_done_by_the_next(
    slurm: Path, tmp_path: Path, start: Start
) -> None:
    (slurm / "lost").touch()
    engine = Engine("slurm", workers=2, slurm={"partition": "small", "timeout_min": 7, "mem_gb": 2})
    result = begun(tmp_path / "array", engine=engine)
    assert result.finished == 4 and result.complete
    scripts = [path.read_text() for path in sorted(slurm.glob("*.script"))]
    arrays = [script for script in scripts if "--array=0-1" in script]
    assert arrays and all("--partition=small" in one and "--time=7" in one and "--mem=2GB" in one for one in arrays)
    assert list(slurm.glob("*_0.state"))
    assert len(scripts) >= len(arrays) + 1  # what the lost node had went into a further submission
    assert not list((tmp_path / "array" / ".array" / "done").iterdir())
    assert not list((tmp_path / "array" / ".array" / "arrays").iterdir())
    here = start("counted[shade=1|2|3|4]", out=tmp_path / "here")
    assert {spec.key for spec in result.store.expected} == {spec.key for spec in here.store.expected}


@pytest.mark.slow
def test_what_is_done_outlives_the_process_that_asked(slurm: Path, tmp_path: Path) -> None:
    """The process is killed while its array runs; the next one takes what was left for it, and does nothing twice."""
    out, methods = tmp_path / "run", "counted[shade=1|2|3|4,pause=1.0]"
    code = (
        "from heatmark.benchmark.executors.engine import Engine\nfrom heatmark.benchmark.run import run\n"
        f"run('quick', models='tiny', data='tiny-pictures', methods={methods!r}, metrics={METRICS!r},\n"
        f"    frameworks='torch', device='cpu', out={str(out)!r}, plugins=[{PLUGIN!r}], progress=False,\n"
        "    engine=Engine('slurm', workers=2))\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 120
    while not list((out / ".array" / "arrays").glob("*_*.json")):
        assert asking.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    asking.kill()
    asking.wait()
    assert not RunStore(out).cells()

    def arrays() -> int:
        return sum("--array" in path.read_text() for path in slurm.glob("*.script"))

    submitted = arrays()
    result = begun(out, methods, engine=Engine("slurm", workers=2))
    assert result.finished == 4
    assert arrays() == submitted == 1  # it waited for the one that ran
    shades = (tmp_path / "tiny" / "calls").read_text().split()
    assert sorted(shades) == ["1", "2", "3", "4"]


@pytest.mark.slow
def test_stopping_cancels_what_waits(slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = time.sleep

    def sleep(seconds: float) -> None:
        if len(list(slurm.glob("*_*.pid"))) == 2:
            raise KeyboardInterrupt
        usual(min(seconds, 0.2))

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(Interrupted):
        begun(tmp_path / "run", "counted[shade=1|2,pause=30]", engine=Engine("slurm", workers=2))
    # The job that described the network may still be on its way out, and is told to end too.
    cancelled = (slurm / "cancelled").read_text().split()
    assert len([number for number in cancelled if "_" in number]) == 2
    assert not list((tmp_path / "run" / ".array" / "arrays").iterdir())


@pytest.mark.slow
def test_processes_of_submitit_s_own_do_the_same(tmp_path: Path, tiny_folder: Path) -> None:
    engine = Engine("slurm", workers=2, slurm={"cluster": "local"})
    result = begun(tmp_path / "run", "counted[shade=1|2],breaking", engine=engine)
    assert result.finished == 3 and json.loads((tmp_path / "run" / "run.json").read_text())["command"].count("--slurm")


def test_what_slurm_cannot_be_asked_is_refused(slurm: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="colour"):
        begun(tmp_path / "run", engine=Engine("slurm", slurm={"colour": "red"}))


def test_without_slurm_it_is_said(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match="srun"):
        begun(tmp_path / "run", engine=Engine("slurm"))
