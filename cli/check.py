"""The command that examines a network before anything is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ..benchmark.checking.examination import Examination
    from ..models.checking.finding import Finding

_STYLES = {"holds": "green", "doubtful": "yellow", "fails": "bold red", "inapplicable": "dim"}


def check_command(
    model: Annotated[
        str, typer.Argument(help="A model's name, package.module:build, file.py:build or file:net.keras.")
    ],
    data: Annotated[
        str | None,
        typer.Option("--data", help="A dataset, such as image-folder:PATH; by default the model's own, else noise."),
    ] = None,
    output: options.Output = None,
    framework: options.Framework = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    plugin: options.Plugin = None,
    as_json: options.AsJson = False,
) -> None:
    """Examine a network: say what was understood of it and whether that holds, with the remedy where it does not.

    \b
    heatmark check small-cnn
    heatmark check net.py:build --data image-folder:photos
    heatmark check file:net.keras --json

    Exit status: 0 nothing fails (✓ holds, ! doubtful, – does not apply), 1 something fails (✗).
    """
    from rich.console import Console

    from ..benchmark.checking.by_name import check_named

    with Console(stderr=True).status("loading the model") as status:
        found = check_named(
            options.stating(model, output),
            data,
            framework=framework,
            device=device,
            precision=precision,
            plugins=plugin or (),
            on_question=lambda title: status.update(f"asking: {title}"),
        )
    if as_json:
        options.say_json(found.plain())
    else:
        print_examination(found)
    if found.worst == "fails":
        raise typer.Exit(options.FAILED)


def print_examination(found: Examination, console: Console | None = None) -> None:
    """Print what an examination found; see `print_findings`."""
    print_findings(found.findings, f"{found.summary} ({found.seconds:.1f} s)", console)


def print_findings(findings: Sequence[Finding], summary: str, console: Console | None = None) -> None:
    """Print findings as a table: the sign, the question, and the evidence with the remedy below it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "question", "evidence", box=None, pad_edge=False, header_style="bold")
    for finding in findings:
        style = _STYLES[finding.verdict]
        evidence = Text(finding.evidence, style="dim" if finding.verdict == "inapplicable" else "")
        if finding.remedy:
            evidence.append(f"\n{finding.remedy}", style=style)
        table.add_row(Text(finding.sign, style=style), Text(finding.question), evidence)
    console = console or Console()
    if not console.is_terminal and console.width < 100:
        console = Console(width=110)
    console.print(table)
    console.print(Text(summary))
