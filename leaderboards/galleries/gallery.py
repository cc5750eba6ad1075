"""A gallery from what is asked of it to its file, and what is said of the methods that are left out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Self

import numpy as np

from ...benchmark.work.explaining import ChosenMethods, LeftOut, chosen_methods
from ...errors import NotApplicable
from ..standings.results import FRAMEWORK_NAMES
from ..writing.files import checked_files, write_figure
from ..writing.names import shown
from .colours import check_percentile
from .drawing import draw_gallery
from .views import View, views_of


@dataclass(frozen=True)
class Drawn:
    """A written gallery: its files, and what has no heatmap."""

    paths: tuple[Path, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    """What else the user should know, such as pictures that are not in it."""
    empty: bool = False
    """Whether none of the methods that were named has a heatmap; the file says why."""


@dataclass(frozen=True)
class GalleryPlan:
    """A gallery that is asked for, checked before anything is explained."""

    paths: tuple[Path, ...]
    chosen: ChosenMethods
    frameworks: tuple[str, ...]
    views: tuple[View, ...]
    cap: float | None
    captioned: bool = True
    colour_bar: bool = False

    @classmethod
    def of(
        cls,
        out: str | Path,
        methods: str | Iterable[str],
        frameworks: str | Sequence[str],
        view: str | Iterable[str],
        cap: float | None,
        *,
        captioned: bool = True,
        colour_bar: bool = False,
    ) -> Self:
        """Return what is asked for; an error where it cannot be drawn, as `explain_gallery` has it."""
        paths, views = checked_files(out), views_of(view)
        check_percentile(cap)
        names = (frameworks,) if isinstance(frameworks, str) else tuple(frameworks)
        return cls(paths, chosen_methods(methods), names, views, cap, captioned, colour_bar)

    def write(
        self,
        pictures: Sequence[np.ndarray],
        titles: Sequence[str],
        maps: Mapping[tuple[str, str], Iterable[np.ndarray | str] | LeftOut],
        note: str = "",
    ) -> Drawn:
        """Draw and write the pictures and their maps, given by (method, framework).

        The frameworks of a method stand beside one another. A method without maps has no column, and the caption says
        why, unless none that was named has any: then the columns say it. Of ``all``, those left out are not named.

        Raises
        ------
        NotApplicable
            If there is no map to draw.
        """
        missing = tuple(column for column in maps.values() if isinstance(column, LeftOut))
        empty = len(missing) == len(maps)
        names = self._names()
        columns: dict[str, Sequence[np.ndarray | str]] = {}
        signed: dict[str, bool] = {}
        for method, framework in product(self.chosen.methods, self.frameworks):
            column = maps[method.id, framework]
            if isinstance(column, LeftOut) and (self.chosen.every or not empty):
                continue
            name = names[method.id, framework]
            columns[name] = [column.reason] * len(pictures) if isinstance(column, LeftOut) else list(column)
            signed[name] = method.signed
        left_out = self.chosen.left_out + missing
        if not columns:
            reasons = "; ".join(in_words(left_out)) or "no method was named"
            raise NotApplicable(f"There is no heatmap to draw: {reasons}.")
        reasons_drawn = [] if self.chosen.every or empty else in_words(missing, display=True)
        figure = draw_gallery(
            pictures, columns, signed, titles, view=self.views, cap=self.cap,
            note=" ".join(filter(None, [note, *reasons_drawn])), captioned=self.captioned, colour_bar=self.colour_bar,
        )  # fmt: skip
        for path in self.paths:
            write_figure(figure, path)
        return Drawn(self.paths, left_out, empty=empty)

    def _names(self) -> dict[tuple[str, str], str]:
        """Return the heading of every column: the method's display name, and the framework where there are several."""
        texts = [method.id for method in self.chosen.methods]
        names = {text: shown(text, "method") for text in texts}
        common = {name for name, count in Counter(names.values()).items() if count > 1}
        return {
            (text, framework): (text if names[text] in common else names[text])
            + ("" if len(self.frameworks) == 1 else f"\n{FRAMEWORK_NAMES.get(framework, framework)}")
            for text, framework in product(texts, self.frameworks)
        }


def in_words(left_out: Iterable[LeftOut], *, display: bool = False) -> list[str]:
    """Return one line per reason, with all its methods, by their display names or as they were typed."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for item in left_out:
        name = shown(item.method, "method") if display else item.method
        by_reason.setdefault((item.framework, item.reason), []).append(name)
    places = {framework: f" ({FRAMEWORK_NAMES.get(framework, framework)})" for framework, _ in by_reason if framework}
    start, end = ("Left out ", ".") if display else ("left out ", "")
    return [
        f"{start}{', '.join(methods)}{places.get(framework, '')}: {reason.rstrip('.') if display else reason}{end}"
        for (framework, reason), methods in by_reason.items()
    ]
