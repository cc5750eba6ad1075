"""What a network predicts, shown: in the terminal, as CSV, and as pictures with a matrix of confusions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.text import Text

from ...benchmark.predict import Predictions
from ...benchmark.work.predicting import Answer
from ..galleries.drawing import draw_picture
from ..standings.results import framework_text
from ..statistics.chance import chance_warning
from ..writing.files import as_pictures, csv_text, write_files
from ..writing.ink import INK, SOFT, bare, note_below, sheet, title
from ..writing.numbers import counted, number, percent, shortened
from ..writing.text_tables import Column, console_of, terminal_table

ACROSS = 4
"""So many samples are drawn beside one another."""
PANEL = 1.65
"""Inches of a panel."""
MOST_CLASSES = 30
"""Up to so many classes the matrix of confusions is drawn; the CSV has all."""
CONFUSIONS_NAMED = 5
RIGHT, WRONG = "#009e73", "#d55e00"


def summary(found: Predictions) -> str:
    """Return how good the network is on the samples, in words."""
    samples, labelled = len(found.answers), found.labelled
    head = f"{found.model} on {counted(samples, 'sample')} of {found.dataset} ({framework_text(found.framework)})"
    if not labelled:
        return f"{head}: no labels that it knows, so no accuracy and no loss."
    right = sum(answer.predicted == answer.label for answer in labelled)
    top = len(found.answers[0].classes)
    text = f"{head}: {percent(found.accuracy)} right ({right} of {len(labelled)})"
    if 1 < top < len(found.class_names):
        text += f", {percent(found.top_accuracy)} among the {top} likeliest"
    text += f"; mean cross-entropy {number(found.loss)} nats."
    return text + (f" {counted(samples - len(labelled), 'sample')} without a label." if samples > len(labelled) else "")


def warning(found: Predictions) -> str:
    """Return why the accuracy is not to be relied on, in words; nothing where the network beats guessing."""
    if not found.labelled:
        return ""
    right = sum(answer.predicted == answer.label for answer in found.labelled)
    return chance_warning(right, Counter(answer.label for answer in found.labelled), len(found.class_names) or None)


def confused(found: Predictions) -> list[tuple[int, int, int]]:
    """Return the commonest mistakes as (label, predicted class, how often)."""
    wrong = Counter({pair: count for pair, count in found.confusions.items() if pair[0] != pair[1]})
    return [(label, predicted, count) for (label, predicted), count in wrong.most_common()]


def print_predictions(found: Predictions, console: Console | None = None) -> None:
    """Print how good the network is, whether it beats guessing, how good for each class, what it confuses most."""
    console = console_of(console)
    console.print(Text(summary(found)))
    if said := warning(found):
        console.print(Text(f"Warning: {said}", style="yellow"))
    labels = Counter(answer.label for answer in found.labelled)
    if 1 < len(labels) <= MOST_CLASSES:
        columns: list[Column[int]] = [
            Column("class", found.name, left=True),
            Column("samples", lambda label: str(labels[label])),
            Column("right", lambda label: percent(found.confusions[label, label] / labels[label])),
        ]
        console.print(terminal_table(columns, sorted(labels)))
    for label, predicted, count in confused(found)[:CONFUSIONS_NAMED]:
        console.print(Text(f"{counted(count, 'time')} {found.name(label)} taken for {found.name(predicted)}"))


def write_predictions(found: Predictions, folder: str | Path | None = None) -> list[Path]:
    """Write ``predictions.csv``, ``confusion.csv`` (where labels are known) and ``predictions`` (PNG and SVG).

    Parameters
    ----------
    folder
        Where to; ``results/predict-MODEL-DATA`` where None.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    place = Path("results") / f"predict-{found.place}" if folder is None else Path(folder)
    return write_files(
        place,
        {
            "predictions.csv": csv_text(predictions_frame(found)),
            "confusion.csv": csv_text(confusion_frame(found)) if found.labelled else None,
            **as_pictures({"predictions": draw_predictions(found)}),
        },
    )


