"""Two runs, or two methods, side by side and sample by sample: the public `compare`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from ...errors import BadInput
from ...selection import parse_selections, split_selections
from ..records.official import runs_named
from .comparison import Comparison
from .making import of_methods, of_runs
from .tables import frame, markdown, plain, print_comparison, samples_frame


@dataclass(frozen=True, eq=False, repr=False)
class SideBySide(Comparison):
    """A comparison as a table, as files and in the terminal; see `Comparison` for what it holds."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per model, dataset, framework, method (or pair of methods) and metric, numbers in full."""
        return frame(self)

    @property
    def samples(self) -> pd.DataFrame:
        """One row per comparison and sample, with both scores and their difference."""
        return samples_frame(self)

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return plain(self)

    def show(self, console: Console | None = None) -> None:
        """Print the comparison to a terminal."""
        print_comparison(self, console)

    def _repr_html_(self) -> str:
        from .html import html_tables  # slow to import

        return html_tables(self)

    def write(self, folder: str | Path) -> list[Path]:
        """Write the comparison into a folder, each file whole or not at all.

        ``comparison.csv`` (one row per comparison), ``samples.csv`` (one per sample of each), ``comparison.json``,
        ``comparison.md``, ``comparison.html``, and the pictures ``scatter.png`` and ``scatter.svg``, numbered where
        there are several.

        Raises
        ------
        StorageError
            If the folder is read-only or full.
        """
        # Here, because the drawing libraries that these need are slow to import.
        from ..writing.files import csv_text, json_text, numbered, write_files
        from .html import html_page
        from .plots import scatter_figures

        figures = scatter_figures(self)
        return write_files(
            Path(folder),
            {
                "comparison.csv": csv_text(self.frame, None),
                "samples.csv": csv_text(self.samples, None),
                "comparison.json": json_text(self.plain()),
                "comparison.md": markdown(self),
                "comparison.html": html_page(self, figures),
                **numbered("scatter", figures),
            },
        )


def compare(*runs: object, methods: str | Iterable[str] | None = None) -> SideBySide:
    """Compare two runs, or two methods of what one or several runs hold, sample by sample.

    Parameters
    ----------
    *runs
        What `heatmark.run` returned, or the paths of folders; ``"official"`` stands for heatmark's official results.
        Two where ``methods`` is not given.
    methods
        Two methods, such as ``"grad_cam,saliency"``; they are compared on every task and metric that both have.

    Returns
    -------
    SideBySide
        With ``frame``, ``samples``, ``plain()``, ``show()`` and ``write(folder)``.

    Raises
    ------
    BadInput
        If the two have nothing in common (the message says what each has), or are one and the same.
    UnknownName
        If no run has one of the methods.
    StorageError
        If a folder holds no run.

    Examples
    --------
    >>> heatmark.compare("results/before", "results/after").show()
    >>> heatmark.compare("results/quick", methods="grad_cam,saliency").frame
    """
    named = runs_named(list(runs))
    if methods is not None:
        texts = [methods] if isinstance(methods, str) else list(methods)
        found = of_methods(named, [name for text in texts for part in split_selections(text) for name in _names(part)])
    elif len(named) == 2:
        found = of_runs(*named)
    else:
        raise BadInput(
            f"Two runs are compared with one another, got {len(named)}. Name two, or two methods with --methods A,B "
            "(in Python: methods=), which are compared in one or several runs."
        )
    return SideBySide(**{item.name: getattr(found, item.name) for item in fields(Comparison)})


def _names(part: str) -> list[str]:
    """Return the methods that a part of a selection names; what is no selection names itself, as on the board."""
    try:
        return [str(selection) for selection in parse_selections(part)]
    except BadInput:
        return [part]
