"""ImageNet-1k by the methods on record, in both frameworks, on 1 to 256 devices: how long it takes, what holds it up.

::

    python -m heatmark.benchmark.scale.imagenet
    python -m heatmark.benchmark.scale.imagenet --forwards-per-second 800 --handing-ms 30 --cell-samples 100

What a method and the scoring of its maps cost in bare forward passes is recorded (heatmark's official results of
EfficientNet-Lite0 on photographs, and the passes of methods that are only on record with small networks); what a
forward pass takes on the device is told, or measured there with ``heatmark runtime --methods engine:forward``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from ...methods.registry import method_from
from ..store.cell import CellSpec
from ..store.finished import Cell
from ..store.folder import RunStore
from ..work.planned_cost import BACKWARD, explaining_passes
from .replay import Cluster, RecordedCell, Replay, replayed

OFFICIAL = Path(__file__).parents[2] / "leaderboards" / "official" / "v1"
PHOTOGRAPHS = "imagenet-samples-lite0"
IMAGES = 50_000
METHODS = 60
FRAMEWORKS = ("torch", "tensorflow")
DEVICES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PHOTOGRAPH_BYTES = 110_000
"""A validation photograph of ImageNet-1k: 6.3 GiB in 50,000 files, and a few larger than they need be."""
HEADS = ("devices", "time", "speed-up", "devices at work", "driver busy", "storage busy", "bottleneck", "largest loss")


def costs_in_forwards() -> dict[tuple[str, str], float]:
    """Return what explaining a photograph, and scoring the map, cost in bare forwards, by method and framework.

    Methods are those on record, at most `METHODS`: first those whose times are recorded on photographs.
    """
    cells = RunStore(OFFICIAL / PHOTOGRAPHS).cells()
    scoring = {name: median(_scoring(cell) for cell in cells if cell.spec.framework == name) for name in FRAMEWORKS}
    found = {(cell.spec.method, cell.spec.framework): _explaining(cell) + _scoring(cell) for cell in cells}
    for spec in _further({method for method, _ in found}):
        if len({method for method, _ in found}) == METHODS:
            break
        forward, backward = explaining_passes(method_from(spec.method))
        for name in FRAMEWORKS:
            found[spec.method, name] = forward + BACKWARD * backward + scoring[name]
    return found


def cells_of(
    costs: dict[tuple[str, str], float], forwards: float, decoding_ms: float, samples: int
) -> Iterator[RecordedCell]:
    """Yield the cells of the run in their order: all methods of a range of samples, in both frameworks."""
    methods = list(dict.fromkeys(method for method, _ in costs))
    for first in range(0, IMAGES, samples):
        count = min(samples, IMAGES - first)
        for method in methods:
            for framework in FRAMEWORKS:
                work = count * costs[method, framework] / forwards
                yield RecordedCell(framework, work, count * decoding_ms / 1000, count * PHOTOGRAPH_BYTES)


def main(
    forwards_per_second: Annotated[
        float, typer.Option(help="Bare forward passes that a device does in a second.")
    ] = 2500.0,
    handing_ms: Annotated[float, typer.Option(help="What the driver takes for a cell.")] = 10.0,
    decoding_ms: Annotated[float, typer.Option(help="What reading and resizing a photograph takes a worker.")] = 8.0,
    bandwidth_mb: Annotated[float, typer.Option(help="Megabytes a second that storage gives to all workers.")] = 1000.0,
    loading: Annotated[float, typer.Option(help="Seconds in which a worker starts and loads a network.")] = 20.0,
    cell_samples: Annotated[int, typer.Option(min=1, help="Samples of a cell.")] = 200,
    at_most: Annotated[
        float, typer.Option(help="Only methods that take at most so many bare forwards a photograph, scoring included.")
    ] = inf,
) -> None:
    """Print how long ImageNet-1k takes by the methods on record, on 1 to 256 devices, and what holds it up."""
    costs = {name: cost for name, cost in costs_in_forwards().items() if cost <= at_most}
    cells = list(cells_of(costs, forwards_per_second, decoding_ms, cell_samples))
    typer.echo(
        f"{IMAGES:,} images x {len({method for method, _ in costs})} methods x {len(FRAMEWORKS)} frameworks: "
        f"{len(cells):,} cells, {sum(cell.work for cell in cells) / 86400:.1f} device-days; the longest cell "
        f"{max(cell.work for cell in cells) / 60:.0f} min.\n"
    )
    replays = {
        devices: replayed(cells, Cluster(devices, handing_ms / 1000, bandwidth_mb * 1e6, loading))
        for devices in DEVICES
    }
    typer.echo("\n".join(table(replays)))


def table(replays: dict[int, Replay]) -> Iterable[str]:
    """Yield the lines of a Markdown table, one row for each number of devices."""
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'---|' * len(HEADS)}"
    alone = replays[min(replays)].seconds
    for devices, one in replays.items():
        shares = (one.at_work, one.driver, one.storage)
        entries = [str(devices), _in_words(one.seconds), f"{alone / one.seconds:.1f}", *(f"{x:.0%}" for x in shares)]
        loss, share = one.largest_loss
        yield f"| {' | '.join(entries)} | {one.bottleneck} | {loss} ({share:.1%}) |"


def _in_words(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days" if seconds >= 2 * 86400 else f"{seconds / 3600:.1f} h"


def _explaining(cell: Cell) -> float:
    return float(cell.table["explain_seconds"].mean() / cell.provenance["bare_forward_seconds"])


def _scoring(cell: Cell) -> float:
    return float(cell.table["score_seconds"].mean() / cell.provenance["bare_forward_seconds"])


def _further(known: set[str]) -> Iterator[CellSpec]:
    """Yield one cell of each further method on record."""
    for run in sorted(path for path in OFFICIAL.iterdir() if path.is_dir()):
        for spec in RunStore(run).expected:
            if spec.method not in known and not spec.method.startswith("oracle"):
                known.add(spec.method)
                yield spec


if __name__ == "__main__":
    typer.run(main)
