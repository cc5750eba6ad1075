"""The command that measures what methods cost: runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FAILED = 1

Names = list[str] | None


def runtime_commands(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("runtime")(runtime_command)


def runtime_command(
    methods: Annotated[Names, typer.Option("--methods", help="Methods, comma-separated.")] = None,
    models: Annotated[Names, typer.Option("--models", help="Models, comma-separated.")] = None,
    frameworks: Annotated[Names, typer.Option("--frameworks", help="torch, tensorflow, or both.")] = None,
    device: Annotated[str, typer.Option("--device", help="auto (all there are), or some of cpu,cuda,cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="Some of float32,tf32,bf16.")] = "float32",
    batch: Annotated[
        str, typer.Option("--batch", help="Images a call: numbers, and chunk for the engine's.")
    ] = "1,chunk",
    rounds: Annotated[int, typer.Option("--rounds", help="Measured rounds of each row.")] = 7,
    seconds: Annotated[float, typer.Option("--seconds", help="Time for the rounds of one row.")] = 60.0,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads; all usable cores by default.")] = None,
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Measure peak memory.")] = True,
    out: Annotated[Path, typer.Option("--out", help="The folder of results; a run's folder will do.")] = Path(
        "results/runtime"
    ),
    plugin: Annotated[Names, typer.Option("--plugin", help="A module or .py file that registers your methods.")] = None,
) -> None:
    """Measure what methods cost.

    \b
    heatmark runtime --methods grad_cam,saliency --device cpu
    """
    from .benchmark.measure_runtime import chosen, measure_runtime, settings_of
    from .leaderboards.runtime_tables import cost_tables, print_costs

    choice = chosen(_joined(methods), _joined(models), _joined(frameworks), device, precision, batch)
    settings = settings_of(rounds, seconds, threads, memory, plugin or ())
    record = measure_runtime(choice, settings, out)
    print_costs(cost_tables(record), record)
    if record.failures:
        raise typer.Exit(FAILED)


def _joined(texts: Names) -> str | None:
    return ",".join(texts) if texts else None
