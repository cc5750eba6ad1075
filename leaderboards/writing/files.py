"""Writing figures: in which formats, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from ...errors import BadInput
from ...storage import written_whole
from ..galleries.columns import LeftOut

DOTS_PER_INCH = 200
FORMATS = (".png", ".jpg", ".jpeg", ".svg", ".pdf", ".webp")


@dataclass(frozen=True)
class Drawn:
    """A written gallery: its file, and the methods that are not in it (of ``all`` only; others say so in the file)."""

    path: Path
    left_out: tuple[LeftOut, ...] = ()


def checked_file(out: str | Path) -> Path:
    """Return where to write a gallery; BadInput for a format that cannot be written."""
    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise BadInput(f"{path.name}: the gallery's format is one of {', '.join(FORMATS)}. Name a file that ends so.")
    return path


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all; the suffix says the format."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=DOTS_PER_INCH)
