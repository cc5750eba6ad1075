"""Runs of the tiny plugin's network in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heatmark.benchmark.run import run
from heatmark.benchmark.running.execution import Run

pytest.importorskip("torch")

PLUGIN = str(Path(__file__).parents[1] / "plugins" / "tiny_plugin.py")
METRICS = "deletion[steps=4],average_drop"
Start = Callable[..., Run]


@pytest.fixture
def tiny_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    monkeypatch.setenv("TINY_FOLDER", str(folder))
    monkeypatch.chdir(tmp_path)
    yield folder


@pytest.fixture
def start(tmp_path: Path, tiny_folder: Path) -> Start:
    """Return a function that runs methods on the tiny network in this process, unless told otherwise."""

    def begin(methods: str = "counted", **options: Any) -> Run:
        defaults: dict[str, Any] = {
            "models": "tiny",
            "data": "tiny-pictures",
            "metrics": METRICS,
            "frameworks": "torch",
            "device": "cpu",
            "engine": "serial",
            "out": tmp_path / "run",
            "plugins": [PLUGIN],
            "progress": False,
        }
        return run("quick", methods=methods, **{**defaults, **options})

    return begin
