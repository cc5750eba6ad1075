"""The files of a sweep: its table, its scores and its maps."""

from __future__ import annotations

from pathlib import Path

from ..writing.files import csv_text, write_files
from .plots import draw_maps, draw_scores
from .sweep import Sweep


def write_sweep(found: Sweep, *, pictures: int = 1, view: str = "overlay", cap: float | None = None) -> list[Path]:
    """Write ``sweep.csv``, ``sweep.png`` and ``maps.png`` into the sweep's folder, each whole or not at all.

    Parameters
    ----------
    pictures
        Of so many samples the maps are drawn.
    view, cap
        How, as `views.seen` takes them.

    Returns
    -------
    paths
        The written files; without maps.png where no maps were kept.
    """
    return write_files(
        found.path,
        {
            "sweep.csv": csv_text(found.frame, None),
            "sweep.png": draw_scores(found),
            "maps.png": draw_maps(found, pictures, view, cap),
        },
    )
