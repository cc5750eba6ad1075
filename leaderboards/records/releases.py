"""Released versions of the official results: what they were, byte for byte, so that none ever changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...benchmark.store.folder import RunStore
from ...benchmark.store.keyed import write_json
from ...errors import BadInput, StorageError
from ...identity import file_digest
from . import official

RELEASE = "release.json"
"""In the folder of a released version: when it was released, and the SHA-256 of each of its files."""


def released_on(version: str) -> str:
    """Return the day on which a version was released, such as ``2026-12-01``; nothing where it is not released."""
    return str(_read(version)["released"]) if _path(version).is_file() else ""


def release(version: str) -> Path:
    """Write down what a version is, byte for byte, and return the file; from then on it never changes.

    Raises
    ------
    BadInput
        If it is released already, or one of its runs is damaged.
    StorageError
        If there is no such version, or the folder is read-only or full.
    """
    runs = official.with_published_protocols(official.official_runs(version))
    if day := released_on(version):
        raise BadInput(f"{version} was released on {day}, and never changes. New results belong into a new version.")
    for run in runs:
        if damages := RunStore(Path(str(run))).verify():
            raise BadInput(f"{version} cannot be released: {'; '.join(map(str, damages))}")
    write_json(_path(version), {"released": f"{datetime.now(UTC):%Y-%m-%d}", "files": _digests(version)})
    return _path(version)


def check_release(version: str) -> None:
    """Do nothing where a version is what was released, or is not released.

    Raises
    ------
    StorageError
        With every file that was changed, added or taken away, or if the list of them cannot be read.
    """
    if not released_on(version):
        return
    then, now = _read(version)["files"], _digests(version)
    wrong = [
        *(f"{name} is missing" for name in then if name not in now),
        *(f"{name} is new" for name in now if name not in then),
        *(f"{name} has changed" for name in now if name in then and now[name] != then[name]),
    ]
    if wrong:
        raise StorageError(
            f"{_path(version).parent} is not what was released: {'; '.join(wrong)}. A released version never changes: "
            "take it anew from where it came; new results belong into a new version."
        )


def _path(version: str) -> Path:
    return official.OFFICIAL / version / RELEASE


def _digests(version: str) -> dict[str, str]:
    folder = _path(version).parent
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != _path(version))
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def _read(version: str) -> dict[str, Any]:
    path = _path(version)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {error}. Take it anew from where it came.") from error
    known = found if isinstance(found, dict) else {}
    if not isinstance(known.get("released"), str) or not isinstance(known.get("files"), dict):
        raise StorageError(f"{path} does not say when {version} was released and what its files were.")
    return known
