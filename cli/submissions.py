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
    from ..benchmark.contracts.tested import Kind

KINDS: tuple[Kind, ...] = ("method", "metric", "dataset", "model")
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

    from ..benchmark.contracts.testing import tested

    named = joined(frameworks)
    with Console(stderr=True).status("loading") as status:
        found = tested(
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


def _kind(text: str) -> Kind:
    for kind in KINDS:
        if text in (kind, f"{kind}s"):
            return kind
    raise BadInput(f"There is no {text!r} to write or test.{suggestion(text, KINDS)} Write one of: {', '.join(KINDS)}.")
