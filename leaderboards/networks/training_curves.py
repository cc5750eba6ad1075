"""How a network's training went: accuracy and loss after every epoch, drawn."""

from __future__ import annotations

from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...models.training.kept import TrainedModel
from ..standings.results import framework_text
from ..writing.files import as_files, checked_files, write_figure
from ..writing.ink import FRAMEWORK_COLOURS, INK, gridded, legend, note_below, plain, sheet, title
from ..writing.numbers import number, percent

FOLDER = Path("results") / "training"


def write_training_curves(trained: TrainedModel, out: str | Path | None = None) -> tuple[Path, ...]:
    """Write the picture of a network's training curves and return its files; where None, ``results/training/NAME``.

    A name without an ending stands for PNG and SVG.

    Raises
    ------
    BadInput
        For a format that cannot be written.
    StorageError
        If the folder is read-only or full.
    """
    figure = draw_training_curves(trained)
    paths = as_files(FOLDER / trained.name) if out is None else checked_files(out)
    for path in paths:
        write_figure(figure, path)
    return paths


def draw_training_curves(trained: TrainedModel) -> Figure:
    """Draw the shares of right answers and the mean cross-entropies of training and test samples over the epochs."""
    figure = sheet(7.0, 3.0)
    epochs = [epoch.epoch for epoch in trained.history]
    drawn: dict[str, Artist] = {}
    last = trained.history[-1]
    for axes, what, words in zip(
        figure.subplots(1, 2),
        ("accuracy", "loss"),
        (f"test accuracy {percent(last.test_accuracy)}", f"test loss {number(last.test_loss)} nats"),
        strict=True,
    ):
        for part, colour in zip(("train", "test"), FRAMEWORK_COLOURS, strict=False):
            values = [getattr(epoch, f"{part}_{what}") for epoch in trained.history]
            (drawn[{"train": "training samples", "test": "test samples"}[part]],) = axes.plot(
                epochs, values, color=colour, linewidth=1.3, marker="o" if len(epochs) < 40 else "", markersize=2.5
            )
        title(axes, f"{what}: {words}")
        axes.set_xlabel("epoch", fontsize=8, color=INK)
        axes.set_ylim(0, 1.03 if what == "accuracy" else None)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        gridded(axes)
        plain(axes)
    legend(figure, drawn, loc="outside upper right", ncols=2)
    held_out = f"; {trained.held_out} samples were held out" if trained.held_out else ""
    where = f"{trained.dataset}, {framework_text(trained.framework)}"
    note_below(figure, f"{trained.name} ({trained.digest[:8]}) on {where}{held_out}")
    return figure
