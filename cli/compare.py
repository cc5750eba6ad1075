"""The command that puts results beside others: compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import BadInput
from . import options
from .options import Names, say_json, say_written
from .published import Published, compare_with_published


def compare_command(
    runs: options.RunFolders,
    methods: Annotated[
        Names, typer.Option("--methods", help="Two methods to compare within the runs, such as grad_cam,saliency.")
    ] = None,
    published: Published = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write tables, a page and scatter pictures into this folder.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare two runs, or two methods, sample by sample; or put runs beside what papers report.

    Two runs are compared in every method and metric that both have: by how much they differ on average with the 95 %
    interval, on how many samples the first is better, equal or worse, whether that can be told from chance (p), and on
    which samples they differ most. It says what only one of them has, and never compares two protocols of a metric.

    With --methods, two methods are compared wherever the runs have both.

    With --published, each published value is put beside the run's, with the words on whether protocol, model, dataset
    and number of samples are the same. Only where all four are is a difference of the numbers one.

    \b
    heatmark compare results/before results/after
    heatmark compare results/quick --methods grad_cam,saliency --out results/duel
    heatmark compare official --methods "grad_cam,rise[masks=1000]" --json
    heatmark compare results/quick --published              # beside all of heatmark list published
    heatmark compare results/quick --published score-cam
    """
    if published is not None:
        if methods or out:
            raise BadInput("--published compares with papers, and goes without --methods and --out. Leave one out.")
        compare_with_published(runs, published, as_json)
        return
    from ..leaderboards.comparing.compare import compare

    found = compare(*runs, methods=methods)
    # Written before anything is printed: what cannot be printed must not cost the files.
    written = found.write(out) if out is not None else []
    if as_json:
        say_json(found.plain())
        return
    found.show()
    say_written(written)
