"""The short form of ``tox -e faults``: a worker and a driver are killed, and nothing is lost."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from random_kills import Setting, Tally, kill_until_done, total, undisturbed_run
from tiny_runs import PLUGIN


def test_random_kills_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("TINY_FOLDER", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    methods = "counted[shade=1|2|3|4|5|6,pause=0.1]"
    tiny = ("--models", "tiny", "--data", "tiny-pictures", "--methods", methods, "--metrics", "average_drop")
    setting = Setting("processes", ("torch",), (*tiny, "--plugin", PLUGIN))
    calm, seconds = undisturbed_run(setting, tmp_path / "calm")
    tally = kill_until_done(setting, tmp_path / "run", calm, seconds, 2, random.Random(3))
    assert tally.runs == 1 and sum(tally.kills.values()) <= 2
    assert tally.harm == 0, tally


def test_harm_is_counted() -> None:
    assert total([Tally(lost=1), Tally(left_over=2), Tally(differing=3), Tally(failed=4, half_written=5)]).harm == 15
    assert total([]).harm == 0
    kills = [Tally(Counter({"driver SIGKILL": count})) for count in (2, 1)]
    told = json.loads(json.dumps(vars(total(kills))))
    assert told["kills"] == {"driver SIGKILL": 3}
