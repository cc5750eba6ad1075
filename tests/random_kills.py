"""Kills runs and their workers at random moments, and looks whether anything is lost: what ``tox -e faults`` does.

    python tests/random_kills.py --kills 100 [--seed 0] [--out kills.json]

A run of a small network is started, and after a random time one of its processes gets a signal: the one that plans and
keeps ("driver"), a worker, or the keeper above a worker; mostly SIGKILL, which nothing can prepare for. A run that ends
is started again, as its user would. After each kill: everything that was finished is still there and has its checksum,
and no process is left. When a run is done: its scores are those of a run that nobody disturbed, to the last bit, and
nothing half written is left. Both engines, with both frameworks as far as they are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

import heatmark
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.ownership import owners_of
from heatmark.models.devices import installed_frameworks

SIGNALS = ("SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "SIGINT")
"""Drawn from for drivers; workers, which leave the others to their driver, get the first."""
VICTIMS = ("driver", "worker", "keeper")
PATIENCE_SECONDS = 300.0
"""A run that takes so much longer than an undisturbed one hangs."""
METHODS = "saliency,smoothgrad[samples=10|15|20|25|30|35|40],integrated_gradients[steps=10|20|30|40]"
"""So much that measuring takes longer than starting."""


@dataclass(frozen=True)
class Setting:
    """What is run."""

    engine: str
    frameworks: tuple[str, ...]
    arguments: tuple[str, ...] = (
        *("--models", "small-cnn", "--data", "digits", "--limit", "40", "--methods", METHODS),
        *("--metrics", "deletion[steps=4],average_drop"),
    )

    def command(self, out: Path) -> list[str]:
        """Return the command that runs it in a folder."""
        given = ("--engine", self.engine, "--frameworks", ",".join(self.frameworks), "--device", "cpu")
        return [sys.executable, "-m", "heatmark", "run", "quick", *self.arguments, *given, "--out", str(out)]


@dataclass
class Tally:
    """What was done and seen."""

    kills: Counter[str] = field(default_factory=Counter)
    """By victim and signal."""
    runs: int = 0
    """How many were brought to their end."""
    starts: int = 0
    finished_at_kills: int = 0
    """Cells that were finished at a kill, over all kills."""
    lost: int = 0
    """Of these, how many were missing or damaged afterwards."""
    left_over: int = 0
    """Processes that outlived a driver."""
    differing: int = 0
    """Runs whose scores were not those of the undisturbed one."""
    failed: int = 0
    """Runs that ended with a failed cell, though a worker was not killed as often as that takes."""
    half_written: int = 0
    """Files that a run which ended had left half written."""
    seconds: float = 0.0

    @property
    def harm(self) -> int:
        """Everything that must not happen."""
        return self.lost + self.left_over + self.differing + self.failed + self.half_written

    def __str__(self) -> str:
        victims = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        return (
            f"{sum(self.kills.values())} kills ({victims}) in {self.starts} starts of {self.runs} runs, "
            f"{self.seconds:.0f} s: of {self.finished_at_kills} finished cells {self.lost} lost, "
            f"{self.left_over} processes left, {self.differing} runs with other scores, {self.failed} with failures, "
            f"{self.half_written} files half written"
        )


def scores(folder: Path) -> pd.DataFrame:
    """Return a run's scores, in an order that does not depend on when cells were done."""
    frames = []
    for cell in RunStore(folder).cells():
        table = cell.table
        kept = [name for name in table.columns if name.startswith("score:") or name in ("sample", "target")]
        frames.append(table[kept].assign(method=cell.spec.method, framework=cell.spec.framework))
    return pd.concat(frames).sort_values(["framework", "method", "sample"]).reset_index(drop=True)


def finished(folder: Path) -> set[str]:
    """Return the keys of the finished cells."""
    return {path.stem for path in (folder / "cells").glob("*.parquet")}


