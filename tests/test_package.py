"""The package itself: what importing it costs, what the wheel holds, and that its folders hide no installed package."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import heatmark

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("benchmark", "cli", "datasets", "leaderboards", "methods", "metrics", "models")
ROOMS = sorted(
    {
        path.parent.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if "runtime" not in path.relative_to(ROOT).parts
    }
)


def fresh(code: str, folder: Path = ROOT) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout.strip()


def test_importing_is_fast_and_imports_no_framework(tmp_path):
    code = (
        "import sys, time; began = time.perf_counter(); import heatmark; dir(heatmark); "
        "print(time.perf_counter() - began, [name for name in ('torch', 'tensorflow', 'keras') if name in sys.modules])"
    )
    seconds, _, modules = min(fresh(code, tmp_path) for _ in range(3)).partition(" ")
    assert float(seconds) < 0.5 and modules == "[]"


def test_listing_imports_no_framework(tmp_path):
    code = (
        "import sys, heatmark as hm; "
        "[hm.list_methods(), hm.list_metrics(), hm.list_datasets(), hm.list_models()]; import heatmark.cli.main; "
        "print([name for name in ('torch', 'tensorflow', 'keras') if name in sys.modules])"
    )
    assert fresh(code, tmp_path) == "[]"


def test_every_public_name_resolves():
    for name in heatmark.__all__:
        assert getattr(heatmark, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = heatmark.nonsense


def test_folders_have_no_init_and_the_list_is_the_tree():
    assert [path for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")] == []
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert listed == {"heatmark", *("heatmark." + room.replace("/", ".") for room in ROOMS)}
    assert not (ROOT / "setup.py").exists() and not (ROOT / "conftest.py").exists()


def test_the_wheel_holds_what_the_list_says():
    distribution = importlib.metadata.distribution("heatmark")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        pytest.skip("heatmark is installed from the checkout, not from a wheel")
    held = {
        str(path) for path in distribution.files or () if str(path).startswith("heatmark/") and path.suffix != ".pyc"
    }
    expected = {f"heatmark/{path.name}" for path in ROOT.glob("*.py")} | {"heatmark/py.typed"}
    expected |= {f"heatmark/{room}/{path.name}" for room in ROOMS for path in (ROOT / room).glob("*.py")}
    for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items():
        folder = ROOT.joinpath(*package.split(".")[1:])
        for pattern in patterns:
            files = sorted(folder.glob(pattern))
            # Nobody has submitted anything yet.
            assert files or pattern.startswith("submissions/"), f"{package}: {pattern} matches nothing"
            expected |= {f"heatmark/{path.relative_to(ROOT)}" for path in files}
    assert held == expected


def test_the_checkout_hides_no_installed_package(tmp_path):
    # An installed package called `datasets` (as Hugging Face's is) must win over the folder of that name.
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("installed = True\n")
    code = (
        f"import sys; sys.path.append({str(tmp_path)!r}); "
        f"print(all(__import__(name).installed for name in {FOLDERS!r}))"
    )
    assert fresh(code) == "True"
