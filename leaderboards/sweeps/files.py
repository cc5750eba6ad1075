"""The files of a sweep: its table, its scores and its maps."""

from __future__ import annotations

from pathlib import Path

from ...storage import written_whole
from ..writing.files import write_figure
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
    drawn = {"sweep.png": draw_scores(found), "maps.png": draw_maps(found, pictures, view, cap)}
    with written_whole(found.path / "sweep.csv") as temporary:
        found.frame.to_csv(temporary, index=False, lineterminator="\n")
    written = [found.path / "sweep.csv"]
    for name, figure in drawn.items():
        if figure is not None:
            write_figure(figure, found.path / name)
            written.append(found.path / name)
    return written
