"""The command that makes a site of a leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options


def site_command(
    runs: options.RunFolders,
    out: Annotated[Path, typer.Option("--out", help="The site's folder; an earlier site there is replaced.")],
    audit: options.Audit = None,
) -> None:
    """Make a site of the leaderboard of one or several runs: static files, for any server, or to open from disk.

    \b
    heatmark site results/quick --out site
    heatmark site official --out site
    """
    from ..leaderboards.site.site import write_site
    from ..leaderboards.standings.standings import Standings

    def say(words: str) -> None:
        typer.echo(f"{words} ...", err=True)

    say("reading and ranking")
    page = write_site(Standings.of_runs(runs, audit=audit), out, say)
    typer.echo(f"Open {page}")
