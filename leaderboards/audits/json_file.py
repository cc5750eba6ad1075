"""Audits of metrics as JSON: written whole, read again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from ...errors import StorageError
from ...identity import parsed_json
from ...storage import written_whole
from .audit import MetricsAudit

SCHEMA = 1
FILE = "audit.json"


def write_audit(audit: MetricsAudit, folder: Path) -> Path:
    """Write ``audit.json``, whole or not at all, and return its path."""
    with written_whole(folder / FILE) as temporary:
        temporary.write_text(audit_json(audit), encoding="utf-8", newline="")
    return folder / FILE


def audit_json(audit: MetricsAudit) -> str:
    """Return the content of ``audit.json``."""
    return _laid_out({"schema": SCHEMA, **_plain(asdict(audit))}) + "\n"


def read_audit(path: Path) -> MetricsAudit:
    """Return the audit in a file, or in a folder that has one.

    Raises
    ------
    StorageError
        If there is none, it is damaged, or of another schema version.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise StorageError(f"{path} holds no audit ({FILE}). Make one: heatmark audit metrics --out {path}")
    try:
        document = parsed_json(file.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise StorageError(
                f"{file} is an audit of schema version {document['schema']}, and this heatmark reads {SCHEMA}. "
                "Make it again: heatmark audit metrics."
            )
        audit: MetricsAudit = _made(MetricsAudit, document)
        return audit
    except StorageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"The audit {file} is damaged ({error!r}). Delete it, or make it again.") from error


_types_of = cache(get_type_hints)
"""The types of a class's fields, worked out once: an audit has a thousand values of few classes."""


def _made(kind: Any, plain: Any) -> Any:
    """Return the value of this type that `asdict` and JSON made plain; null is NaN where a number stands.

    A field that has a default may be missing: it is newer than the file.
    """
    if isinstance(kind, type) and is_dataclass(kind):
        types = _types_of(kind)
        given = [item.name for item in fields(kind) if item.name in plain or item.default is MISSING]
        return kind(**{name: _made(types[name], plain[name]) for name in given})
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], item) for item in plain)
    return math.nan if plain is None and kind is float else plain


def _plain(value: Any) -> Any:
    """Return JSON types: numbers to six significant digits, NaN as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _laid_out(document: Mapping[str, Any]) -> str:
    """Return JSON with one line for each metric, task and row: short, and differences can be read."""
    lines = []
    for key, value in document.items():
        items: Sequence[Any] = value if isinstance(value, list) else ()
        rows = ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in items)
        lines.append(f" {json.dumps(key)}: " + (f"[\n{rows}\n ]" if rows else json.dumps(value, ensure_ascii=False)))
    return "{\n" + ",\n".join(lines) + "\n}"