def predictions_frame(found: Predictions) -> pd.DataFrame:
    """Return one row per sample: its label, whether the network is right, the loss, and the likeliest classes."""
    records = []
    for answer in found.answers:
        known = answer.right is not None
        record: dict[str, object] = {
            "sample": answer.sample,
            "label": answer.label if known else "",
            "label_name": found.name(answer.label) if known else "",
            "right": answer.right if known else "",
            "loss": answer.loss,
        }
        for place, (number_, share) in enumerate(zip(answer.classes, answer.probabilities, strict=True), start=1):
            record |= {f"class_{place}": number_, f"name_{place}": found.name(number_), f"probability_{place}": share}
        records.append(record)
    return pd.DataFrame.from_records(records)


def confusion_frame(found: Predictions) -> pd.DataFrame:
    """Return one row per pair of label and predicted class that occurs, with how often."""
    records = [
        {"label": label, "label_name": found.name(label), "predicted": predicted,
         "predicted_name": found.name(predicted), "samples": count}
        for (label, predicted), count in sorted(found.confusions.items())
    ]  # fmt: skip
    return pd.DataFrame.from_records(records)


def draw_predictions(found: Predictions) -> Figure | None:
    """Draw some samples with their likeliest classes as bars, and the matrix of confusions; None without either."""
    shown = [answer for answer in found.answers if answer.picture is not None]
    classes = sorted({number_ for pair in found.confusions for number_ in pair})
    matrix = 1 < len(classes) <= MOST_CLASSES
    lines = math.ceil(len(shown) / ACROSS)
    side = min(7.0, max(3.0, 0.24 * len(classes) + 1.4)) if matrix else 0.0
    if not lines and not matrix:
        return None
    heights = [*([lines * (PANEL + 0.95)] * bool(lines)), *([side] * matrix)]
    figure = sheet(max(ACROSS * PANEL * bool(lines), side) + 0.4, sum(heights) + 0.3)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights)
    places = list(np.atleast_1d(np.asarray(parts, dtype=object)))
    if lines:
        panels = places[0].subplots(2 * lines, ACROSS, squeeze=False, height_ratios=[PANEL, 0.75] * lines)
        for panel in panels.ravel():
            panel.set_axis_off()
        for place, answer in enumerate(shown):
            line, column = divmod(place, ACROSS)
            _draw_answer(panels[2 * line, column], panels[2 * line + 1, column], found, answer)
    if matrix:
        _draw_confusions(places[-1].subplots(), found, classes)
    note_below(figure, summary(found))
    return figure


def _draw_answer(above: Axes, below: Axes, found: Predictions, answer: Answer) -> None:
    """Draw a sample with its id and label, and its likeliest classes below it."""
    assert answer.picture is not None
    above.set_axis_on()
    bare(above)
    above.set_xticks([])
    above.set_yticks([])
    picture = answer.picture
    draw_picture(above, picture.clip(0, 1) if picture.ndim == 3 else picture)
    words = (
        "" if answer.right is None else f"\n{'✓' if answer.right else '✗'} {shortened(found.name(answer.label), 22)}"
    )
    title(above, shortened(answer.sample, 24) + words, 6.5, loc="center")
    below.set_axis_on()
    bare(below)
    shares = answer.probabilities
    colours = [
        RIGHT if number_ == answer.label else WRONG if answer.right is False else SOFT for number_ in answer.classes
    ]
    below.barh(range(len(shares)), shares, color=colours, alpha=0.45, height=0.9)
    for row, (number_, share) in enumerate(zip(answer.classes, shares, strict=True)):
        words = f"{percent(share)}  {shortened(found.name(number_), 20)}"
        below.text(0.02, row, words, fontsize=5.5, va="center", color=INK, parse_math=False)
    below.set_xlim(0, 1)
    below.set_ylim(len(shares) - 0.5, -0.5)
    below.set_xticks([])
    below.set_yticks([])


def _draw_confusions(axes: Axes, found: Predictions, classes: Sequence[int]) -> None:
    """Draw how often each class (lines) is taken for each (columns), as shares of its samples."""
    counts = np.array([[found.confusions[label, other] for other in classes] for label in classes], dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [shortened(found.name(number_), 18) for number_ in classes]
    axes.set_xticks(range(len(names)))
    axes.set_xticklabels(names, fontsize=6, rotation=90, parse_math=False)
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(names, fontsize=6, parse_math=False)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=6, color=colour)
    axes.set_xlabel("predicted", fontsize=7, color=INK)
    axes.set_ylabel("label", fontsize=7, color=INK)
    bare(axes)
    title(axes, "confusions: samples, shaded by share of the label", 7)
