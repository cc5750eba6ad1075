"""The audit of metrics as pictures, which metrics agree and which question each one passes, and all its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from ..writing.files import as_pictures, csv_text, write_files
from ..writing.ink import INK, Margins, bare, legend, note_at_foot, panel_grid, wrapped
from ..writing.names import shown
from ..writing.text_tables import texts_of
from .audit import QUESTIONS, Grade, MetricsAudit
from .json_file import audit_json
from .tables import ANSWERS, audit_frame, audit_markdown, oracle_frame

TAU_COLOURS = "vlag"
NO_VALUE = "#d9d9d9"
CELL = 0.235
"""Inches of a pair of metrics."""
KEY_ROOM = 2.3
"""Inches of a triangle's side from which on the key fits beside it."""
CHECK_WIDTH, CHECK_HEIGHT = 0.62, 0.19
"""Inches of an answer."""
NAME_CHARACTER = 0.054
"""Inches of a character of a metric's name, on average."""
FAMILY_COLOURS: Mapping[str, str] = {
    "faithfulness": "#77aadd",
    "localisation": "#ee8866",
    "complexity": "#eedd88",
    "robustness": "#44bb99",
    "randomisation": "#ffaabb",
    "axioms": "#99ddff",
}
OTHER_FAMILY = "#aaaa00"
"""Families of metrics: Paul Tol's light scheme, which the colour-blind can tell apart, and no family of methods has."""

SHADES: Mapping[Grade, str] = {"": "#eeeeee", "no": "#eda58a", "partly": "#f7e1a1", "yes": "#bfe3cd"}
SOFT = "#666666"


def write_audit_files(audit: MetricsAudit, folder: Path) -> list[Path]:
    """Write all that there is of an audit, each file whole or not at all.

    ``audit.json`` (which `read_audit` reads), ``audit.md``, ``audit.csv`` (a row per metric), ``oracle.csv`` (a row
    per metric, task and control), ``checks``, and where metrics can be compared ``agreement``, each as PNG and SVG.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    return write_files(
        folder,
        {
            "audit.json": audit_json(audit),
            "audit.md": audit_markdown(audit),
            "audit.csv": csv_text(audit_frame(audit), 6),
            "oracle.csv": csv_text(oracle_frame(audit), 6),
            **as_pictures({"checks": draw_checks(audit), "agreement": draw_agreement(audit)}),
        },
    )


def draw_agreement(audit: MetricsAudit, keys: Collection[str] | None = None) -> Figure | None:
    """Draw Kendall's tau-b between the orders that every two metrics put the maps in.

    Red: the same order; blue: the reverse; white: unrelated. Every pair stands once; metrics that agree stand side by
    side, and the band beside their names shows their families. Grey cells have no value: one of the two metrics scores
    all maps alike, or too few.

    Parameters
    ----------
    audit
        What to draw.
    keys
        Only the metrics with these keys; all where None.

    Returns
    -------
    figure
        None where fewer than two metrics order any maps.
    """
    tau = np.array(audit.tau, np.float64)
    wanted = [
        number
        for number, one in enumerate(audit.metrics)
        if (keys is None or one.key in keys) and np.isfinite(tau[number]).any()
    ]
    if len(wanted) < 2:
        return None
    order = [wanted[place] for place in clustered(tau[np.ix_(wanted, wanted)])]
    members, found = [audit.metrics[number] for number in order], tau[np.ix_(order, order)]
    count = len(members)
    names = [shown(one.metric, "metric") for one in members]
    left, side = NAME_CHARACTER * max(map(len, names)) + 0.62, CELL * count
    figure, panels = panel_grid(
        1, 1, (side, side), Margins(left, bottom=0.35, right=0.15 + max(0.0, KEY_ROOM - side), top=0.5)
    )
    axes = panels[0, 0]
    sns.heatmap(
        found,
        ax=axes,
        mask=np.triu(np.ones_like(found, dtype=bool)),
        vmin=-1,
        vmax=1,
        cmap=TAU_COLOURS,
        annot=np.vectorize(_two_digits)(found),
        fmt="",
        annot_kws={"fontsize": 6},
        linewidths=0.4,
        linecolor="white",
        cbar=False,
        xticklabels=False,
        yticklabels=False,
    )
    for row, column in zip(*np.nonzero(~np.isfinite(found)), strict=True):
        if column < row:
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=NO_VALUE, edgecolor="white", linewidth=0.4))
    # Every metric has a number: rows are named, columns numbered where their part of the triangle begins.
    axes.set_yticks(np.arange(count) + 0.5)
    axes.set_yticklabels([f"{name}   {n}" for n, name in enumerate(names, 1)], rotation=0, fontsize=7, parse_math=False)
    axes.tick_params(axis="y", pad=0.2 * 72)
    for row, one in enumerate(members):
        place = (-0.18 / CELL, row + 0.08)
        band = Rectangle(
            place, 0.11 / CELL, 0.84, facecolor=FAMILY_COLOURS.get(one.family, OTHER_FAMILY), clip_on=False
        )
        axes.add_patch(band)
        axes.text(row + 0.5, row + 0.5, str(row + 1), fontsize=6, color=SOFT, ha="center", va="center")
    entries = {
        one.family: Rectangle((0, 0), 1, 1, color=FAMILY_COLOURS.get(one.family, OTHER_FAMILY)) for one in members
    }
    _draw_key(figure, axes, entries)
    bare(axes)
    heading = f"Do metrics agree on which map is better? Mean over {_datasets(audit)}."
    figure.text(
        0.08 / figure.get_figwidth(), 1 - 0.08 / figure.get_figheight(),
        wrapped(heading, 0.8 * figure.get_figwidth()), fontsize=8, color=INK, va="top", parse_math=False,
    )  # fmt: skip
    note_at_foot(figure, "Kendall's tau between the orders of the maps of all methods, controls and the oracle.")
    return figure


def _draw_key(figure: Figure, axes: Axes, families: Mapping[str, Rectangle]) -> None:
    """Draw the scale of colours and what the families' colours are into the empty half of the square, or beside it."""
    width, height = figure.get_size_inches()
    box = axes.get_position()
    right, top = width - 0.15, box.y1 * height
    bar = figure.add_axes(((right - 1.35) / width, (top - 0.12) / height, 1.25 / width, 0.09 / height))
    figure.colorbar(ScalarMappable(Normalize(-1, 1), TAU_COLOURS), cax=bar, orientation="horizontal", ticks=[-1, 0, 1])
    bar.set_xticks([-1, 0, 1], ["reversed", "unrelated", "same order"], fontsize=5.5)
    bar.tick_params(length=1.5, width=0.5)
    bar.spines[:].set_visible(False)
    legend(
        figure, families, 6.5, loc="upper right", bbox_to_anchor=(right / width, (top - 0.32) / height),
        handlelength=0.7, labelspacing=0.35, borderaxespad=0.0,
    )  # fmt: skip


