"""The leaderboard of a run: its standings, and every way to show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from ..storage import written_whole
from .report.tables import csv_text, markdown_text, tidy_frame
from .report.terminal import print_board
from .standings.standings import Standings
from .statistics.bootstrap import RESAMPLES


@dataclass(frozen=True, eq=False)
class Board(Standings):
    """The standings of a run, as a table, as files and in the terminal; see `Standings` for what it holds."""

    @property
    def frame(self) -> pd.DataFrame:
        """Every value as a tidy table: one row per task, framework, method and metric."""
        return tidy_frame(self)

    def write(self, folder: str | Path | None = None) -> list[Path]:
        """Write ``leaderboard.csv``, ``leaderboard.md`` and ``report.html``, each whole or not at all.

        Parameters
        ----------
        folder
            Where to; by default the run's own folder.

        Raises
        ------
        StorageError
            If the folder is read-only or full.
        """
        from .report.costs import cost_markdown
        from .report.html import html_report  # here, because the drawing libraries that it needs are slow to import

        target = Path(folder) if folder is not None else self.store.path
        texts = {
            "leaderboard.csv": csv_text(self),
            "leaderboard.md": markdown_text(self) + "\n" + cost_markdown(self),
            "report.html": html_report(self),
        }
        for name, text in texts.items():
            with written_whole(target / name) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="")
        return [target / name for name in texts]

    def show(self, console: Console | None = None) -> None:
        """Print the tables to a terminal of 100 columns or wider."""
        print_board(self, console)


def leaderboard(run: object, resamples: int = RESAMPLES, seed: int = 0, audit: str | Path | None = None) -> Board:
    """Return the leaderboards of a run, finished or not.

    Parameters
    ----------
    run
        What `heatmark.run` returned, or the path of its folder.
    resamples
        Bootstrap resamples of the samples behind every interval.
    seed
        Seed of the resampling.
    audit
        The folder of an audit of metrics (``heatmark audit metrics``), besides the run's own and heatmark's.

    Raises
    ------
    StorageError
        If the folder holds no run, or one of another schema version; or the audit cannot be read.
    """
    return Board.of_run(run, resamples, seed, audit)
