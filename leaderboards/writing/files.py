"""The one writer of tables, texts and figures into a folder: each file whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ...errors import BadInput
from ...storage import written_whole
from .ink import reproducible

DOTS_PER_INCH = 300
UNDATED: Mapping[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What a format holds of when and by what a file was made, left out."""
ENDINGS = (".png", ".svg")
"""Of the two files that every figure is written into."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in some spreadsheet."""
FORMATS = (".png", ".jpg", ".jpeg", ".svg", ".pdf", ".webp")


def write_files(folder: Path, contents: Mapping[str, str | Figure | None]) -> list[Path]:
    """Write texts and figures by file name; return the paths, in the order given.

    Parameters
    ----------
    folder
        Where to; made where it is missing.
    contents
        A text, a figure (the name's suffix says the format), or None for a file that there is nothing to write into.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    found = {folder / name: content for name, content in contents.items() if content is not None}
    for path, content in found.items():
        if isinstance(content, Figure):
            write_figure(content, path)
        else:
            with written_whole(path) as temporary:
                temporary.write_text(content, encoding="utf-8", newline="")
    return list(found)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all, with the same bytes each time; the suffix says the format."""
    kind = path.suffix[1:].lower()
    with written_whole(path) as temporary, reproducible():
        figure.savefig(temporary, format=kind, dpi=DOTS_PER_INCH, metadata=UNDATED.get(kind))


def csv_text(frame: pd.DataFrame, digits: int | None = 10) -> str:
    """Return a table as CSV, with numbers to so many significant digits; all that there are where None.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, at which spreadsheets show it as it
    is: names come from files and plugins of others, and one odd name shall not cost the whole table.
    """
    form = None if digits is None else f"%.{digits}g"
    safe = frame.rename(columns=_no_formula).map(_no_formula)
    text: str = safe.to_csv(index=False, float_format=form, lineterminator="\n")
    return text


def json_text(value: Any) -> str:
    """Return JSON as it is written into files; an error for a number that JSON has not got (see `numbers.finite`)."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) and len(value) > 1 else value


def as_files(stem: Path) -> tuple[Path, ...]:
    """Return the two files of a figure: PNG and SVG."""
    return tuple(stem.with_name(stem.name + ending) for ending in ENDINGS)


def as_pictures(figures: Mapping[str, Figure | None]) -> dict[str, Figure | None]:
    """Return figures, given by the stems of their files, by the names of two files each: PNG and SVG."""
    return {f"{stem}{ending}": figure for stem, figure in figures.items() for ending in ENDINGS}


def numbered(stem: str, figures: Collection[Figure]) -> dict[str, Figure | None]:
    """Return figures by the names of their files, with a number where there are several."""
    several = len(figures) > 1
    return as_pictures({f"{stem}{f'-{n}' if several else ''}": figure for n, figure in enumerate(figures, 1)})


def checked_files(out: str | Path) -> tuple[Path, ...]:
    """Return where to write a picture: the file named, or PNG and SVG where its name has no ending.

    Raises
    ------
    BadInput
        For a format that cannot be written.
    """
    path = Path(out)
    if not path.suffix:
        return as_files(path)
    if path.suffix.lower() not in FORMATS:
        raise BadInput(
            f"{path.name}: a picture's format is one of {', '.join(FORMATS)}. Name a file that ends so, or one without "
            "an ending for PNG and SVG."
        )
    return (path,)