def draw_checks(audit: MetricsAudit) -> Figure:
    """Draw every metric's answer to every question: the number, on a colour that says whether it passed."""
    members = audit.by_family
    shades = list(SHADES)
    answers = np.array([[shades.index(answer) for answer in one.answers.values()] for one in members])
    texts = np.array([texts_of(ANSWERS, one) for one in members])
    names = [f"{shown(one.metric, 'metric')} {one.mark}" for one in members]
    size = (CHECK_WIDTH * len(QUESTIONS), CHECK_HEIGHT * len(members))
    margins = Margins(NAME_CHARACTER * max(map(len, names)) + 0.1, bottom=0.3, right=0.85, top=0.6)
    figure, panels = panel_grid(1, 1, size, margins)
    axes = panels[0, 0]
    sns.heatmap(
        answers,
        ax=axes,
        vmin=0,
        vmax=len(SHADES) - 1,
        cmap=ListedColormap(list(SHADES.values())),
        annot=texts,
        fmt="",
        annot_kws={"fontsize": 6.5, "color": INK},
        linewidths=0.8,
        linecolor="white",
        cbar=False,
        xticklabels=list(QUESTIONS),
        yticklabels=1,
    )
    axes.set_yticklabels(names, rotation=0, fontsize=7, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelsize=7, colors=INK)
    first = 0
    for family, own in audit.of_family.items():
        height = first + len(own) / 2
        if first:
            axes.axhline(first, color=SOFT, linewidth=1.2)
        axes.text(len(QUESTIONS) + 0.1, height, family, fontsize=7, va="center", color=SOFT, parse_math=False)
        first += len(own)
    bare(axes)
    heading = f"Can these metrics be trusted? On {_datasets(audit)}."
    width, height = figure.get_size_inches()
    figure.text(
        0.08 / width, 1 - 0.08 / height, wrapped(heading, 0.8 * width), fontsize=8, color=INK, va="top",
        parse_math=False,
    )  # fmt: skip
    note_at_foot(figure, "Green: passed on all data. Yellow: on some. Red: on none. Grey: not asked, or no value.")
    return figure


def clustered(tau: np.ndarray) -> list[int]:
    """Return an order in which metrics that agree stand side by side (average linkage, best order of leaves)."""
    if len(tau) < 3:
        return list(range(len(tau)))
    distance = 1.0 - np.where(np.isfinite(tau), tau, 0.0)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0.0)
    flat = squareform(distance.clip(0, 2), checks=False)
    return [int(leaf) for leaf in leaves_list(optimal_leaf_ordering(linkage(flat, "average"), flat))]


def _two_digits(value: float) -> str:
    return f"{value:.1f}".replace("0.", ".").replace("-.0", ".0") if np.isfinite(value) else ""


def _datasets(audit: MetricsAudit) -> str:
    return ", ".join(dict.fromkeys(task.dataset for task in audit.tasks))
