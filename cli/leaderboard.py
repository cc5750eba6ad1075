"""The command that ranks: leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ..errors import BadInput
from . import options
from .options import Names, joined, say_written

if TYPE_CHECKING:
    from ..leaderboards.board import Board

PAPERS, ACROSS = "Tables for papers and programs", "The standing across tasks"
"""The headings of options in the command's help."""


class InGroups(TyperCommand):
    """A command whose help has its options below headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, each below the heading that it names."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
        for head, records in groups.items():
            with formatter.section(head):
                formatter.write_dl(records)


def leaderboard_command(
    runs: options.RunFolders,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder to write to (the run's own by default); with --format, the file."),
    ] = None,
    audit: options.Audit = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Also write every figure into this folder, as PNG and SVG.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Print the tables alone: latex, markdown, csv, json or html; or --out FILE.",
            rich_help_panel=PAPERS,
        ),
    ] = None,
    methods: Annotated[
        Names, typer.Option("--methods", help="Only these rows, ranked among all.", rich_help_panel=PAPERS)
    ] = None,
    metrics: Annotated[Names, typer.Option("--metrics", help="Only these columns.", rich_help_panel=PAPERS)] = None,
    across: Annotated[
        int | None,
        typer.Option("--across", help="At most so many metrics beside one another (4).", rich_help_panel=PAPERS),
    ] = None,
    overall: Annotated[
        bool, typer.Option("--overall", help="Print only the standing across tasks.", rich_help_panel=ACROSS)
    ] = False,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete",
            help="The same, with only the methods that have a place in every task.",
            rich_help_panel=ACROSS,
        ),
    ] = False,
    unfolded: Annotated[
        bool,
        typer.Option(
            "--unfolded", help="The same, with each variant of a method as a method of its own.", rich_help_panel=ACROSS
        ),
    ] = False,
    differences: Annotated[
        bool,
        typer.Option(
            "--differences",
            help="Draw all pairs across tasks (win matrix, critical differences); refused where so few tasks cannot "
            "tell any apart.",
            rich_help_panel=ACROSS,
        ),
    ] = False,
) -> None:
    """Rank the methods of one or several runs; write leaderboard.csv, leaderboard.md and report.html.

    Of several runs, only what may be compared stands in one table: the same network, samples, explained class,
    precision, framework and device. Two protocols of a metric are two columns, two versions of a method two rows.

    \b
    heatmark leaderboard results/quick
    heatmark leaderboard results/quick --figures paper/figures
    heatmark leaderboard results/quick --format latex --methods grad_cam,rise --metrics deletion,insertion
    heatmark leaderboard results/full --overall --differences
    heatmark leaderboard results/quick results/mine --out results/together
    heatmark leaderboard results/mine official --out results/beside-official
    """
    if form is not None:
        if overall or complete or unfolded or differences:
            raise BadInput("--overall, --complete, --unfolded and --differences go without --format. Leave one out.")
        _write_in_format(runs, form, out, audit, figures, joined(methods), joined(metrics), across)
        return
    if methods or metrics or across is not None:
        raise BadInput("--methods, --metrics and --across choose what --format writes: name a format.")
    board, written = written_board(runs, out, audit)
    written += board.write_figures(figures) if figures is not None else []
    if overall or complete or unfolded:
        board.show_overall(fold=not unfolded, complete=complete)
        say_written(written)
    else:
        show_board(board, written)
    if differences:
        say_written(board.write_differences(out, fold=not unfolded))


def written_board(runs: list[Path], out: Path | None = None, audit: Path | None = None) -> tuple[Board, list[Path]]:
    """Write a leaderboard before anything is printed: what cannot be printed must not cost the files."""
    from ..leaderboards.board import leaderboard

    board = leaderboard(runs, audit=audit)
    return board, board.write(out)


def show_board(board: Board, written: list[Path]) -> None:
    """Print a leaderboard, and which files were written."""
    board.show()
    say_written(written)


def _write_in_format(
    runs: list[Path],
    form: str,
    out: Path | None,
    audit: Path | None,
    figures: Path | None,
    methods: str | None,
    metrics: str | None,
    across: int | None,
) -> None:
    """Write or print the tables of a board in one format."""
    from ..leaderboards.board import leaderboard
    from ..leaderboards.writing.files import write_files

    if out is not None and out.is_dir():
        raise BadInput(f"With --format, --out names the file; {out} is a folder. Name a file in it.")
    board = leaderboard(runs, audit=audit)
    # Everything before anything is written or printed, so that an error leaves no half of it.
    text = board.text(form, methods=methods, metrics=metrics, across=4 if across is None else across)
    written = board.write_figures(figures) if figures is not None else []
    if out is None:
        typer.echo(text, nl=False)
    else:
        written = [*write_files(out.parent, {out.name: text}), *written]
    for path in written:
        typer.echo(f"Written: {path}", err=True)