def kill_until_done(
    setting: Setting, folder: Path, undisturbed: pd.DataFrame, seconds: float, kills: int, chance: random.Random
) -> Tally:
    """Run to the end in a folder, with so many kills on the way, if it takes that long; return what was seen.

    Parameters
    ----------
    undisturbed, seconds
        The scores of a run that nobody disturbed, and how long it took.
    """
    tally, began = Tally(), time.monotonic()
    while True:
        tally.starts += 1
        driver = psutil.Popen(
            setting.command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        ended = False
        try:
            while sum(tally.kills.values()) < kills and not ended:
                ended = _waited(driver, folder, seconds, chance)
                if not ended:
                    ended = _one_kill(driver, folder, setting, chance, tally)
            _, told = driver.communicate(timeout=seconds + PATIENCE_SECONDS)
        finally:
            if driver.is_running():  # this was stopped itself
                driver.kill()
        if driver.returncode == 0:
            break
        if driver.returncode == 1:  # a worker was killed with one cell again and again: its user starts anew
            tally.failed += sum(tally.kills.values()) < 3
        elif driver.returncode not in (130, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT):
            raise AssertionError(f"status {driver.returncode}: {told.decode(errors='replace')[-2000:]}")
    tally.runs += 1
    tally.differing += not scores(folder).equals(undisturbed)
    tally.half_written += len(list(folder.rglob("*.part"))) + len(owners_of(folder))
    tally.seconds = time.monotonic() - began
    return tally


def _waited(driver: psutil.Popen, folder: Path, seconds: float, chance: random.Random) -> bool:
    """Wait for a random moment, often one at which cells have been done; return whether the run has ended meanwhile."""
    if chance.random() < 0.75:
        before, until = finished(folder), time.monotonic() + seconds
        while finished(folder) == before and time.monotonic() < until:
            if _exited(driver, 0.1):
                return True
        return _exited(driver, chance.uniform(0.0, seconds / 50))
    return _exited(driver, chance.uniform(0.0, seconds / 2))


def _exited(driver: psutil.Popen, seconds: float) -> bool:
    """Wait a while; return whether the run has ended meanwhile."""
    try:
        driver.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    return True


def _one_kill(driver: psutil.Popen, folder: Path, setting: Setting, chance: random.Random, tally: Tally) -> bool:
    """Send one process of a run a signal, and look what is lost; return whether the run has ended by that."""
    try:
        family = driver.children(recursive=True)
        keepers = [child for child in driver.children() if "spawn_main" in " ".join(child.cmdline())]
        workers = [grandchild for keeper in keepers for grandchild in keeper.children()]
    except psutil.Error:
        return _exited(driver, 0.0)
    name = chance.choice(VICTIMS if setting.engine == "processes" else VICTIMS[:1])
    victims: list[psutil.Process] = {"driver": [driver], "worker": workers, "keeper": keepers}[name]
    number = chance.choice(SIGNALS if name == "driver" else SIGNALS[:1])
    before = finished(folder)
    try:
        if not victims or not driver.is_running():
            return _exited(driver, 0.0)
        chance.choice(victims).send_signal(getattr(signal, number))
    except psutil.Error:
        return False
    tally.kills[f"{name} {number}"] += 1
    ended = False
    if name == "driver":
        # A process that has just been started may not handle signals yet: it ends by them as any does.
        ended = _exited(driver, PATIENCE_SECONDS)
        assert ended, f"a run goes on {PATIENCE_SECONDS:.0f} s after {number}"
        tally.left_over += len(psutil.wait_procs(family, timeout=20)[1])
    tally.finished_at_kills += len(before)
    store = RunStore(folder) if (folder / "run.json").exists() else None
    for key in before:
        try:
            tally.lost += store is None or store.opened(key) is None
        except heatmark.HeatmarkError:
            tally.lost += 1
    return ended


def undisturbed_run(setting: Setting, folder: Path) -> tuple[pd.DataFrame, float]:
    """Return the scores of a run that nobody disturbs, and the seconds that it took."""
    began = time.monotonic()
    ended = subprocess.run(setting.command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")[-2000:]
    return scores(folder), time.monotonic() - began


def total(tallies: Sequence[Tally]) -> Tally:
    """Return what was seen over all."""
    found = Tally()
    for one in tallies:
        found.kills += one.kills
        for name in ("runs", "starts", "finished_at_kills", "lost", "left_over", "differing", "failed", "seconds"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
        found.half_written += one.half_written
    return found


def main() -> int:
    """Kill, print what was seen, and return 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the statistics as JSON")
    options = parser.parse_args()
    here = installed_frameworks()
    every_way = [("processes", here), *((engine, (name,)) for engine in ("serial", "processes") for name in here)]
    settings = list(dict.fromkeys(Setting(engine, frameworks) for engine, frameworks in every_way))
    chance = random.Random(options.seed)
    by_setting: dict[Setting, list[Tally]] = {setting: [] for setting in settings}
    with tempfile.TemporaryDirectory() as place:
        known: dict[Setting, tuple[pd.DataFrame, float]] = {}
        done = number = 0
        while done < options.kills:
            setting = settings[number % len(settings)]
            folder = Path(place, f"run-{number}")
            if setting not in known:
                known[setting] = undisturbed_run(setting, Path(place, f"calm-{number}"))
            tally = kill_until_done(setting, folder, *known[setting], min(8, options.kills - done), chance)
            by_setting[setting].append(tally)
            done += sum(tally.kills.values())
            number += 1
            print(f"{setting.engine} {'+'.join(setting.frameworks)}: {tally}", flush=True)
    every = total([tally for tallies in by_setting.values() for tally in tallies])
    print(f"in all: {every}")
    if options.out:
        told = {f"{s.engine} {'+'.join(s.frameworks)}": vars(total(found)) for s, found in by_setting.items()}
        options.out.write_text(json.dumps({**told, "in all": vars(every)}, indent=1) + "\n", encoding="utf-8")
    return int(every.harm > 0)


if __name__ == "__main__":
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
