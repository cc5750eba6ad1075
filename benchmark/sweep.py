"""Running a sweep: a method at every point of a grid of its parameters, as a run that can be continued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from ..errors import Interrupted
from ..selection import Value
from .run import run
from .running.execution import Run
from .suite import Suite
from .sweep_axes import Axis, parsed, selection_at

MOST_PICTURES = 8
"""Of so many samples the maps are kept, so that more can be drawn later without running anything."""


@dataclass(frozen=True)
class ParameterGrid:
    """The points of a sweep."""

    method: str
    """The method with the parameters that stay fixed."""
    axes: tuple[Axis, ...]
    """One or two parameters."""
    points: Mapping[tuple[Value, ...], str]
    """The values of the axes to the method that they make, the last axis moving fastest."""

    @classmethod
    def of(cls, method: str, axes: Mapping[str, str | Sequence[Value]] | Iterable[str]) -> ParameterGrid:
        """Return the grid that a method and its axes span, checked; see `sweep_axes.parsed`."""
        fixed, found = parsed(method, axes)
        combinations = product(*(axis.values for axis in found))
        return cls(fixed.text, found, {values: selection_at(fixed, found, values).text for values in combinations})


def run_sweep(
    grid: ParameterGrid,
    suite: Suite,
    out: Path,
    *,
    device: str,
    engine: str,
    cell_timeout: float | None,
    force: bool,
    plugins: Sequence[str],
    progress: bool,
) -> Run:
    """Run the points of a grid that the folder does not hold yet, on what a suite says; the rest is as `run` takes it.

    Raises
    ------
    UnknownName, BadInput
        For unknown names, before anything runs.
    Interrupted
        At Ctrl-C or a signal; finished points are kept.
    """
    try:
        return run(
            replace(suite, gallery=MOST_PICTURES),
            methods=list(grid.points.values()),  # as a change, so that the folder's title says what was run
            frameworks=suite.frameworks,
            device=device,
            engine=engine,
            cell_timeout=cell_timeout,
            out=out,
            force=force,
            plugins=plugins,
            progress=progress,
        )
    except Interrupted as error:
        done = sum(1 for _ in (out / "cells").glob("*.parquet"))
        raise Interrupted(
            f"Stopped. {done} finished points are kept in {out}. Start the same sweep again to do the rest."
        ) from error
