"""Running a sweep: a method at every point of a grid of its parameters, as a run that can be continued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from ..errors import Interrupted
from ..selection import Value, parse_selection
from .run import run
from .running.execution import Run
from .setting.plugins import load_plugins
from .suite import load_suite
from .sweep_axes import Axis, parsed, selection_at

MOST_PICTURES = 8
"""Of so many samples the maps are kept, so that more can be drawn later without running anything."""


@dataclass(frozen=True)
class Grid:
    """The points of a sweep.

    Attributes
    ----------
    method
        The method with the parameters that stay fixed.
    axes
        One or two parameters.
    points
        The values of the axes to the method that they make, the last axis moving fastest.
    """

    method: str
    axes: tuple[Axis, ...]
    points: Mapping[tuple[Value, ...], str]

    @classmethod
    def of(cls, method: str, axes: Mapping[str, str | Sequence[Value]] | Iterable[str]) -> Grid:
        """Return the grid that a method and its axes span, checked; see `sweep_axes.parsed`."""
        fixed, found = parsed(method, axes)
        combinations = product(*(axis.values for axis in found))
        return cls(fixed.text, found, {values: selection_at(fixed, found, values).text for values in combinations})


def run_sweep(
    method: str,
    axes: Mapping[str, str | Sequence[Value]] | Iterable[str],
    *,
    metric: str,
    model: str,
    data: str,
    framework: str,
    limit: int | None,
    out: str | Path | None,
    device: str,
    precision: str | None,
    seed: int,
    engine: str,
    plugins: Iterable[str],
    progress: bool,
) -> tuple[Grid, Run]:
    """Run every point of a grid that the folder does not hold yet; see `leaderboards.sweeps.sweep.sweep`.

    Raises
    ------
    UnknownName, BadInput
        For unknown names, and values that a parameter does not take, before anything runs.
    Interrupted
        At Ctrl-C; finished points are kept.
    """
    plugins = tuple(plugins)
    load_plugins(plugins)
    grid = Grid.of(method, axes)
    # The packaged suite with everything replaced, so that the report on the folder can say how to run it again.
    suite = load_suite("quick").changed(
        models=[model],
        data=[data],
        methods=list(grid.points.values()),
        metrics=[parse_selection(metric).text],
        frameworks=[framework],
        seeds=(seed,),
        precision=precision,
        limit=limit,
    )
    folder = Path("results") / f"sweep-{parse_selection(method).name}" if out is None else Path(out)
    try:
        result = run(
            replace(suite, gallery=MOST_PICTURES),
            frameworks=[framework],
            device=device,
            engine=engine,
            out=folder,
            plugins=plugins,
            progress=progress,
        )
    except Interrupted as error:
        done = sum(1 for _ in (folder / "cells").glob("*.parquet"))
        raise Interrupted(
            f"Stopped. {done} finished points are kept in {folder}. Start the same sweep again to do the rest."
        ) from error
    return grid, result
