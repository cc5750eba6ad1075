"""The audit of metrics as pictures, which metrics agree and which question each one passes, and all its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from ..writing.files import csv_text, write_files
from ..writing.ink import INK, bare, legend, note_below, sheet, title
from ..writing.text_tables import texts_of
from .audit import QUESTIONS, Grade, MetricsAudit
from .json_file import audit_json
from .tables import ANSWERS, audit_frame, audit_markdown, oracle_frame

TAU_COLOURS = "vlag"
MOST_WRITTEN = 26
"""Up to so many metrics, the number is written into each cell."""

SHADES: Mapping[Grade, str] = {"": "#eeeeee", "no": "#eda58a", "partly": "#f7e1a1", "yes": "#bfe3cd"}
SOFT = "#666666"


def write_audit_files(audit: MetricsAudit, folder: Path) -> list[Path]:
    """Write all that there is of an audit, each file whole or not at all.

    ``audit.json`` (which `read_audit` reads), ``audit.md``, ``audit.csv`` (a row per metric), ``oracle.csv`` (a row
    per metric, task and control), ``checks.png``, and where metrics can be compared ``agreement.png`` and
    ``agreement.svg``.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    agreement = draw_agreement(audit)
    return write_files(
        folder,
        {
            "audit.json": audit_json(audit),
            "audit.md": audit_markdown(audit),
            "audit.csv": csv_text(audit_frame(audit), 6),
            "oracle.csv": csv_text(oracle_frame(audit), 6),
            "checks.png": draw_checks(audit),
            "agreement.png": agreement,
            "agreement.svg": agreement,
        },
    )


def draw_agreement(audit: MetricsAudit, keys: Collection[str] | None = None) -> Figure | None:
    """Draw Kendall's tau-b between the orders that every two metrics put the maps in.

    Red: the same order; blue: the reverse; white: unrelated. Families are framed, and in them metrics that agree stand
    side by side. Grey cells have no value: one of the two metrics scores all maps alike, or too few.

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
    order: list[int] = []
    for family in audit.of_family:
        members = [number for number in wanted if audit.metrics[number].family == family]
        order += [members[place] for place in clustered(tau[np.ix_(members, members)])]
    shown, found = [audit.metrics[number] for number in order], tau[np.ix_(order, order)]
    size = max(3.0, 0.2 * len(shown) + 0.6)
    figure = sheet(size + 2.9, size + 1.9)
    axes = figure.subplots()
    written = len(shown) <= MOST_WRITTEN
    sns.heatmap(
        found,
        ax=axes,
        vmin=-1,
        vmax=1,
        cmap=TAU_COLOURS,
        square=True,
        annot=np.vectorize(_two_digits)(found) if written else False,
        fmt="",
        annot_kws={"fontsize": 5.5},
        linewidths=0.4,
        linecolor="white",
        cbar_kws={"label": "Kendall's tau between the orders of maps", "shrink": 0.6, "pad": 0.02},
        xticklabels=1,
        yticklabels=1,
    )
    axes.set_facecolor("#d9d9d9")
    colours = dict(zip(audit.of_family, sns.color_palette("dark", len(audit.of_family)), strict=True))
    names = [one.metric for one in shown]
    axes.set_xticklabels(names, rotation=90, fontsize=7, parse_math=False)
    axes.set_yticklabels(names, rotation=0, fontsize=7, parse_math=False)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, one in zip(labels, shown, strict=True):
            label.set_color(colours[one.family])
    first = 0
    for _, group in groupby(shown, key=lambda one: one.family):
        side = len(list(group))
        if side > 1:
            axes.add_patch(Rectangle((first, first), side, side, fill=False, edgecolor=INK, linewidth=1.0))
        first += side
    entries = {one.family: Rectangle((0, 0), 1, 1, color=colours[one.family]) for one in shown}
    legend(figure, entries, 7, loc="outside lower center", ncols=4, handlelength=0.8)
    bare(axes)
    bar = axes.collections[0].colorbar
    assert bar is not None
    bar.ax.tick_params(labelsize=7)
    bar.ax.yaxis.label.set_fontsize(7)
    title(axes, f"Do metrics agree?\nMean over {_datasets(audit)};\nmaps of methods, controls and the oracle")
    return figure


def draw_checks(audit: MetricsAudit) -> Figure:
    """Draw every metric's answer to every question: the number, on a colour that says whether it passed."""
    shown = audit.by_family
    shades = list(SHADES)
    answers = np.array([[shades.index(answer) for answer in one.answers.values()] for one in shown])
    texts = np.array([texts_of(ANSWERS, one) for one in shown])
    figure = sheet(5.6, 0.17 * len(shown) + 1.3)
    axes = figure.subplots()
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
    axes.set_yticklabels([f"{one.metric} {one.mark}" for one in shown], rotation=0, fontsize=7, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelsize=7, colors=INK)
    first = 0
    for family, members in audit.of_family.items():
        height = first + len(members) / 2
        if first:
            axes.axhline(first, color=SOFT, linewidth=1.2)
        axes.text(len(QUESTIONS) + 0.1, height, family, fontsize=7, va="center", color=SOFT, parse_math=False)
        first += len(members)
    bare(axes)
    heading = f"Can these metrics be trusted? On {_datasets(audit)}"
    figure.suptitle(heading, fontsize=9, color=INK, parse_math=False)
    words = "Green: passed on all data. Yellow: on some. Red: on none. Grey: not asked, or no value."
    note_below(figure, words, SOFT)
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
