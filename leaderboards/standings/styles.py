"""How methods are drawn: each has one colour and one marker in every panel of a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import seaborn as sns
from matplotlib.lines import Line2D

from .registered import MethodFacts

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
CONTROL_GREYS = ("#2b2b2b", "#6f6f6f", "#a3a3a3")
CONTROL_MARKERS = ("x", "+", "1", "2", "3", "4")


@dataclass(frozen=True)
class Style:
    """How one method is drawn in every panel."""

    colour: Any
    marker: str
    line: Literal["-", "--"]

    @property
    def look(self) -> dict[str, Any]:
        """The same as matplotlib's properties of a line."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line}

    def handle(self, **more: Any) -> Line2D:
        """Return what stands for the method in a legend."""
        return Line2D([], [], **{"markersize": 4, **self.look, **more})


def method_styles(methods: Sequence[MethodFacts]) -> dict[str, Style]:
    """Return one colour and marker per method: hues for contenders, dashed greys for controls."""
    contenders = [method for method in methods if not method.control]
    controls = [method for method in methods if method.control]
    if len(contenders) <= 8:
        # Without the palette's grey, which controls use, and its yellow, which is too light on white.
        colours = [colour for number, colour in enumerate(sns.color_palette("colorblind", 10)) if number not in (7, 8)]
    else:
        hues = sns.husl_palette(len(contenders), s=0.95, l=0.52)
        # Neighbours in the legend get hues that are far apart.
        step = next(s for s in range(len(hues) // 3 + 1, len(hues) + 2) if math.gcd(s, len(hues)) == 1)
        colours = [hues[number * step % len(hues)] for number in range(len(hues))]
    styles = {
        method.id: Style(colours[number], MARKERS[number % len(MARKERS)], "-")
        for number, method in enumerate(contenders)
    }
    for number, method in enumerate(controls):
        grey = CONTROL_GREYS[number % len(CONTROL_GREYS)]
        styles[method.id] = Style(grey, CONTROL_MARKERS[number % len(CONTROL_MARKERS)], "--")
    return styles
