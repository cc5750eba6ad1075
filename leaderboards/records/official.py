"""The official results: runs that heatmark carries, by version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path

from ...errors import StorageError
from ..trust.submission import DESCRIPTION, RESULTS

OFFICIAL = Path(__file__).parents[1] / "official"
"""One folder per version, ``v1`` and so on, each with one packed run per folder."""
BY_PROTOCOLS = "published"
"""The folder of a version for runs by the protocols of papers: they stand beside published numbers and on no board."""

WORD = "official"
"""Stands for all official runs wherever runs are named."""

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
"""One folder per submission (`heatmark.leaderboards.trust.submission`)."""

SUBMITTED = "submissions"
"""Stands for the results of all submissions wherever runs are named."""


def official_runs(version: str | None = None) -> list[Path]:
    """Return the folders of the official runs of a version, by name; of the newest where None.

    Raises
    ------
    StorageError
        If this heatmark carries none.
    """
    versions = sorted(filter(_number, (path.name for path in OFFICIAL.glob("v*") if path.is_dir())), key=_number)
    chosen = version if version is not None else next(reversed(versions), "")
    found = sorted(path.parent for path in (OFFICIAL / chosen).glob("*/run.json")) if chosen else []
    if not found:
        there = f" It has {', '.join(versions)}." if versions else ""
        asked = f"results {version}" if version is not None else "results"
        raise StorageError(
            f"This heatmark carries no official {asked} (in {OFFICIAL}).{there} Name the folders of runs of your own, "
            "or install heatmark from its repository, which holds them."
        )
    return found


def with_published_protocols(runs: Iterable[object]) -> list[object]:
    """Return runs, and where they hold all official ones of a version, also those by the protocols of papers."""
    listed = list(runs)
    folders = [Path(str(getattr(run, "path", run))).resolve() for run in listed]
    version = official_version([folder for folder in folders if folder.parent.parent == OFFICIAL.resolve()])
    if not version or not {path.resolve() for path in official_runs(version)} <= set(folders):
        return listed
    return [*listed, *sorted(path.parent for path in (OFFICIAL / version / BY_PROTOCOLS).glob("*/run.json"))]


def official_version(runs: Iterable[Path]) -> str:
    """Return the version whose official results some runs' folders are, nothing where one of them is no such run."""
    folders = {path.resolve().parent for path in runs}
    found = folders.pop() if len(folders) == 1 else None
    return found.name if found is not None and found.parent == OFFICIAL.resolve() else ""


def runs_named(runs: object | Iterable[object]) -> list[object]:
    """Return runs one by one: a run, or several of them, ``official`` and ``submissions`` standing for all of those.

    A folder of your own that is called so is named by its path, ``./official``. The folder of a submission stands for
    its results.
    """
    several = isinstance(runs, Iterable) and not isinstance(runs, (str, PathLike)) and not hasattr(runs, "path")
    listed = list(runs) if several and isinstance(runs, Iterable) else [runs]
    return [one for run in listed for one in _meant(run)]


def _meant(run: object) -> Iterator[object]:
    if str(run) == WORD:
        yield from official_runs()
    elif str(run) == SUBMITTED:
        yield from submitted_runs()
    elif isinstance(run, str | PathLike) and (Path(run) / DESCRIPTION).is_file():
        yield Path(run) / RESULTS
    else:
        yield run


def submitted_runs() -> list[Path]:
    """Return the folders of the results of all submissions, by name: of those in the working folder and heatmark's own.

    Raises
    ------
    StorageError
        If there is none.
    """
    found: dict[str, Path] = {}
    for folder in (Path("leaderboards") / SUBMITTED, SUBMISSIONS):
        for path in sorted(folder.glob(f"*/{DESCRIPTION}")):
            found.setdefault(path.parent.name, path.parent / RESULTS)
    if not found:
        raise StorageError(f"There are no submissions in leaderboards/{SUBMITTED}. `heatmark submit FILE` makes one.")
    return [found[name] for name in sorted(found)]


def _number(version: str) -> int:
    """Return the number of a version, 0 where the name is none."""
    match = re.fullmatch(r"v(\d+)", version)
    return int(match[1]) if match else 0
