"""The columns of a gallery, and what is said of the methods that are left out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...benchmark.work.explaining import LeftOut
from ..standings.results import FRAMEWORK_NAMES

if TYPE_CHECKING:
    from ...methods.registry import Method


@dataclass(frozen=True)
class Drawn:
    """A written gallery: its file, and the methods that are not in it (of ``all`` only; others say so in the file)."""

    path: Path
    left_out: tuple[LeftOut, ...] = ()


def in_words(left_out: Iterable[LeftOut]) -> list[str]:
    """Return one line per reason, with all the methods that it holds for."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for item in left_out:
        by_reason.setdefault((item.framework, item.reason), []).append(item.method)
    places = {framework: f" ({FRAMEWORK_NAMES.get(framework, framework)})" for framework, _ in by_reason if framework}
    return [
        f"left out {', '.join(methods)}{places.get(framework, '')}: {reason}"
        for (framework, reason), methods in by_reason.items()
    ]


def columns_of(methods: Sequence[Method], frameworks: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return the titles of a gallery's columns by (method, framework): the frameworks stand beside one another."""
    return {(method.id, name): _column(method.id, name, frameworks) for method in methods for name in frameworks}


def signs_of(methods: Sequence[Method], columns: dict[tuple[str, str], str]) -> dict[str, bool]:
    """Return by column title whether its maps are signed."""
    signed = {method.id: method.entry.signed for method in methods}
    return {title: signed[method] for (method, _), title in columns.items()}


def _column(method: str, framework: str, frameworks: Sequence[str]) -> str:
    return method if len(frameworks) == 1 else f"{method}\n{FRAMEWORK_NAMES.get(framework, framework)}"
