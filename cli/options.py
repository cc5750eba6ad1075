"""What several commands share: options of one name and meaning, exit statuses, and how files written are named."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import BadInput

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit statuses."""

#: An option that may be given several times, each with several values by commas.
Names = list[str] | None


def _official_expanded(runs: list[Path]) -> list[Path]:
    """Return the folders of runs, those of heatmark's official results in the place of their word."""
    from ..leaderboards.records.official import runs_named

    return [Path(str(run)) for run in runs_named(runs)]


#: Where a command only reads, it takes several runs.
RunFolders = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Folders of runs; official: all results that heatmark carries; submissions: all that were submitted.",
        callback=_official_expanded,
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Audit = Annotated[Path | None, typer.Option("--audit", help="The folder of an audit of metrics, to mark them by.")]

Models = Annotated[Names, typer.Option("--models", help="Models, comma-separated.")]
Model = Annotated[
    str, typer.Option("--model", help="A name, package.module:build, file.py:build or file:net.keras[domain=0..255].")
]
Output = Annotated[
    str | None,
    typer.Option("--output", help="What your own model returns: logits, probabilities, binary or multi-label."),
]
Frameworks = Annotated[Names, typer.Option("--frameworks", help="torch, tensorflow, or both.")]
Framework = Annotated[str | None, typer.Option("--framework", help="torch or tensorflow.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Precision = Annotated[str | None, typer.Option("--precision", help="float32 or bf16.")]
Engine = Annotated[str, typer.Option("--engine", help="processes, serial, dask or slurm.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="How many work side by side: processes of each framework, or jobs of the array."),
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="With dask: the address of a scheduler, such as tcp://node7:8786.")
]
Slurm = Annotated[
    str | None,
    typer.Option("--slurm", help="What is asked of Slurm: partition=gpu,timeout_min=240,mem_gb=16,gpus_per_node=1."),
]
CellTimeout = Annotated[
    float | None,
    typer.Option(
        "--cell-timeout",
        help="Seconds after which a cell is ended and recorded as failed; an hour and more by default.",
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", help="Only so many samples, spread over the classes.")]
PerClass = Annotated[int | None, typer.Option("--per-class", help="Only so many samples of each class.")]
Part = Annotated[
    str | None,
    typer.Option("--part", help="held-out (default): of the data a network was trained on here, only the rest; all."),
]
Add = Annotated[bool, typer.Option("--add", help="Where the folder holds another run: join the two.")]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Replace another run that the folder holds; use a network that fails its examination."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="The seed of noise and masks.")]
Cap = Annotated[
    float | None, typer.Option("--cap", help="The percentile at which scales end: 99, for points the largest value.")
]
_UNTRUSTED = "; untrusted:FILE.py: methods of somebody else's, which run in a sandbox"
MethodPlugin = Annotated[
    Names, typer.Option("--plugin", help=f"A module or .py file that registers your methods{_UNTRUSTED}.")
]
Plugin = Annotated[
    Names, typer.Option("--plugin", help=f"A module or .py file that registers your methods or metrics{_UNTRUSTED}.")
]
Trust = Annotated[bool, typer.Option("--trust", help="Run untrusted:FILE.py without a sandbox, as if it were yours.")]


def joined(texts: Names) -> str | None:
    """Return the values of an option in one text, or None where it was not given."""
    return ",".join(texts) if texts else None


def plugins(given: Names, trust: bool) -> tuple[str, ...]:
    """Return the plugins that are given, those of others without a sandbox where they are trusted."""
    from ..benchmark.setting.plugins import trusting

    return trusting(given or ()) if trust else tuple(given or ())


def stating(model: str, output: str | None) -> str:
    """Return a model's name with what ``--output`` states of it."""
    if output is None:
        return model
    from ..models.zoo.stated import with_stated
    from ..models.zoo.user_models import is_own

    if not is_own(model):
        raise BadInput(f"--output states what a network of your own returns; {model} is known. Leave it out.")
    return with_stated(model, output=output)


def say_json(value: Any) -> None:
    """Print JSON."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def say_written(paths: Iterable[Path]) -> None:
    """Print which files were written, if any."""
    if words := ", ".join(map(str, paths)):
        typer.echo(f"Written: {words}")
