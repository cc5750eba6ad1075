"""The commands about networks themselves: train and predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .options import say_written

if TYPE_CHECKING:
    from ..models.training.recipe import Epoch


def train_command(
    network: Annotated[str, typer.Argument(help="small-cnn, vgg7, pooled-cnn, cnn-1d or vit-tiny.")],
    data: Annotated[str, typer.Option("--data", help="A dataset, such as digits or image-folder:PATH.")],
    framework: options.Framework = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes over the data; more by default where there are few samples.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The seed of weights, batches and the part held out.")] = 0,
    name: Annotated[str | None, typer.Option("--name", help="What to keep it under.")] = None,
    size: Annotated[int | None, typer.Option("--size", help="The side that pictures are brought to.")] = None,
    curves: Annotated[
        Path | None, typer.Option("--curves", help="The picture of the training curves: results/training/NAME.")
    ] = None,
) -> None:
    """Train a small network and keep it under a name that --models takes; draw its training curves.

    A fifth of every class is held out to test it, unless the data comes with a test part. A run of the network on the
    same data takes only what was held out.

    \b
    heatmark train small-cnn --data digits
    heatmark train vgg7 --data image-folder:pollen --name pollen
    """
    from ..leaderboards.networks.training_curves import write_training_curves
    from ..leaderboards.writing.files import checked_files
    from ..models.training.kept import train

    if curves is not None:
        checked_files(curves)  # a format that cannot be written is told before the work
    trained = train(
        network, data, framework=framework, epochs=epochs, seed=seed, name=name, size=size, progress=_print_epoch
    )
    if trained.seen:
        typer.echo(
            f"Trained on {trained.seen} samples and tested on {trained.held_out} that were held out; runs and "
            f"predictions of {trained.name} on this data take only those (all of it: --part all)."
        )
    typer.echo(f"Kept as {trained.name!r} ({trained.digest[:8]}): heatmark run --models {trained.name} --data {data}")
    say_written(write_training_curves(trained, curves))


def predict_command(
    model: Annotated[str, typer.Argument(help="A model's name, package.module:build, file.py:build or file:NAME.")],
    data: Annotated[str, typer.Option("--data", help="A dataset, such as digits or image-folder:PATH.")],
    output: options.Output = None,
    framework: options.Framework = None,
    top: Annotated[int, typer.Option("--top", help="So many of the likeliest classes of each sample.")] = 5,
    limit: options.Limit = None,
    per_class: options.PerClass = None,
    part: options.Part = None,
    pictures: Annotated[int, typer.Option("--pictures", help="Draw so many samples.")] = 8,
    device: options.Device = "auto",
    precision: options.Precision = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write into; results/predict-MODEL-DATA by default.")
    ] = None,
    plugin: options.MethodPlugin = None,
) -> None:
    """Say what a network predicts: top classes with probabilities, accuracy, loss and confusions.

    Writes predictions.csv (one line per sample), confusion.csv and predictions (PNG and SVG).

    \b
    heatmark predict efficientnet-lite0 --data imagenet-samples
    heatmark predict net.py:build --data image-folder:photos --per-class 20
    """
    from ..benchmark.predict import predict
    from ..benchmark.setting.plugins import load_plugins
    from ..leaderboards.networks.predictions import print_predictions, write_predictions

    load_plugins(plugin or ())
    found = predict(
        options.stating(model, output),
        data,
        framework=framework,
        top=top,
        limit=limit,
        per_class=per_class,
        part=part or "held-out",
        pictures=pictures,
        device=device,
        precision=precision or "float32",
        progress=True,
    )
    written = write_predictions(found, out)
    for note in found.notes:
        typer.echo(note, err=True)
    print_predictions(found)
    say_written(written)


def _print_epoch(epoch: Epoch, epochs: int) -> None:
    typer.echo(
        f"epoch {epoch.epoch}/{epochs}: training accuracy {epoch.train_accuracy:.1%}, loss {epoch.train_loss:.3f}; "
        f"test accuracy {epoch.test_accuracy:.1%}, loss {epoch.test_loss:.3f}"
    )
