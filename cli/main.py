"""The command line: thin, every command calls the API. Frameworks are imported only where a command needs one."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import BadInput, HeatmarkError, Interrupted, NotApplicable, Untrusted, error_in_words
from . import options
from .audit import audits
from .check import check_command
from .compare import compare_command
from .draw import explain_command, sweep_command
from .leaderboard import InGroups, leaderboard_command, show_board, written_board
from .merge import merge_command
from .networks import predict_command, train_command
from .options import BAD_INPUT, FAILED, INTERRUPTED, Names, joined
from .publish import publish_command
from .published import NameMayBeLeftOut
from .runtime import runtime_command
from .show import doctor_command, list_command, show_command
from .site import site_command
from .status import status_command
from .submissions import new_command, submit_command, test_command, validate_command, verify_command

if TYPE_CHECKING:
    from ..benchmark.running.execution import Run

NAMED_FILES = 8
"""So many files that could not be used are named; the report lists all."""


FIRST = (
    *("run", "status", "leaderboard", "compare", "site", "explain", "check", "predict", "runtime", "sweep", "audit"),
    *("new", "test", "submit", "validate", "verify"),
)
"""The commands that ``--help`` names first, in the order in which people come to them."""


class Commands(TyperGroup):
    """Prints what went wrong as one message instead of a traceback, with a fitting exit status."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands as ``--help`` lists them."""
        names = super().list_commands(ctx)
        return [*(name for name in FIRST if name in names), *(name for name in names if name not in FIRST)]

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Interrupted as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(INTERRUPTED) from None
        except HeatmarkError as error:
            typer.echo(f"heatmark: {error_in_words(error)}", err=True)
            raise typer.Exit(FAILED if isinstance(error, NotApplicable | Untrusted) else BAD_INPUT) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Benchmark attribution methods (heatmaps) for PyTorch and TensorFlow: faithfulness, runtime, leaderboards.",
    epilog="Exit status: 0 all that was asked for is there, 1 some of it failed or is missing, or nothing applies, "
    "2 bad input, 130 stopped by Ctrl-C or a signal.",
)
app.command("list")(list_command)
app.command("show")(show_command)
app.command("status")(status_command)
app.command("doctor")(doctor_command)
app.command("check")(check_command)
app.command("compare", cls=NameMayBeLeftOut)(compare_command)
app.command("train")(train_command)
app.command("predict")(predict_command)
app.command("explain")(explain_command)
app.command("sweep")(sweep_command)
app.command("runtime")(runtime_command)
app.command("leaderboard", cls=InGroups)(leaderboard_command)
app.command("merge")(merge_command)
app.command("site")(site_command)
app.command("publish")(publish_command)
app.command("new")(new_command)
app.command("test")(test_command)
app.command("submit")(submit_command)
app.command("validate")(validate_command)
app.command("verify")(verify_command)
app.add_typer(audits, name="audit")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("heatmark"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Benchmark attribution methods."""


@app.command("run")
def run_command(
    suite: Annotated[str, typer.Argument(help="A suite's name, or the path of your own .toml file.")] = "quick",
    models: options.Models = None,
    model: Annotated[
        Names, typer.Option("--model", help="Your own: package.module:build, file.py:build, or file:net.keras.")
    ] = None,
    output: options.Output = None,
    data: Annotated[Names, typer.Option("--data", help="Datasets, such as image-folder:PATH.")] = None,
    methods: Annotated[Names, typer.Option("--methods", help="Such as integrated_gradients[steps=20|50].")] = None,
    metrics: Annotated[Names, typer.Option("--metrics", help="Such as deletion[steps=20],insertion.")] = None,
    frameworks: options.Frameworks = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    target: Annotated[str | None, typer.Option("--target", help="The class to explain: predicted or label.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed of noise and masks.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder of results; results/SUITE, or results/MODEL-DATA for other ones."),
    ] = None,
    add: options.Add = False,
    force: options.Force = False,
    engine: options.Engine = "processes",
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    slurm: options.Slurm = None,
    cell_timeout: options.CellTimeout = None,
    limit: options.Limit = None,
    per_class: options.PerClass = None,
    part: options.Part = None,
    shard: Annotated[str | None, typer.Option("--shard", help="Only the i-th of n parts: i/n, for job arrays.")] = None,
    costs: Annotated[
        Path | None, typer.Option("--costs", help="An earlier run whose times balance shards; the same for all.")
    ] = None,
    plugin: options.Plugin = None,
    trust: options.Trust = False,
) -> None:
    """Run a suite (or what is left of it) and show its leaderboard.

    \b
    heatmark run
    heatmark run --methods "saliency,integrated_gradients[steps=20|50]" --out results/steps
    heatmark run --model net.py:build --data image-folder:photos --frameworks torch
    """
    from ..benchmark.executors.engine import Engine, slurm_options
    from ..benchmark.run import run

    # A scheduler is dask's, so that it need not be said twice.
    name = "dask" if scheduler and engine == "processes" else engine
    chosen = Engine(name, workers, scheduler, cell_timeout, slurm_options(slurm))
    # The name of one's own model alone says what is stated of it, so that a run can be continued.
    if output is not None and not model:
        raise BadInput("--output states what a network of your own returns: name it with --model.")
    named = [*(models or []), *(options.stating(name, output) for name in model or [])]
    result = run(
        suite,
        models=joined(named),
        data=joined(data),
        methods=joined(methods),
        metrics=joined(metrics),
        frameworks=joined(frameworks),
        device=device,
        precision=precision,
        target=target,
        seed=seed,
        out=out,
        engine=chosen,
        limit=limit,
        per_class=per_class,
        part=part,
        shard=shard,
        costs=costs,
        add=add,
        force=force,
        plugins=options.plugins(plugin, trust),
    )
    shown = written_board([result.path]) if result.finished and shard is None else None
    _report_left_out(result)
    _report_failures(result)
    typer.echo(result.summary)
    if shown is not None:
        show_board(*shown)
    if result.missing:
        raise typer.Exit(FAILED)
    if result.expected == result.not_applicable:
        for item in dict.fromkeys(f"{item.method}: {item.reason}" for item in result.store.not_applicable()):
            typer.echo(f"not applicable: {item}", err=True)
        typer.echo("None of the methods applies here, so there is nothing to rank.", err=True)
        raise typer.Exit(FAILED)


@app.command("score")
def score_command(
    run: options.RunFolder,
    metrics: Annotated[list[str], typer.Option("--metrics", help="Such as morf,aopc: metrics that read curves.")],
    plugin: Annotated[Names, typer.Option("--plugin", help="A module or .py file that registers metrics.")] = None,
) -> None:
    """Compute further metrics from the curves that a run has stored, without asking a model; show the leaderboard.

    \b
    heatmark score results/quick --metrics morf,aopc
    """
    from ..benchmark.rescore import score_run

    added = score_run(run, ",".join(metrics), plugin or ())
    for name in added.present:
        typer.echo(f"{name} was in the run already.")
    show_board(*written_board([run]))


@app.command("prepare")
def prepare_command(dataset: Annotated[str, typer.Argument(help="A dataset, such as imagenet-sample-1000.")]) -> None:
    """Download a dataset and read every sample once.

    \b
    heatmark prepare imagenet-sample-1000
    heatmark prepare image-folder:photos
    """
    from ..datasets.prepare import prepare_dataset

    report = prepare_dataset(dataset)
    for file in report.skipped:
        typer.echo(f"skipped {file.path}: {file.reason}", err=True)
    place = f" in {report.folder}" if report.folder else ""
    skipped = f", {len(report.skipped)} files skipped" if report.skipped else ""
    typer.echo(f"{report.name}: {report.samples} samples{place}{skipped}, revision {report.revision[:12]}")


def main() -> None:
    """Run the command line."""
    from ..benchmark.executors.log_lines import show_notices
    from ..benchmark.executors.malloc import keep_freed_memory
    from ..datasets.progress import standard_error

    sys.stderr = standard_error()  # whoever stops reading notes and progress does not stop the work
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keep_freed_memory()
    show_notices()
    app(prog_name="heatmark")


def _report_left_out(result: Run) -> None:
    """Print the files that could not be used, the first ones by name."""
    for file in result.left_out[:NAMED_FILES]:
        typer.echo(f"left out {file}", err=True)
    if len(result.left_out) > NAMED_FILES:
        typer.echo(f"... and {len(result.left_out) - NAMED_FILES} more files; report.html lists all", err=True)


def _report_failures(result: Run) -> None:
    """Print each distinct error once, with the number of cells and where the tracebacks are."""
    for error, count in Counter(failure.error for failure in result.failures).items():
        typer.echo(f"{count} cell{'' if count == 1 else 's'} failed: {error}", err=True)
    if result.failures:
        typer.echo(
            f"Tracebacks: {result.path / 'failures'}. Running the same command again retries only these cells.",
            err=True,
        )
