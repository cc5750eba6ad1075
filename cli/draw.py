"""The commands that draw: explain and sweep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInput
from . import options
from .options import FAILED, say_written

if TYPE_CHECKING:
    from collections.abc import Iterable


def explain_command(
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE...", help="Picture files, or folders of them.")
    ] = None,
    methods: Annotated[
        list[str], typer.Option("--methods", help="Comma-separated; all: every method but other libraries'.")
    ] = [  # noqa: B006
        "saliency,grad_cam"
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write: png, jpg, svg, pdf or webp; without an ending PNG and SVG."),
    ] = None,
    model: options.Model = "efficientnet-lite0",
    output: options.Output = None,
    frameworks: options.Frameworks = None,
    view: Annotated[
        str, typer.Option("--view", help="overlay, map, capped, points or mask; several with commas; all.")
    ] = "overlay",
    cap: options.Cap = None,
    caption: Annotated[bool, typer.Option("--caption/--no-caption", help="Say below what is drawn.")] = True,
    colour_bar: Annotated[bool, typer.Option("--colour-bar", help="Draw the scale of colours below.")] = False,
    target: Annotated[
        str | None, typer.Option("--target", help="The class's number or name; the predicted one by default.")
    ] = None,
    average: Annotated[
        str | None, typer.Option("--average", help="Mean maps of --data instead: class (per class and whole) or all.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="The dataset of --average.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="So many samples or pictures of a folder, spread over the classes.")
    ] = None,
    per_class: options.PerClass = None,
    part: options.Part = None,
    device: options.Device = "auto",
    seed: options.Seed = 0,
    plugin: options.MethodPlugin = None,
    trust: options.Trust = False,
) -> None:
    """Draw heatmaps over photographs, or the mean heatmaps of a dataset.

    \b
    heatmark explain cat.jpg --methods "saliency,grad_cam,rise[masks=500]" --out gallery.png
    heatmark explain pictures --per-class 2
    heatmark explain cat.jpg --methods all --view capped
    heatmark explain --average class --data digits --model small-cnn --methods saliency --out average.png
    """
    from ..benchmark.setting.plugins import load_plugins
    from ..leaderboards.galleries.gallery import in_words
    from ..leaderboards.galleries.of_averages import average_gallery
    from ..leaderboards.galleries.of_photographs import explain_gallery

    load_plugins(options.plugins(plugin, trust))
    chosen, model = _frameworks(frameworks), options.stating(model, output)
    if average is None:
        if data is not None or part is not None:
            raise BadInput("--data and --part belong to --average class or all; name picture files or folders else.")
        if (limit or per_class) and not any(image.is_dir() for image in images or []):
            raise BadInput(
                "--limit and --per-class choose among a folder's pictures, or with --average among those of --data."
            )
        drawn = explain_gallery(
            images or [],
            model,
            methods,
            out or Path("gallery"),
            frameworks=chosen,
            view=view,
            cap=cap,
            captioned=caption,
            colour_bar=colour_bar,
            target=int(target) if target and target.lstrip("-").isdigit() else target,
            limit=limit,
            per_class=per_class,
            device=device,
            seed=seed,
            progress=True,
        )
    else:
        if images or target is not None or data is None:
            raise BadInput("--average takes its samples from --data DATASET, without picture files or --target.")
        drawn = average_gallery(
            data,
            model,
            methods,
            out or Path("average"),
            by=average,
            frameworks=chosen,
            view=view,
            cap=cap,
            captioned=caption,
            colour_bar=colour_bar,
            limit=limit,
            per_class=per_class,
            part=part or "held-out",
            device=device,
            seed=seed,
            progress=True,
        )
    for line in (*drawn.notes, *in_words(drawn.left_out)):
        typer.echo(line, err=True)
    if drawn.empty:
        typer.echo("None of the methods has a heatmap here.", err=True)
    say_written(drawn.paths)
    if drawn.empty or any(item.failed for item in drawn.left_out):
        raise typer.Exit(FAILED)


def sweep_command(
    method: Annotated[str, typer.Argument(help="A method; parameters in its brackets stay fixed.")],
    axes: Annotated[
        list[str],
        typer.Argument(metavar="PARAMETER=VALUES...", help="One or two: name=low:high:count or name=a|b|c."),
    ],
    metric: Annotated[str, typer.Option("--metric", help="What the settings are scored with.")] = "deletion",
    model: options.Model = "efficientnet-lite0",
    output: options.Output = None,
    data: Annotated[str, typer.Option("--data", help="A dataset.")] = "imagenet-samples",
    limit: options.Limit = None,
    per_class: options.PerClass = None,
    part: options.Part = None,
    framework: options.Framework = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder of results; results/sweep-METHOD-PARAMETERS by default.")
    ] = None,
    force: options.Force = False,
    pictures: Annotated[int, typer.Option("--pictures", help="Draw the maps of so many samples.")] = 1,
    view: Annotated[str, typer.Option("--view", help="overlay, map, capped, points or mask.")] = "overlay",
    cap: options.Cap = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
    cell_timeout: options.CellTimeout = None,
    plugin: options.Plugin = None,
    trust: options.Trust = False,
) -> None:
    """Score a method over a grid of one or two of its parameters, draw it, and name the best setting.

    \b
    heatmark sweep smoothgrad noise=0.02:0.5:6 samples=5:80:6 --metric deletion
    heatmark sweep "rise[masks=200]" "cells=4|7|11" --metric insertion --limit 5
    """
    from ..leaderboards.sweeps.plots import check_drawing, write_sweep
    from ..leaderboards.sweeps.sweep import sweep

    check_drawing(pictures, view, cap)
    found = sweep(
        method,
        axes,
        metric=metric,
        model=options.stating(model, output),
        data=data,
        framework=framework,
        limit=limit,
        per_class=per_class,
        part=part,
        out=out,
        force=force,
        device=device,
        precision=precision,
        seed=seed,
        engine=engine,
        cell_timeout=cell_timeout,
        plugins=options.plugins(plugin, trust),
    )
    written = write_sweep(found, pictures=pictures, view=view, cap=cap)
    for failure in found.standings.failures:
        typer.echo(f"failed: {failure.spec.method}: {failure.error}", err=True)
    typer.echo(found.verdict)
    say_written(written)
    if found.standings.failures:
        raise typer.Exit(FAILED)


def _frameworks(asked: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the frameworks asked for, or None for the one that the model has."""
    from ..benchmark.suite import names_of

    return names_of(",".join(asked), "frameworks") if asked else None
