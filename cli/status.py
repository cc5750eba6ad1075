"""The command that says how far runs have come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .show import print_table

if TYPE_CHECKING:
    from ..benchmark.status import Status


def status_command(
    runs: options.RunFolders,
    as_json: options.AsJson = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every finished cell whole and say what is damaged.")
    ] = False,
) -> None:
    """Show how far runs have come: cells done, failed, missing and not applicable.

    \b
    heatmark status results/quick
    """
    from ..benchmark.status import status

    if verify:
        from ..benchmark.store.folder import RunStore

        damaged = [words for run in runs for words in RunStore(run).verify()]
        for words in damaged:
            typer.echo(words, err=True)
        if damaged:
            raise typer.Exit(options.FAILED)
    found = [status(run) for run in runs]
    if as_json:
        options.say_json(found[0].plain() if len(found) == 1 else [one.plain() for one in found])
        return
    for number, one in enumerate(found):
        if len(found) > 1:
            typer.echo(f"{chr(10) if number else ''}{one.path}")
        _print_status(one)


def _print_status(found: Status) -> None:
    from ..benchmark.store.layout import unplanned

    if not found.rows:
        typer.echo(unplanned(found.path), err=True)
        return
    rows = []
    for row in found.rows:
        counts = (row.done, row.failed, row.missing, row.not_applicable)
        rows.append([str(row.task), row.framework, *map(str, counts), f"{row.seconds:.0f} s"])
    print_table(["task", "framework", "done (cached)", "failed", "missing", "not applicable", "time"], rows)
    for owner in found.owners:
        typer.echo(f"at work: {owner}")
    for skipped in found.not_applicable:
        typer.echo(f"not applicable: {skipped.method} ({skipped.framework}, {skipped.task}): {skipped.reason}")
    for failure in found.failures:
        typer.echo(f"failed: {failure.spec.label}: {failure.error}")
