"""``plan.json``: every cell that a run expects. What the metrics are, which cells share, is told once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import HeatmarkError, StorageError
from ...identity import parsed_json
from ...storage import written_whole
from .cell import CellSpec, with_keys

NAME = "plan.json"
_METRICS = ("metrics", "metric_identities")
_REMEDY = (
    "Start the same `heatmark run` again: it writes the plan anew and keeps the finished cells. Nothing was changed."
)


def write_plan(folder: Path, specs: Sequence[CellSpec]) -> None:
    """Write the plan, whole or not at all; one that says the same already stays.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    places: dict[int, int] = {}
    metrics: list[list[Any]] = []
    cells = []
    last: tuple[Any, Any] | None = None
    for spec in with_keys(specs):
        plain = spec.plain()
        named, identities = (plain.pop(name) for name in _METRICS)
        if last is None or last[1] is not identities:
            last = (named, identities)
            text = json.dumps([named, identities], sort_keys=True)
            known = next((place for place, one in enumerate(metrics) if json.dumps(one, sort_keys=True) == text), None)
            if known is None:
                metrics.append([named, identities])
            places[id(identities)] = len(metrics) - 1 if known is None else known
        cells.append(_line({"key": spec.key, "spec": {**plain, "metrics": places[id(identities)]}}))
    lines = [f'{{"metrics": {_line(metrics)},', '"cells": [', ",\n".join(cells), "]}"]
    text = "\n".join(lines) + "\n"
    path = folder / NAME
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):
        pass
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plan_facts(folder: Path) -> tuple[int, int] | None:
    """Return what tells whether the plan has changed, None where there is none."""
    try:
        found = (folder / NAME).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def read_plan(folder: Path) -> list[CellSpec]:
    """Return every cell of the plan, in its order; none where there is no plan.

    Raises
    ------
    StorageError
        If the file is damaged, or a cell of it is not what its key says.
    """
    path = folder / NAME
    try:
        listed = parsed_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    try:
        cells, metrics = (listed, []) if isinstance(listed, list) else (listed["cells"], listed["metrics"])
        # Until the metrics were told once, a plan was a list of cells with all that belongs to each.
        shared = [(tuple(named), tuple(identities)) for named, identities in metrics]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "it is no list of cells") from error
    specs: list[CellSpec] = []
    methods: dict[str, Any] = {}  # one object for what is the same: it is compared and written faster
    for number, item in enumerate(cells, 1):
        try:
            plain = dict(item["spec"])
            if methods.setdefault(plain["method"], plain["method_identity"]) == plain["method_identity"]:
                plain["method_identity"] = methods[plain["method"]]
            if not isinstance(listed, list):
                plain |= dict(zip(_METRICS, shared[plain["metrics"]], strict=True))
            specs.append(CellSpec.from_plain(plain))
        except (HeatmarkError, KeyError, TypeError, IndexError, ValueError) as error:
            raise _damaged(path, f"its cell {number} cannot be read ({error})") from error
    for number, (item, spec) in enumerate(zip(cells, with_keys(specs), strict=True), 1):
        if item.get("key") != spec.key:
            raise _damaged(path, f"its cell {number} ({spec.label}) is not what its key says")
    return specs


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(f"{path} is damaged: {why}. {_REMEDY}")
