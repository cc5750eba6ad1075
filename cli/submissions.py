"""The commands by which something of one's own comes to heatmark: new, test, submit, validate, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInput, suggestion
from . import options
from .check import print_findings
from .options import FAILED, Names, joined

if TYPE_CHECKING:
    from ..benchmark.contracts.report import Kind

KINDS: tuple[Kind, ...] = ("method", "metric", "dataset", "model")
SHOWN = 8
"""So many scores that differ are shown."""
Isolated = Annotated[
    bool, typer.Option("--isolated", help="Run the file's methods in a sandbox: code that you have not read.")
]


def new_command(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="What the file registers.")],
    name: Annotated[str, typer.Argument(help="Its name: letters, digits and _-. only.")],
    out: Annotated[Path | None, typer.Option("--out", help="The file; NAME.py by default.")] = None,
) -> None:
    """Write a commented file that registers a method, metric, dataset or model, and runs as it is.

    \b
    heatmark new method my_method
    heatmark test my_method.py
    """
    from ..benchmark.contracts.new_file import write_new

    path = write_new(_kind(kind), name, out)
    typer.echo(f"Written: {path}. Try it: heatmark test {path}")


def test_command(
    what: Annotated[str, typer.Argument(metavar="FILE|NAME", help="Your .py file, or the name of what it registers.")],
    kind: Annotated[str | None, typer.Option("--kind", help=f"Only a {', '.join(KINDS)}.")] = None,
    frameworks: options.Frameworks = None,
    isolated: Isolated = False,
    plugin: options.Plugin = None,
    as_json: options.AsJson = False,
) -> None:
    """Hold a method, metric, dataset or model to its contract, in every framework; say what fails and what to do.

    Of a method: shape, type, finite values; the same for the same seed, in any batch, order and chunk; inputs and
    network unchanged; right where the truth is known; sums, where it says so; the same maps in both frameworks.

    \b
    heatmark test my_method.py
    heatmark test my_method.py --isolated       # a file of someone else's
    heatmark test "integrated_gradients[steps=20]"

    Exit status: 0 nothing fails (✓ holds, ! doubtful, – does not apply), 1 something fails (✗).
    """
    from rich.console import Console

    from ..benchmark.contracts.reporting import contract_reports

    named = joined(frameworks)
    with Console(stderr=True).status("loading") as status:
        found = contract_reports(
            f"untrusted:{what}" if isolated else what,
            kind=None if kind is None else _kind(kind),
            frameworks=None if named is None else [item.strip() for item in named.split(",")],
            plugins=plugin or (),
            on_question=lambda text: status.update(f"asking: {text}"),
        )
    if as_json:
        options.say_json([one.plain() for one in found])
    else:
        for one in found:
            print_findings(one.findings, f"{one.summary} ({one.seconds:.1f} s)")
    if not all(one.passed for one in found):
        raise typer.Exit(FAILED)


def submit_command(
    file: Annotated[Path, typer.Argument(help="Your .py file, which registers methods.")],
    authors: Annotated[str, typer.Option("--authors", help="Who submits, comma-separated.")],
    suite: Annotated[str, typer.Option("--suite", help="A suite's name, or the path of a .toml file.")] = "quick",
    paper: Annotated[str, typer.Option("--paper", help="A link or a reference.")] = "",
    name: Annotated[str | None, typer.Option("--name", help="The submission's; the file's by default.")] = None,
    methods: Annotated[Names, typer.Option("--methods", help="Some of its methods, such as mine[steps=20|50].")] = None,
    frameworks: options.Frameworks = None,
    limit: options.Limit = None,
    device: options.Device = "auto",
    engine: options.Engine = "processes",
    isolated: Isolated = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder; leaderboards/submissions/NAME by default.")
    ] = None,
) -> None:
    """Test the methods of a file, run a suite of them and its controls, and write a submission for a pull request.

    \b
    heatmark submit my_method.py --suite quick --authors "A. Author, B. Author" --paper https://arxiv.org/abs/...

    Exit status: 0 written and valid, 1 a contract is broken or a cell failed (nothing is written), 2 bad input.
    """
    import shlex
    import sys

    from rich.console import Console

    from ..leaderboards.submitting.submit import submit

    console = Console(stderr=True)
    with console.status("testing") as status:

        def told(text: str) -> None:
            status.update(f"asking: {text}")

        made = submit(
            file,
            authors=authors.split(","),
            suite=suite,
            name=name,
            paper=paper,
            methods=joined(methods),
            frameworks=joined(frameworks),
            limit=limit,
            device=device,
            engine=engine,
            isolated=isolated,
            out=out,
            command=shlex.join(["heatmark", *sys.argv[1:]]),
            progress=False,
            on_question=told,
        )
    for one in made.contracts:
        typer.echo(one.summary)
    for sentence in made.standing:
        typer.echo(sentence)
    typer.echo(made.validation.summary)
    typer.echo(
        f"Written: {made.folder}. Commit it and open a pull request (CONTRIBUTING.md); "
        "see it beside the official results: heatmark leaderboard official submissions --out board"
    )


def validate_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders that heatmark submit wrote.")],
    as_json: options.AsJson = False,
) -> None:
    """Say whether submissions are whole and can be what they say; nothing that was submitted is run.

    \b
    heatmark validate leaderboards/submissions/my_method

    Exit status: 0 nothing fails (✓ holds, ! doubtful, – does not apply), 1 something fails (✗).
    """
    from ..leaderboards.trust.validation import validate

    found = [validate(folder) for folder in folders]
    if as_json:
        options.say_json(
            [
                {"folder": str(one.folder), "valid": one.valid, "findings": [item.plain() for item in one.findings]}
                for one in found
            ]
        )
    else:
        for one in found:
            print_findings(one.findings, one.summary)
    if not all(one.valid for one in found):
        raise typer.Exit(FAILED)


def verify_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that heatmark submit wrote.")],
    seed: Annotated[
        str | None, typer.Option("--seed", help="What the part is drawn by; the commit's hash by default.")
    ] = None,
    scores: Annotated[int, typer.Option("--scores", help="So many scores are computed again.")] = 300,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="What they may differ by, as a share of the metric's spread.")
    ] = 0.01,
    who: Annotated[str | None, typer.Option("--who", help="Who verifies; Git's user name by default.")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Run the file without a sandbox: you have read it.")] = False,
    device: options.Device = "auto",
    engine: options.Engine = "processes",
) -> None:
    """Compute a random part of a submission's scores again, in a sandbox, and record what came out.

    \b
    heatmark verify leaderboards/submissions/my_method --who "C. Checker"

    Exit status: 0 all came out the same, 1 some did not, 2 the submission is not valid.
    """
    from ..leaderboards.submitting.verify import verify

    found = verify(
        folder, seed=seed, scores=scores, tolerance=tolerance, who=who, trust=trust, device=device, engine=engine
    )
    for one in found.differing[:SHOWN]:
        typer.echo(f"✗ {one.sentence}")
    if len(found.differing) > SHOWN:
        typer.echo(f"... and {len(found.differing) - SHOWN} more")
    typer.echo(found.summary)
    typer.echo(f"Recorded: {found.record}")
    if not found.reproduced:
        raise typer.Exit(FAILED)


def _kind(text: str) -> Kind:
    for kind in KINDS:
        if text in (kind, f"{kind}s"):
            return kind
    raise BadInput(f"There is no {text!r} to write or test.{suggestion(text, KINDS)} Write one of: {', '.join(KINDS)}.")
