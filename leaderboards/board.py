"""The leaderboard of one or several runs: their standings, and every way to show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from rich.console import Console

from ..errors import BadInput
from .across.overall import Overall, overall
from .records.official import runs_named
from .report.overall import overall_frame, print_overall, worth_showing
from .report.tables import board_markdown, tidy_frame, wide_frame
from .report.terminal import WIDTH, print_board
from .standings.standings import Standings
from .statistics.bootstrap import RESAMPLES
from .writing.text_tables import console_of


@dataclass(frozen=True, eq=False, repr=False)
class Board(Standings):
    """The standings of one or several runs, as a table, as files and in the terminal.

    See `Standings` for what it holds.
    """

    def _repr_html_(self) -> str:
        from .report.formats import notebook_html

        return notebook_html(self)

    @property
    def frame(self) -> pd.DataFrame:
        """Every value as a tidy table: one row per task, framework, method and metric."""
        return tidy_frame(self)

    def overall(self, *, fold: bool = True) -> Overall:
        """Return the standing across the tasks; see `across.overall.overall`."""
        return self._overall if fold else overall(self, fold=False)

    @cached_property
    def _overall(self) -> Overall:
        return overall(self)

    def write(self, folder: str | Path | None = None) -> list[Path]:
        """Write ``leaderboard.csv``, ``leaderboard.md`` and ``report.html``, each whole or not at all.

        Of several tasks, ``overall.csv`` too: the standing across them.

        Parameters
        ----------
        folder
            Where to; by default the run's own folder. Of several runs it must be told.

        Raises
        ------
        BadInput
            If no folder is given for several runs.
        StorageError
            If the folder is read-only or full.
        """
        # Here, because the drawing libraries that these need are slow to import.
        from .report.costs import cost_markdown
        from .report.html import html_report
        from .writing.files import csv_text, write_files

        into, standing = self._folder(folder), self.overall()
        texts = {
            "leaderboard.csv": csv_text(wide_frame(self)),
            "overall.csv": csv_text(overall_frame(standing)) if worth_showing(standing) else None,
            "leaderboard.md": board_markdown(self, standing) + "\n" + cost_markdown(self),
            "report.html": html_report(self, standing),
        }
        return write_files(into, texts)

    def write_figures(self, folder: str | Path) -> list[Path]:
        """Write every figure of the board, each as PNG and as SVG, whole or not at all.

        Parameters
        ----------
        folder
            Where to: ``ranks``, ``curves`` and ``pareto`` of each task, ``costs`` where a runtime benchmark lies in the
            run's folder, ``agreement`` where the metrics were audited.

        Raises
        ------
        StorageError
            If the folder is read-only or full.
        """
        from .report.figures import figures_by_kind
        from .writing.files import as_pictures, write_files

        kinds = figures_by_kind(self, self.overall())
        return [path for figures in kinds for path in write_files(Path(folder), as_pictures(figures))]

    def write_differences(self, folder: str | Path | None = None, *, fold: bool = True) -> list[Path]:
        """Write the win matrix and the critical difference diagram of all pairs across tasks, as PNG and SVG.

        Parameters
        ----------
        folder
            Where to: ``overall-wins`` and ``overall-differences``; by default the run's own folder.
        fold
            Whether variants of a method count as one.

        Raises
        ------
        NotApplicable
            If so few independent blocks of tasks cannot tell any pair apart, with what would be enough.
        BadInput
            If no folder is given for several runs.
        StorageError
            If the folder is read-only or full.
        """
        from .report.pairs import Pairs, differences_figure, wins_figure
        from .writing.files import as_pictures, write_files

        pairs = Pairs.across(self.overall(fold=fold))
        figures = {
            "overall-wins": wins_figure(pairs, "Across tasks"),
            "overall-differences": differences_figure(pairs, "Across tasks"),
        }
        return write_files(self._folder(folder), as_pictures(figures))

    def text(
        self,
        form: str,
        *,
        methods: str | Iterable[str] | None = None,
        metrics: str | Iterable[str] | None = None,
        across: int = 4,
    ) -> str:
        """Return the tables as LaTeX, Markdown, HTML, CSV or JSON; see `report.formats.board_text`.

        Examples
        --------
        >>> tables = board.text("latex", methods="grad_cam,rise", metrics="deletion,insertion")
        """
        from .report.formats import board_text

        return board_text(self, form, methods=methods, metrics=metrics, across=across)

    def show(self, console: Console | None = None) -> None:
        """Print the tables to a terminal of 100 columns or wider."""
        print_board(self, self.overall(), console)

    def show_overall(self, console: Console | None = None, *, fold: bool = True, complete: bool = False) -> None:
        """Print the standing across tasks alone.

        Parameters
        ----------
        console
            Where to; the terminal where None.
        fold
            Whether variants of a method count as one.
        complete
            Only the methods that have a place in every task; no rank changes, for only these are ranked.
        """
        standing = self.overall(fold=fold)
        print_overall(standing.complete if complete else standing, console_of(console, WIDTH))

    def _folder(self, folder: str | Path | None) -> Path:
        """Return where to write: the folder given, or that of the only run."""
        if folder is not None:
            return Path(folder)
        if len(self.stores) > 1:
            raise BadInput(
                f"These are the tables of {len(self.stores)} runs together, which belong into none of their folders. "
                "Name a folder with --out (in Python: write(folder))."
            )
        return self.stores[0].path


def leaderboard(
    run: object | Iterable[object], resamples: int = RESAMPLES, seed: int = 0, audit: str | Path | None = None
) -> Board:
    """Return the leaderboards of a run, finished or not, or of several runs together.

    In one table stands what may be compared: one network (its weights), one choice of samples of one revision of the
    data, one explained class, precision, framework and device; what differs in one of these has a table of its own,
    whose title says so. Two protocols of a metric are two columns, two versions of a method two rows. The same cell in
    two runs counts once.

    Parameters
    ----------
    run
        What `heatmark.run` returned, the path of its folder, ``"official"`` for heatmark's official results, or several
        of these.
    resamples
        Bootstrap resamples of the samples behind every interval.
    seed
        Seed of the resampling.
    audit
        The folder of an audit of metrics (``heatmark audit metrics``), besides the runs' own and heatmark's.

    Raises
    ------
    StorageError
        If a folder holds no run, or one of another schema version; or the audit cannot be read.
    BadInput
        If two runs hold different scores of the same thing.
    """
    return Board.of_runs(runs_named(run), resamples, seed, audit)
