"""How methods are drawn, in every figure and on every page: a colour and a marker per family.

The families' colours keep the hues of Okabe and Ito's palette (jfly.uni-koeln.de/color, 2008), which was made for the
colour-blind, darkened until each stands out from white paper by 3:1. The shape of the marker says the family too, so
that nothing rests on colour alone and a grey print tells families apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from matplotlib.lines import Line2D

from ..writing.names import shown
from .registered import CONTROL, MethodFacts

Fill = Literal["full", "none", "left", "bottom"]

PAPER = "#ffffff"

FAMILIES: Mapping[str, tuple[str, tuple[str, str, str]]] = {
    "gradient": ("o", ("#0057c2", "#00306c", "#5a8fd8")),
    "cam": ("s", ("#bf4a00", "#6f2b00", "#d9702e")),
    "perturbation": ("^", ("#008060", "#004a38", "#3a9e84")),
    "propagation": ("D", ("#b0709c", "#553048", "#84507a")),
    "transformer": ("P", ("#c68700", "#634300", "#946400")),
    "influence": ("v", ("#1f95ee", "#125a90", "#1a78be")),
    "peer": ("X", ("#6a1450", "#380a2a", "#96407a")),
}
"""By registered family: its marker, and its colour in three shades, the first of which stands for the family."""

OTHER = ("p", ("#453c14", "#1f1b08", "#7d7446"))
"""The same for families that plugins name, and for what has none."""

FILLS: tuple[Fill, ...] = ("full", "none", "left", "bottom")
LINES = ("-", "-.", ":")

CONTROL_GREYS = ("#2b2b2b", "#6a6a6a", "#8f8f8f")
CONTROL_MARKERS = ("x", "+", "1", "2", "3", "4")
CONTROL_LINE = "--"


@dataclass(frozen=True)
class Style:
    """How one method is drawn wherever it is drawn."""

    colour: str
    """``#rrggbb``: its family's, in one of three shades; a grey for controls."""
    marker: str
    """Its family's marker, by matplotlib's name."""
    line: str
    """``-``, ``-.`` or ``:``; ``--`` for controls alone."""
    fill: Fill = "full"
    """Which part of the marker has the colour; the rest is white."""

    @property
    def look(self) -> dict[str, Any]:
        """The same as matplotlib's properties of a line."""
        return {"color": self.colour, "linestyle": self.line, **self.mark}

    @property
    def mark(self) -> dict[str, Any]:
        """The marker alone, as matplotlib's properties of a line."""
        inside = PAPER if self.fill == "none" else self.colour
        fill = "full" if self.fill == "none" else self.fill
        return {
            "marker": self.marker,
            "markeredgecolor": self.colour,
            "markerfacecolor": inside,
            "markerfacecoloralt": PAPER,
            "fillstyle": fill,
        }

    def handle(self, **more: Any) -> Line2D:
        """Return what stands for the method in a legend."""
        return Line2D([], [], **{"markersize": 5, "linewidth": 1.3, **self.look, **more})


def family_styles(methods: Iterable[MethodFacts]) -> dict[str, Style]:
    """Return how each method is drawn, by its text, the same in whatever order they are given.

    Ask once for all methods of a board: within a family, shade, filling and line tell apart the methods given.
    Contenders have their family's marker and hue; controls are dashed, in greys, with a marker each.

    Parameters
    ----------
    methods
        All that are drawn in figures that belong together; one that is given twice counts once.

    Returns
    -------
    styles
        Different from each other for up to 36 methods of a family (and 18 controls), of which the first 12 differ in
        their markers alone.
    """
    by_family: dict[str, list[str]] = {}
    for method in sorted({one.id: one for one in methods}.values(), key=lambda one: one.id):
        family = method.family if method.family in FAMILIES or method.control else ""
        by_family.setdefault(family, []).append(method.id)
    styles = {}
    for family, names in by_family.items():
        looks = _looks(family)
        styles.update({name: looks[number % len(looks)] for number, name in enumerate(names)})
    return styles


def names_in_figures(methods: Collection[MethodFacts]) -> dict[str, str]:
    """Return what each method is called in figures, by its text: its display name, with the mark of a control.

    Where two would be called the same, both keep their texts.
    """
    texts = {one.id: shown(one.id, "method") for one in methods}
    common = {name for name, count in Counter(texts.values()).items() if count > 1}
    marks = {one.id: " †" if one.control else "" for one in methods}
    return {text: (text if name in common else name) + marks[text] for text, name in texts.items()}


def _looks(family: str) -> list[Style]:
    """Return the looks of a family's methods, the most different ones first."""
    if family == CONTROL:
        number = len(CONTROL_GREYS)
        greys = [CONTROL_GREYS[(turn + place) % number] for turn in range(number) for place in range(6)]
        return [
            Style(grey, CONTROL_MARKERS[place % len(CONTROL_MARKERS)], CONTROL_LINE) for place, grey in enumerate(greys)
        ]
    marker, shades = FAMILIES.get(family, OTHER)
    return [Style(colour, marker, line, fill) for line, fill, colour in product(LINES, FILLS, shades)]
