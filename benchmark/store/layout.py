"""What the folder of a run is made of, and which folders are one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...errors import StorageError
from .cell import SCHEMA

OWN_FOLDERS = ("cells", "failures", "networks", "scores", "skipped", "thumbnails")
PACKED = "packed"
"""The folder of a packed run's cells (see `packed`)."""
INDEX = "index"
"""A folder that is made beside many cells (see `loose`)."""
RUNTIME = "runtime"
OWN_REPORTS = ("leaderboard.csv", "leaderboard.md", "report.html", "sweep.csv", "sweep.png", "maps.png")
SMALL_PICTURE = ".jpg"
"""How the larger pictures of a packed run end."""


def foreign(present: Collection[str]) -> list[str]:
    """Return the names that no run writes; runtime benchmarks may have been kept in its folder before it began."""
    left = set(present) - {"run.json", "plan.json", INDEX, *OWN_FOLDERS, *OWN_REPORTS}
    return sorted(name for name in left if not name.startswith(RUNTIME))


def damaged_run(folder: Path) -> StorageError:
    """Return the error of a folder whose ``run.json`` cannot be read."""
    remedy = (
        "Take the folder anew from where it came, or pack it again with `heatmark merge --pack`"
        if (folder / PACKED).is_dir()
        else "Start the same `heatmark run` again: it writes the file anew and keeps the finished cells"
    )
    return StorageError(f"{folder / 'run.json'} is damaged. {remedy}.")


def unplanned(folder: Path) -> str:
    """Return in words why a run's plan holds no cell, with the remedy."""
    done = sum(1 for _ in (folder / "cells").glob("*.parquet"))
    if done:
        return (
            f"{folder}: plan.json is missing or empty, though there {'is' if done == 1 else 'are'} {done} finished "
            f"cell{'' if done == 1 else 's'}. Start the same `heatmark run` again: it writes the plan anew and keeps "
            "the finished cells."
        )
    if (folder / PACKED).is_dir():
        return f"{damaged_run(folder)} It does not say that the run is packed."
    return f"{folder}: no cell was planned, so there is nothing to rank. Start `heatmark run` there first."


def check_schema(folder: Path, run: Mapping[str, Any]) -> None:
    """Raise StorageError where a run was written with another version of the results folder."""
    written = run.get("schema")
    if written != SCHEMA:
        raise StorageError(
            f"{folder} was written with results schema {written}; this heatmark reads and writes schema {SCHEMA}. "
            "Choose another folder with --out, or read it with the heatmark version that wrote it"
            + (f" ({run['version']})." if "version" in run else ".")
        )
