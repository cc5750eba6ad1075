"""What happens where only one framework is installed, or none: simulated in processes that cannot find the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heatmark.models.devices import installed_frameworks

# Python runs this file when it starts, also in worker processes.
BLIND = """
import os, sys
from importlib.machinery import PathFinder
hidden = os.environ["HIDDEN"].split(",")
class Blind:
    find_distributions = PathFinder.find_distributions
    invalidate_caches = PathFinder.invalidate_caches
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else PathFinder.find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Blind
"""

START = """
import json, sys
import heatmark as hm
from heatmark.errors import HeatmarkError
from heatmark.models.devices import installed_frameworks
from heatmark.models.training.kept import train
def message(call, *rest, **options):
    try:
        return f"no error: {call(*rest, **options)}"
    except HeatmarkError as error:
        return f"{type(error).__name__}: {error}"
def small(**options):
    names = dict(data="digits", methods="gradient", metrics="deletion[steps=2]")
    return hm.run("quick", limit=2, progress=False, **names, **options)
said = {"installed": installed_frameworks()}
"""

NETS = {
    "torch": (
        "import torch\ndef build():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
    ),
    "tensorflow": (
        "import keras\n"
        "def build():\n"
        "    layers = keras.layers\n"
        "    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10)])\n"
    ),
}
PACKAGES = {"torch": ("torch", "torchvision"), "tensorflow": ("tensorflow", "keras")}
TITLES = {"torch": "PyTorch", "tensorflow": "TensorFlow"}


def without(hidden: tuple[str, ...], code: str, folder: Path) -> dict[str, Any]:
    """Return what code puts into ``said`` in a process that cannot find some frameworks."""
    (folder / "sitecustomize.py").write_text(BLIND)
    packages = [package for framework in hidden for package in PACKAGES[framework]]
    environment = {**os.environ, "PYTHONPATH": str(folder), "HIDDEN": ",".join(packages), "TF_CPP_MIN_LOG_LEVEL": "3"}
    whole = f"{START}{code}\nprint(json.dumps(said))\n"
    done = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("here", ["torch", "tensorflow"])
def test_one_framework_is_enough_and_the_other_is_named_where_it_is_needed(here: str, tmp_path: Path) -> None:
    if here not in installed_frameworks():
        pytest.skip(f"{here} is not installed")
    (absent,) = {"torch", "tensorflow"} - {here}
    for framework, source in NETS.items():
        (tmp_path / f"{framework}_net.py").write_text(source)
    family = {"torch": "torchvision:vgg16@random", "tensorflow": "keras:VGG16@random"}[absent]
    code = f"""
result = small(models="{here}_net.py:build", engine="serial", out="both")
said["finished"], said["expected"], said["notes"] = result.finished, result.expected, result.notes
said["asked"] = message(small, models="{here}_net.py:build", frameworks="torch,tensorflow", out="asked")
said["own"] = message(small, models="{absent}_net.py:build", engine="serial", out="own")
said["family"] = message(small, models="{family}", engine="serial", out="family")
said["loaded"] = message(hm.load_model, "small-cnn", framework="{absent}")
said["trained"] = message(train, "small-cnn", "digits", framework="{absent}")
said["imported"] = "{absent}" in sys.modules
"""
    said = without((absent,), code, tmp_path)
    assert said["installed"] == [here] and not said["imported"]
    assert said["finished"] == said["expected"] == 1
    install = f"Install it with: pip install 'heatmark[{absent}]'"
    assert said["notes"][0] == f"{absent} is not installed: running without it. {install}"
    for place in ("asked", "own", "loaded", "trained"):
        kind = "HeatmarkError" if place == "own" else "MissingExtra"  # a worker's error crosses over as text
        assert said[place] == f"{kind}: {TITLES[absent]} is not installed. {install}", place
    assert said["family"].startswith(f"NotApplicable: {family} does not exist in {here}") and install in said["family"]


def test_without_any_framework_it_is_said_that_either_will_do(tmp_path: Path) -> None:
    code = """
said["ran"] = message(small, models="small-cnn", out="run")
said["loaded"] = message(hm.load_model, "small-cnn")
said["trained"] = message(train, "small-cnn", "digits")
said["listed"] = len(hm.list_methods())
"""
    said = without(("torch", "tensorflow"), code, tmp_path)
    assert said["installed"] == [] and said["listed"] > 10
    for place in ("ran", "loaded", "trained"):
        text = said[place]
        assert text.startswith("MissingExtra: Neither PyTorch nor TensorFlow is installed"), place
        assert "heatmark[torch]" in text and "heatmark[tensorflow]" in text
    assert not (tmp_path / "run").exists()
