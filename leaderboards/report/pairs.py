"""Figures of pairs of methods: who wins against whom, and the critical difference diagram."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..across.overall import Overall
from ..standings.registered import MethodFacts
from ..standings.standings import Table
from ..statistics.significance import LEVEL, Places, least_pairs
from ..statistics.wins import Wins
from ..writing.ink import INK, NAME_WIDTH, SOFT, Margins, bare, note_at_foot, panel_grid, title
from ..writing.numbers import counted, whole_percent

CELL, SMALL_CELL = 0.26, 0.14
"""Inches of a cell that holds a number, and of one that does not."""
NUMBERED = 24
"""The shares of so many methods are written into their cells."""
AXIS = 2.8
"""Inches of the axis of a critical difference diagram."""
BAR_GAP = 9.0
"""Printer's points that are at least between two bars on one line: less would look like one bar."""
LINE = 0.17
"""Inches from one line of a critical difference diagram to the next."""
COLOURS = "RdBu"
PALE = 0.7
"""How much of the colour is taken from a pair that cannot be told apart."""


class Pairs(NamedTuple):
    """Methods from best to worst with what is known of all of their pairs."""

    methods: tuple[MethodFacts, ...]
    mean_ranks: tuple[float, ...]
    tied: tuple[Places, ...]
    places: tuple[int, ...]
    wins: Wins
    unit: str
    """What is won: samples, or blocks of tasks."""

    @classmethod
    def of_table(cls, table: Table) -> Pairs:
        """Return the pairs of the methods that have a place in a table."""
        rows = [(number, row) for number, row in enumerate(table.rows) if row.tied is not None]
        numbers = [number for number, _ in rows]
        return cls(
            tuple(row.method for _, row in rows),
            tuple(row.mean_rank for _, row in rows),
            tuple(row.tied for _, row in rows if row.tied is not None),
            tuple(row.place or 0 for _, row in rows),
            Wins(*(one[np.ix_(numbers, numbers)] for one in table.wins)),
            "samples",
        )

    @classmethod
    def across(cls, standing: Overall) -> Pairs:
        """Return the pairs of the methods that are ranked across tasks; see `Overall.pairs` for what it refuses."""
        wins, tied = standing.pairs()
        rows = standing.ranked
        return cls(
            tuple(row.method for row in rows),
            tuple(row.mean_rank for row in rows),
            tied,
            tuple(row.rank or 0 for row in rows),
            wins,
            "blocks of tasks",
        )

    @property
    def together(self) -> np.ndarray:
        """Which methods cannot be told apart by the ties that tables show: (methods, methods), symmetric."""
        found = np.array([[tied.first <= place <= tied.last for place in self.places] for tied in self.tied])
        # Of two that share a place, one may be told apart by the other's tie alone.
        both: np.ndarray = found & found.T
        return both

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The bars of a critical difference diagram: the largest sets of methods no two of which are told apart."""
        neighbours = [frozenset(map(int, np.flatnonzero(row))) - {at} for at, row in enumerate(self.together)]
        return tuple(sorted(tuple(sorted(one)) for one in _cliques(neighbours) if len(one) > 1))


def why_no_diagram(table: Table) -> str:
    """Return why no critical difference diagram of a table can be drawn; nothing where it can."""
    methods, samples = sum(row.place is not None for row in table.rows), table.model.samples
    if methods < 2:
        return f"{counted(methods, 'method')} with a place: there is no pair to compare."
    least = least_pairs(math.comb(methods, 2))
    if samples >= least:
        return ""
    return (
        f"No diagram of critical differences: {counted(samples, 'sample')} cannot tell apart any of the "
        f"{math.comb(methods, 2)} pairs of {methods} rows, however large the difference; {least} samples would be "
        "enough."
    )


def wins_figure(pairs: Pairs, words: str) -> Figure | None:
    """Return the share of samples that each method wins against each other; None for fewer than two methods.

    Parameters
    ----------
    pairs
        Methods from best to worst.
    words
        What the figure says above its panel.
    """
    count = len(pairs.methods)
    if count < 2:
        return None
    numbered = count <= NUMBERED
    side = count * (CELL if numbered else SMALL_CELL)
    left = NAME_WIDTH * (max(len(method.label) for method in pairs.methods) + 3) + 0.15
    # The title and the note need room that few methods do not make.
    right = max(0.75, 4.6 - left - side)
    figure, panels = panel_grid(1, 1, (side, side), Margins(left, bottom=0.55, right=right, top=0.55))
    panel: Axes = panels[0, 0]
    colours = mpl.colormaps[COLOURS](pairs.wins.share)[..., :3]
    told = (pairs.wins.p <= LEVEL)[..., None]
    shown = np.where(told, colours, 1 - (1 - colours) * (1 - PALE))
    shown[np.eye(count, dtype=bool)] = 0.88
    panel.imshow(shown, interpolation="nearest", aspect="equal")
    if numbered:
        _write_shares(panel, pairs.wins, shown)
    panel.set_xticks(range(count), [str(number) for number in range(1, count + 1)], fontsize=6.5 if numbered else 5)
    names = [f"{method.label}  {number}" for number, method in enumerate(pairs.methods, 1)]
    panel.set_yticks(range(count))
    for label, method in zip(
        panel.set_yticklabels(names, fontsize=8 if numbered else 7, parse_math=False), pairs.methods, strict=True
    ):
        label.set_fontstyle("italic" if method.control else "normal")
    panel.xaxis.tick_top()
    bare(panel)
    panel.tick_params(colors=INK, pad=2)
    title(panel, words, 8)
    _key(figure, panel)
    note_at_foot(
        figure,
        f"Share of {pairs.unit} on which the row beats the column, in percent; ties count half.\n"
        f"Pale: the two cannot be told apart (signed-rank test, Holm, {LEVEL}).",
    )
    return figure


def differences_figure(pairs: Pairs, words: str) -> Figure | None:
    """Return the critical difference diagram (Demsar 2006); None for fewer than two methods.

    Drawn by scikit-posthocs. The bars are the ties that the tables show, which `places_by` makes of the p values: the
    diagram never says what the tables do not.

    Parameters
    ----------
    pairs
        Methods from best to worst.
    words
        What the figure says above its panel.
    """
    from scikit_posthocs import critical_difference_diagram  # slow to import

    count = len(pairs.methods)
    if count < 2:
        return None
    names = [method.id for method in pairs.methods]
    together = pd.DataFrame(pairs.together.astype(float), names, names)
    reach = pairs.mean_ranks[-1] - pairs.mean_ranks[0] or 1.0
    spans = sorted((pairs.mean_ranks[group[0]], pairs.mean_ranks[group[-1]]) for group in pairs.groups)
    levels = bar_levels(spans, BAR_GAP / (72 * AXIS) * reach)
    half = math.ceil(count / 2)
    lines = max(levels, default=0) + 1 + half
    sides = [
        NAME_WIDTH * (max((len(method.label) for method in part), default=0) + 8)
        for part in (pairs.methods[:half], pairs.methods[half:])
    ]
    figure, panels = panel_grid(1, 1, (AXIS, LINE * lines), Margins(sides[0], bottom=0.3, right=sides[1], top=0.62))
    axes: Axes = panels[0, 0]
    drawn = critical_difference_diagram(
        pd.Series(pairs.mean_ranks, names),
        together,
        ax=axes,
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        label_props={"fontsize": 8, "parse_math": False},
        marker_props={"s": 9, "clip_on": False},
        elbow_props={"linewidth": 0.7},
        crossbar_props={"color": INK, "linewidth": 2.0, "solid_capstyle": "butt", "marker": "o", "markersize": 3.2},
        color_palette={method.id: SOFT if method.control else INK for method in pairs.methods},
        text_h_margin=0.02 * reach,
    )
    _stack(drawn, levels)
    facts = {method.id: (method, rank) for method, rank in zip(pairs.methods, pairs.mean_ranks, strict=True)}
    for text in drawn["labels"]:
        method, rank = facts[text.get_text()]
        left = text.get_horizontalalignment() == "right"
        text.set_text(f"{method.label} ({rank:.2f})" if left else f"({rank:.2f}) {method.label}")
        text.set_fontstyle("italic" if method.control else "normal")
    axes.set_ylim(min(text.get_position()[1] for text in drawn["labels"]) - 0.5, 0.0)
    axes.tick_params(labelsize=7.5, colors=INK)
    title(axes, words, 8, pad=14)
    note_at_foot(
        figure,
        "Mean rank, 1 = best. A bar joins methods that cannot be told apart, a dot for each "
        f"(Friedman's test, signed-rank tests, Holm, {LEVEL}).",
    )
    return figure


def bar_levels(spans: Sequence[tuple[float, float]], gap: float) -> list[int]:
    """Return the line below the axis that each bar stands on, 1 first, so that no two on one line seem to be joined.

    Parameters
    ----------
    spans
        From where to where they reach, sorted.
    gap
        What is at least between two of a line.
    """
    ends: list[float] = []
    found = []
    for low, high in spans:
        level = next((number for number, end in enumerate(ends) if low > end + gap), len(ends))
        ends[level : level + 1] = [high]
        found.append(level + 1)
    return found


def _stack(drawn: Mapping[str, Any], levels: Sequence[int]) -> None:
    """Put the bars of a drawn diagram on their lines, and the names below all of them."""
    bars = sorted(
        (line for (line,) in drawn["crossbars"]), key=lambda line: (min(line.get_xdata()), max(line.get_xdata()))
    )
    lowered = max(levels, default=0) - max((-line.get_ydata()[0] for line in bars), default=0)
    for line, level in zip(bars, levels, strict=True):
        line.set_ydata([-float(level)] * len(line.get_xdata()))
    for text, elbow in zip(drawn["labels"], drawn["elbows"], strict=True):
        x, y = text.get_position()
        text.set_position((x, y - lowered))
        elbow.set_ydata([y - lowered, y - lowered, 0.0])


def _cliques(neighbours: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """Return the maximal cliques of a graph (Bron and Kerbosch 1973, with a pivot)."""
    found = []

    def extend(clique: frozenset[int], open_: frozenset[int], done: frozenset[int]) -> None:
        if not open_ and not done:
            found.append(clique)
            return
        pivot = max(open_ | done, key=lambda one: len(open_ & neighbours[one]))
        for one in sorted(open_ - neighbours[pivot]):
            extend(clique | {one}, open_ & neighbours[one], done & neighbours[one])
            open_, done = open_ - {one}, done | {one}

    extend(frozenset(), frozenset(range(len(neighbours))), frozenset())
    return found


def _write_shares(panel: Axes, wins: Wins, shown: np.ndarray) -> None:
    for (row, column), share in np.ndenumerate(wins.share):
        if row != column:
            dark = shown[row, column] @ np.array([0.3, 0.59, 0.11]) < 0.5
            weight = "bold" if wins.p[row, column] <= LEVEL else "normal"
            panel.text(
                column, row, whole_percent(share), ha="center", va="center", fontsize=6, fontweight=weight,
                color="white" if dark else INK,
            )  # fmt: skip


def _key(figure: Figure, panel: Axes) -> None:
    """Draw what the colours mean beside the panel."""
    box = panel.get_position()
    high = min(1.2 / figure.get_figheight(), box.height)
    place = (box.x1 + 0.12 / figure.get_figwidth(), box.y1 - high, 0.1 / figure.get_figwidth(), high)
    bar = figure.colorbar(ScalarMappable(Normalize(0, 100), COLOURS), cax=figure.add_axes(place), ticks=[0, 50, 100])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6.5, length=0, colors=INK)
    bar.ax.set_ylabel("won, %", fontsize=6.5, color=INK)
    panel.add_patch(Rectangle((-0.5, -0.5), *(panel.get_xlim()[1] + 0.5,) * 2, fill=False, edgecolor="#bbbbbb", lw=0.6))
