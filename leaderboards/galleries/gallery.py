"""A gallery from what is asked of it to its file, and what is said of the methods that are left out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Self

import numpy as np

from ...benchmark.work.explaining import ChosenMethods, LeftOut, chosen_methods
from ...errors import NotApplicable
from ..standings.results import FRAMEWORK_NAMES
from ..writing.files import checked_file, write_figure
from .colours import check_percentile
from .drawing import draw_gallery
from .views import View, views_of


@dataclass(frozen=True)
class Drawn:
    """A written gallery: its file, and what has no heatmap (methods of ``all`` are not in it)."""

    path: Path
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    """What else the user should know, such as pictures that are not in it."""
    empty: bool = False
    """Whether none of the methods that were named has a heatmap; the file says why."""


@dataclass(frozen=True)
class GalleryPlan:
    """A gallery that is asked for, checked before anything is explained."""

    path: Path
    chosen: ChosenMethods
    frameworks: tuple[str, ...]
    views: tuple[View, ...]
    cap: float | None

    @classmethod
    def of(
        cls,
        out: str | Path,
        methods: str | Iterable[str],
        frameworks: str | Sequence[str],
        view: str | Iterable[str],
        cap: float | None,
    ) -> Self:
        """Return what is asked for; an error where it cannot be drawn, as `explain_gallery` has it."""
        path, views = checked_file(out), views_of(view)
        check_percentile(cap)
        names = (frameworks,) if isinstance(frameworks, str) else tuple(frameworks)
        return cls(path, chosen_methods(methods), names, views, cap)

    def write(
        self,
        pictures: Sequence[np.ndarray],
        titles: Sequence[str],
        maps: Mapping[tuple[str, str], Iterable[np.ndarray | str] | LeftOut],
        note: str = "",
    ) -> Drawn:
        """Draw and write the pictures and their maps, given by (method, framework).

        The frameworks of a method stand beside one another. A method without maps is left out of ``all``; where it was
        named, its column says why.

        Raises
        ------
        NotApplicable
            If there is no map to draw.
        """
        left_out = self.chosen.left_out + tuple(column for column in maps.values() if isinstance(column, LeftOut))
        columns: dict[str, Sequence[np.ndarray | str]] = {}
        signed: dict[str, bool] = {}
        for method, framework in product(self.chosen.methods, self.frameworks):
            column = maps[method.id, framework]
            if not (self.chosen.every and isinstance(column, LeftOut)):
                name = method.id + (
                    "" if len(self.frameworks) == 1 else f"\n{FRAMEWORK_NAMES.get(framework, framework)}"
                )
                columns[name] = [column.reason] * len(pictures) if isinstance(column, LeftOut) else list(column)
                signed[name] = method.signed
        if not columns:
            reasons = "; ".join(in_words(left_out)) or "no method was named"
            raise NotApplicable(f"There is no heatmap to draw: {reasons}.")
        write_figure(
            draw_gallery(pictures, columns, signed, titles, view=self.views, cap=self.cap, note=note), self.path
        )
        return Drawn(self.path, left_out, empty=all(isinstance(column, LeftOut) for column in maps.values()))


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
