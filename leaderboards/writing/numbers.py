"""How numbers are written, the same in every output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

MISSING = "-"


def number(value: float) -> str:
    """Return a score with three decimals, or three significant digits where that would hide or waste digits."""
    if not math.isfinite(value):
        return MISSING
    size = abs(value)
    if size >= 1e5 or 0 < size < 5e-4:
        return f"{value:.1e}"
    return f"{value:.{3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0}f}"


def half_width(low: float, high: float) -> str:
    """Return half of an interval's width, short: ``±.02``."""
    half = (high - low) / 2
    if not math.isfinite(half):
        return ""
    if half >= 9.5:
        return f"±{half:.0f}" if half < 1e5 else f"±{half:.0e}"
    text = f"{half:.1f}" if half >= 0.995 else f"{half:.2f}" if half >= 0.0095 or half == 0 else f"{half:.3f}"
    return "±" + text.removeprefix("0")


def with_half_width(mean: float, low: float, high: float) -> str:
    """Return ``0.123 ±.02``."""
    return f"{number(mean)} {half_width(low, high)}".strip()


def decimals(value: float, digits: int = 2) -> str:
    """Return a number with so many decimals."""
    return f"{value:.{digits}f}" if math.isfinite(value) else MISSING


def interval_text(low: float, high: float, text: Callable[[float], str] = number) -> str:
    """Return ``[0.101, 0.145]``, or nothing where there is no interval."""
    return f"[{text(low)}, {text(high)}]" if math.isfinite(low) and math.isfinite(high) else ""


def rank(value: float) -> str:
    """Return a rank: whole where it is whole, else with one decimal (two for thirds and the like)."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:.0f}" if value == round(value) else f"{value:.2f}".rstrip("0")


def seconds(value: float) -> str:
    """Return a time with three significant digits and its unit."""
    if not math.isfinite(value):
        return MISSING
    scaled, unit = (value, "s") if value >= 1 else (value * 1e3, "ms") if value >= 1e-3 else (value * 1e6, "µs")
    return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {unit}"


def count(value: float) -> str:
    """Return a count per image: whole where it is whole."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:,.2f}"


def passes_text(forward: float, backward: float) -> str:
    """Return forward and backward passes per image as ``20 + 20``."""
    return f"{count(forward)} + {count(backward)}" if math.isfinite(forward + backward) else MISSING


def times(value: float) -> str:
    """Return a multiple: ``3.1x``, with two digits where it is small, ``<0.01x`` where it is next to nothing."""
    if not math.isfinite(value):
        return MISSING
    if 0 < value < 0.01:
        return "<0.01x"
    return f"{value:.2g}x" if value < 0.95 else f"{value:,.{1 if value < 100 else 0}f}x"


def memory(value: float) -> str:
    """Return bytes in GiB or MiB."""
    if not math.isfinite(value):
        return MISSING
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else MISSING


def whole_percent(share: float) -> str:
    """Return a share as a whole number of percent, a half to the even one, whichever way it was computed."""
    return f"{round(100 * share, 9):.0f}"


def p_value(value: float) -> str:
    """Return a p value."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def finite(value: Any) -> Any:
    """Return a value as JSON can hold it: None for a number that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def counted(number: int, thing: str) -> str:
    """Return ``1 sample`` or ``3 samples``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def shortened(text: str, length: int = 24) -> str:
    """Return the text, its end cut off where it is too long."""
    return text if len(text) <= length else text[: length - 1] + "…"
