"""Data as script files: what a page reads them with needs no server, so the site works from disk.

A browser refuses to fetch a file beside a page that was opened from disk, but runs a script that lies there. Every data
file is one call, ``heatmark.received(NAME, DATA)``. Doubles are stored to the last bit, as base64.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np


def script(name: str, data: Any) -> str:
    """Return the script that hands ``data`` to the page under ``name``."""
    # Inside a script file, unlike inside a page, `</script>` is harmless; U+2028 ends no line in JSON since ES2019.
    body = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"heatmark.received({json.dumps(name)},{body});\n"


def short(value: float, digits: int) -> float | int | None:
    """Return a number with so many significant digits; None where there is none, for JSON knows no NaN."""
    if not math.isfinite(value):
        return None
    found = float(f"{value:.{digits}g}")
    return int(found) if found == int(found) and abs(found) < 1e15 else found


def doubles(values: np.ndarray) -> str:
    """Return float64 values, little-endian and in order, as base64."""
    return _encoded(values, "<f8")


def floats(values: np.ndarray) -> str:
    """Return values as float32, little-endian and in order, as base64: enough to be drawn."""
    return _encoded(values, "<f4")


def _encoded(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")
