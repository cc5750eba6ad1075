"""The command that measures what methods cost: runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInput
from .options import FAILED, Frameworks, MethodPlugin, Models, Names, joined, say_written

if TYPE_CHECKING:
    from ..benchmark.timing.files import RuntimeRecord
    from ..benchmark.timing.measure import Choice
    from ..benchmark.timing.rows import RuntimeSettings


def runtime_command(
    methods: Annotated[
        Names,
        typer.Option(
            "--methods",
            help="Comma-separated; all: every method but other libraries'. Besides methods: engine:forward, "
            "engine:gradient, engine:curves. By default those of the run in --out, or of quick.",
        ),
    ] = None,
    models: Models = None,
    frameworks: Frameworks = None,
    device: Annotated[str, typer.Option("--device", help="auto (all there are), or some of cpu,cuda,cuda:N.")] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="Some of float32,tf32,bf16; others are compared with float32.")
    ] = "float32",
    batch: Annotated[
        str, typer.Option("--batch", help="Images a call: numbers, and chunk for as many as the engine's chunk.")
    ] = "1,chunk",
    rounds: Annotated[int, typer.Option("--rounds", help="Measured rounds of each row.")] = 7,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Fewer rounds (three at least) where they would take longer.")
    ] = 60.0,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads; all usable cores by default.")] = None,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="Measure peak memory; on a CPU in a fresh process a row.")
    ] = True,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Measure how cost grows instead, and fit exponents.")
    ] = False,
    axes: Annotated[
        str, typer.Option("--axes", help="What --scaling varies, perhaps where: images=1|4|16,size=64|128.")
    ] = "images,size,steps,classes",
    check_devices: Annotated[
        bool, typer.Option("--check-devices", help="Compare maps, scores and leaderboards of CPU, GPU and precisions.")
    ] = False,
    metrics: Annotated[
        Names, typer.Option("--metrics", help="With --check-devices or --precision: what maps are scored with.")
    ] = None,
    images: Annotated[int, typer.Option("--images", help="With --check-devices or --precision: how many images.")] = 4,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", help="A baseline (folder or .json): measure its rows again; status 1 if slower."),
    ] = None,
    current: Annotated[
        Path | None, typer.Option("--current", help="With --compare: a finished run, instead of measuring now.")
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", help="The slow-down that --compare bears; 0.1: 10 %.")
    ] = 0.1,
    force: Annotated[
        bool, typer.Option("--force", help="Compare with another machine all the same, by relative cost alone.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="The folder of results; a run's folder will do.")] = Path(
        "results/runtime"
    ),
    plugin: MethodPlugin = None,
) -> None:
    """Measure what methods cost: time, throughput, first call, memory, passes, and cost in bare forward passes.

    Every framework and device has a process of its own. Each row is kept as soon as it is measured, in
    OUT/runtime-TIME.json (pytest-benchmark's format). With --out RUN, the folder of a `heatmark run`, its methods are
    measured and their cost is set beside their quality, with the methods that no other beats in both.

    Cost is the time per image over that of the bare network's forward pass, taken in the same rounds: it carries from
    one machine to another. Rows whose quartiles are more than 20 % of the median apart are measured again, then
    marked ~. Use a quiet machine; rows that other processes disturbed are marked !.

    \b
    heatmark runtime --methods grad_cam,saliency --device cpu
    heatmark runtime --out results/quick
    heatmark runtime --methods engine:forward,engine:gradient,engine:curves --batch 64
    heatmark runtime --scaling --axes images,steps --methods saliency,integrated_gradients
    heatmark runtime --check-devices --methods all --images 8
    heatmark runtime --precision float32,bf16 --device cuda
    heatmark runtime --compare results/runtime --out results/after
    """
    from ..benchmark.setting.environment import usable_cores
    from ..benchmark.setting.plugins import load_plugins
    from ..benchmark.timing.measure import chosen
    from ..benchmark.timing.rows import RuntimeSettings
    from ..benchmark.timing.scaling import METHODS
    from ..benchmark.work.explaining import EVERY

    threads = usable_cores() if threads is None else threads
    settings = RuntimeSettings(rounds, seconds, threads, memory, tuple(plugin or ()))
    if sum((scaling, check_devices, compare is not None)) > 1:
        raise BadInput("--scaling, --check-devices and --compare are three different things: give one of them.")
    if current is not None and compare is None:
        raise BadInput("--current belongs to --compare BASELINE.")
    load_plugins(settings.plugins)
    named, rest = joined(methods), (joined(models), joined(frameworks), device, precision)
    if scaling:
        _scale(chosen(named or METHODS, *rest, run=out), settings, out, axes)
    elif check_devices:
        choice = chosen(named or EVERY, *rest, run=out)
        _check(choice, settings, out, joined(metrics), images, precisions_only=False)
    elif compare is not None:
        anything_said = any((methods, models, frameworks, device != "auto", precision != "float32"))
        again = chosen(named, *rest, batch, run=out) if anything_said else None
        record = _current(compare, current, again, settings, out)
        _compare(compare, record, out, threshold, force)
    else:
        _measure(chosen(named, *rest, batch, run=out), settings, out, joined(metrics), images)


def _measure(choice: Choice, settings: RuntimeSettings, out: Path, metrics: str | None, images: int) -> None:
    from ..leaderboards.costs import studies as runtime_runs

    found = runtime_runs.measured_costs(choice, settings, out)
    found.show()
    say_written(found.written)
    if any(precision != "float32" for precision in choice.precisions):
        _check(choice, settings, out, metrics, images, precisions_only=True)
    if found.new.failures:
        raise typer.Exit(FAILED)


def _scale(choice: Choice, settings: RuntimeSettings, out: Path, axes: str) -> None:
    from ..leaderboards.costs import studies as runtime_runs
    from ..leaderboards.costs.scaling import print_scaling
    from ..leaderboards.costs.tables import print_missing

    curves, record, written = runtime_runs.measured_scaling(choice, settings, out, axes.split(","))
    print_scaling(curves)
    print_missing(record)
    say_written(written)
    if record.failures:
        raise typer.Exit(FAILED)


def _check(
    choice: Choice, settings: RuntimeSettings, out: Path, metrics: str | None, images: int, precisions_only: bool
) -> None:
    from ..leaderboards.costs import studies as runtime_runs
    from ..leaderboards.costs.device_parity import print_parity

    found, notes, written = runtime_runs.checked_devices(
        choice, settings, out, metrics=metrics, images=images, precisions_only=precisions_only
    )
    for note in notes:
        typer.echo(note, err=True)
    print_parity(found)
    say_written(written)
    if any(item.inverted or item.out_of_order or item.failed for item in found):
        raise typer.Exit(FAILED)


def _current(
    baseline: Path, current: Path | None, choice: Choice | None, settings: RuntimeSettings, out: Path
) -> RuntimeRecord:
    """Return what a baseline is compared with: a finished run, or its rows (those chosen, if any are) measured now."""
    from ..benchmark.timing.files import read_runtime
    from ..benchmark.timing.measure import measure_runtime, rows_again

    if current is not None:
        return read_runtime(current)
    again, cases = rows_again(read_runtime(baseline), choice)
    return measure_runtime(again, settings, out, cases=cases)


def _compare(baseline: Path, record: RuntimeRecord, out: Path, threshold: float, force: bool) -> None:
    from ..benchmark.timing.files import read_runtime
    from ..leaderboards.costs.comparison import compared, print_comparison
    from ..leaderboards.writing.files import csv_text, write_files

    found = compared(read_runtime(baseline), record, threshold, force)
    written = write_files(out, {"runtime-comparison.csv": csv_text(found.frame)})
    print_comparison(found)
    say_written(written)
    if found.slower or record.failures:
        raise typer.Exit(FAILED)
