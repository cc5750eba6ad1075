"""The command line: thin, every command calls the API. Frameworks are imported only where a command needs one."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import HeatmarkError, Interrupted
from . import options
from .audit import audits
from .check import check_command
from .draw import explain_command, sweep_command
from .options import BAD_INPUT, FAILED, INTERRUPTED, Names, joined, say_written
from .runtime import runtime_command
from .show import doctor_command, list_command, show_command, status_command

if TYPE_CHECKING:
    from ..benchmark.running.execution import Run
    from ..models.training.recipe import Epoch

NAMED_FILES = 8
"""So many files that could not be used are named; the report lists all."""


class Commands(TyperGroup):
    """Prints what went wrong as one message instead of a traceback, with a fitting exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Interrupted as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(INTERRUPTED) from None
        except HeatmarkError as error:
            typer.echo(f"heatmark: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Benchmark attribution methods (heatmaps) for PyTorch and TensorFlow: faithfulness, runtime, leaderboards.",
    epilog="Exit status: 0 all went well, 1 some cells of a run failed, 2 bad input, 130 stopped by Ctrl-C.",
)
app.command("list")(list_command)
app.command("show")(show_command)
app.command("status")(status_command)
app.command("doctor")(doctor_command)
app.command("check")(check_command)
app.command("explain")(explain_command)
app.command("sweep")(sweep_command)
app.command("runtime")(runtime_command)
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
    data: Annotated[Names, typer.Option("--data", help="Datasets, such as image-folder:PATH.")] = None,
    methods: Annotated[Names, typer.Option("--methods", help="Such as integrated_gradients[steps=20|50].")] = None,
    metrics: Annotated[Names, typer.Option("--metrics", help="Such as deletion[steps=20],insertion.")] = None,
    frameworks: options.Frameworks = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    target: Annotated[str | None, typer.Option("--target", help="The class to explain: predicted or label.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed of noise and masks.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder of results; results/SUITE by default.")] = None,
    engine: options.Engine = "processes",
    limit: options.Limit = None,
    shard: Annotated[str | None, typer.Option("--shard", help="Only the i-th of n parts: i/n, for job arrays.")] = None,
    plugin: options.Plugin = None,
) -> None:
    """Run a suite (or what is left of it) and show its leaderboard.

    \b
    heatmark run
    heatmark run --methods "saliency,integrated_gradients[steps=20|50]" --out results/steps
    heatmark run --model net.py:build --data image-folder:photos --frameworks torch
    """
    from ..benchmark.run import run

    named = [*(models or []), *(model or [])]
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
        engine=engine,
        limit=limit,
        shard=shard,
        plugins=plugin or (),
    )
    _report_left_out(result)
    _report_failures(result)
    typer.echo(result.summary)
    if result.finished and shard is None:
        _show_board(result.path, None)
    if result.failures:
        raise typer.Exit(FAILED)


@app.command("leaderboard")
def leaderboard_command(
    run: options.RunFolder,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; the run's folder by default.")] = None,
    audit: Annotated[
        Path | None, typer.Option("--audit", help="The folder of an audit of metrics, to mark them by.")
    ] = None,
) -> None:
    """Rank the methods of a run; write leaderboard.csv, leaderboard.md and report.html.

    \b
    heatmark leaderboard results/quick
    """
    _show_board(run, out, audit)


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
    _show_board(run, None)


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


@app.command("train")
def train_command(
    network: Annotated[str, typer.Argument(help="small-cnn, vgg7, pooled-cnn, cnn-1d or vit-tiny.")],
    data: Annotated[str, typer.Option("--data", help="A dataset, such as digits or image-folder:PATH.")],
    framework: options.Framework = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes over the data; more by default where there are few samples.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The seed of weights and batches.")] = 0,
    name: Annotated[str | None, typer.Option("--name", help="What to keep it under.")] = None,
    size: Annotated[int | None, typer.Option("--size", help="The side that pictures are brought to.")] = None,
) -> None:
    """Train a small network and keep it under a name that --models takes.

    \b
    heatmark train small-cnn --data digits
    heatmark train vgg7 --data image-folder:pollen --name pollen
    """
    from ..models.training.kept import train

    trained = train(
        network, data, framework=framework, epochs=epochs, seed=seed, name=name, size=size, progress=_print_epoch
    )
    typer.echo(f"Kept as {trained.name!r} ({trained.digest[:8]}): heatmark run --models {trained.name} --data {data}")


def main() -> None:
    """Run the command line."""
    from ..benchmark.executors.log_lines import show_notices
    from ..benchmark.executors.malloc import keep_freed_memory

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keep_freed_memory()
    show_notices()
    app(prog_name="heatmark")


def _print_epoch(epoch: Epoch, epochs: int) -> None:
    typer.echo(
        f"epoch {epoch.epoch}/{epochs}: training accuracy {epoch.train_accuracy:.1%}, loss {epoch.train_loss:.3f}; "
        f"test accuracy {epoch.test_accuracy:.1%}, loss {epoch.test_loss:.3f}"
    )


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


def _show_board(run: Path, out: Path | None, audit: Path | None = None) -> None:
    from ..leaderboards.board import leaderboard

    board = leaderboard(run, audit=audit)
    written = board.write(out)
    board.show()
    say_written(written)
