"""Where the panels of a gallery stand: pictures and their maps in lines no wider than a page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..writing.text_tables import in_parts
from .views import View

MOST_ACROSS = 6
PANEL_SIZE = 1.05
"""So many panels of so many inches are as wide as both columns of a paper."""
BELOW_ONE_ANOTHER = 3
"""Up to so many pictures stand below one another; of more, those with few maps also beside one another."""
GAP, BLOCK_GAP, EDGE, SIDE = 0.05, 0.2, 0.06, 0.18
"""Inches between panels, between pictures side by side, at the edges, and for words at the left."""
HEADING_LINE = 0.125
"""Inches of a line of words above a panel."""
CHARACTER = 0.0505
"""Inches of a character of these words, on average."""


@dataclass(frozen=True)
class Place:
    """What one panel of a picture shows: a map in a view, the photograph, or nothing; and the words around it."""

    name: str | None = None
    view: View = "overlay"
    heading: str = ""
    side: str = ""
    shows_photograph: bool = False


@dataclass(frozen=True)
class Layout:
    """Every panel of a gallery, with its place in inches from the left and from the top."""

    places: tuple[tuple[int, Place], ...]
    """The number of its picture, and what each panel shows, from left to right and downward."""
    corners: tuple[tuple[float, float], ...]
    """Where each panel's upper left corner is."""
    panel: tuple[float, float]
    width: float
    height: float
    titles: tuple[str, ...]
    heads: frozenset[int]
    """The pictures above whose maps their headings stand."""
    several: bool
    """Whether a picture has several lines, so that its title must be seen to begin a new one."""

    @classmethod
    def of(
        cls,
        lines: Sequence[Sequence[Place]],
        titles: Sequence[str],
        panel: tuple[float, float],
        across: int | None = None,
    ) -> Layout:
        """Return the layout of pictures that each have these lines of panels."""
        most, wide = int(panel[0] / CHARACTER), max(len(line) for line in lines)
        beside = max(1, (across or MOST_ACROSS) // wide) if len(titles) > BELOW_ONE_ANOTHER and len(lines) == 1 else 1
        rows = in_parts(range(len(titles)), beside)
        texts = tuple(
            "\n".join(textwrap.fill(line, most, break_on_hyphens=False) for line in words.split("\n"))
            for words in titles
        )
        heads = frozenset(range(len(titles)) if len(lines) > 1 else rows[0])
        side = SIDE if any(place.side for line in lines for place in line) else 0.0
        block = wide * (panel[0] + GAP) - GAP + side + BLOCK_GAP
        places: list[tuple[int, Place]] = []
        corners: list[tuple[float, float]] = []
        top = 0.04
        for row in rows:
            for line in lines:
                words = [text for number in row for place in line for text in _words(place, texts, number, heads)]
                top += HEADING_LINE * max((text.count("\n") + 1 for text in words), default=0) + 0.06
                for number_in_row, number in enumerate(row):
                    for column, place in enumerate(line):
                        if place.name is None and not place.shows_photograph:
                            continue
                        places.append((number, place))
                        left = EDGE + number_in_row * block + side * bool(column)
                        corners.append((left + column * (panel[0] + GAP), top))
                top += panel[1] + 0.02
            top += 0.04
        width = 2 * EDGE + max(map(len, rows)) * block - BLOCK_GAP
        return cls(tuple(places), tuple(corners), panel, width, top, texts, heads, len(lines) > 1)

    def figure(self, foot: float) -> tuple[Figure, list[Axes]]:
        """Return a figure with so many inches below the panels, and its panels in the order of ``places``."""
        height = self.height + foot
        figure = Figure(figsize=(self.width, height))
        wide, high = self.panel
        panels = [
            figure.add_axes((x / self.width, (height - y - high) / height, wide / self.width, high / height))
            for x, y in self.corners
        ]
        return figure, panels

    def headings(self, number: int, place: Place) -> list[tuple[str, bool]]:
        """Return the words above a panel of a picture, and whether they are bold; none or one."""
        bold = place.shows_photograph and self.several
        return [(text, bold) for text in _words(place, self.titles, number, self.heads)]


def lines_of(names: Sequence[str], views: Sequence[View], across: int | None) -> list[list[Place]]:
    """Return the lines of panels that every picture gets.

    Several views of several methods are a table with methods as columns and views as lines. Else the maps follow the
    photograph from line to line.
    """
    most = max(across or MOST_ACROSS, 2)
    photograph = Place(shows_photograph=True)
    if len(views) == 1 or len(names) == 1:
        places = [photograph]
        for name in names:
            headings = [_heading(name, view if len(views) > 1 else "") for view in views]
            places += [Place(name, view, heading) for view, heading in zip(views, headings, strict=True)]
        return in_parts(places, most)
    lines: list[list[Place]] = []
    for part in in_parts(names, most - 1):
        for number, view in enumerate(views):
            head = Place() if lines else photograph
            columns = [
                Place(name, view, "" if number else _heading(name, ""), "" if column else view)
                for column, name in enumerate(part)
            ]
            lines.append([head, *columns])
    return lines


def _words(place: Place, titles: Sequence[str], number: int, heads: frozenset[int]) -> list[str]:
    if place.shows_photograph:
        return [titles[number]]
    return [place.heading] if place.heading and number in heads else []


def _heading(name: str, view: str) -> str:
    """Return a column's title in lines that fit: the name, its parameters, the view."""
    most = int(PANEL_SIZE / CHARACTER)
    parts = [part for line in name.split("\n") for part in line.replace(" (", "\n(").replace("[", "\n[").split("\n")]
    lines = [line for part in parts for line in textwrap.wrap(part.replace(",", ", ").replace("  ", " "), most) or [""]]
    return "\n".join([*lines, view] if view else lines)
