"""``heatmark merge``: several runs in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options


def merge_command(
    runs: options.RunFolders,
    out: Annotated[Path, typer.Option("--out", help="The new folder.")],
    pack: Annotated[
        bool, typer.Option("--pack", help="Few small files, without heatmaps: to send, cite and read, not to continue.")
    ] = False,
    no_curves: Annotated[
        bool,
        typer.Option("--no-curves", help="With --pack: only mean curves; no metric can be computed from them."),
    ] = False,
    maps: Annotated[
        int, typer.Option("--maps", min=0, help="With --pack: keep so many heatmaps a cell, rounded, for pictures.")
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the merged run that --out holds.")] = False,
) -> None:
    """Join runs of the same or of different tasks in one folder, or pack one to a small size.

    \b
    heatmark merge results/torch results/tensorflow --out results/both
    heatmark merge results/quick --out results/quick-packed --pack
    """
    from ..benchmark.merge import merge_runs
    from ..errors import BadInput
    from ..leaderboards.records.packing import pack_runs

    if no_curves and not pack:
        raise BadInput("--no-curves leaves curves out of a packed run: give --pack too.")
    if maps and not pack:
        raise BadInput("--maps says how many heatmaps a packed run keeps; others keep all. Give --pack too.")
    if pack:
        merged = pack_runs(runs, out, curves=not no_curves, maps=maps, force=force)
    else:
        merged = merge_runs(runs, out, force=force)
    for note in merged.notes:
        typer.echo(note, err=True)
    typer.echo(merged.summary)
