"""What the folder of a run is made of, and which folders are one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...errors import StorageError
from .cell import SCHEMA

OWN_FOLDERS = ("cells", "failures", "networks", "scores", "skipped", "thumbnails")
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


def check_schema(folder: Path, run: Mapping[str, Any]) -> None:
    """Raise StorageError where a run was written with another version of the results folder."""
    written = run.get("schema")
    if written != SCHEMA:
        raise StorageError(
            f"{folder} was written with results schema {written}; this heatmark reads and writes schema {SCHEMA}. "
            "Choose another folder with --out, or read it with the heatmark version that wrote it"
            + (f" ({run['version']})." if "version" in run else ".")
        )
