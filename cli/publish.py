"""The command that makes everything that is shown of the official results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import say_written


def publish_command(
    repository: Annotated[Path, typer.Argument(help="A checkout of heatmark's repository.")] = Path(),
    site: Annotated[Path | None, typer.Option("--site", help="Also make the site, in this folder.")] = None,
    version: Annotated[
        str | None, typer.Option("--version-of-results", help="Such as v1; the newest by default.")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Release that version of the results: it never changes then.")
    ] = False,
) -> None:
    """Make README's tables and pictures, docs/results.md, docs/published.md and the site from the official results.

    For those who keep heatmark: in a checkout, after official results came in.

    \b
    heatmark publish
    heatmark publish . --site site
    heatmark publish --version-of-results v1 --release
    """
    from ..leaderboards.publishing.publish import publish

    made = publish(repository, site, version, releasing=release)
    say_written(made.files)
    if made.site is not None:
        typer.echo(f"Open {made.site}")
