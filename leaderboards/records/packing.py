"""Packing runs with what pages draw of them: the mean curves, where the curves themselves are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from ...benchmark.merge import Merged, merge_runs
from ..standings.curves import mean_curves
from ..standings.gathering import gather, opened
from ..standings.kept_curves import FILE, curves_table


def pack_runs(
    runs: Iterable[object], out: str | Path, *, curves: bool = True, maps: int = 0, force: bool = False
) -> Merged:
    """Join runs in a packed one, as `merge_runs` does, with every method's mean curves where ``curves`` are left out.

    Raises
    ------
    BadInput, StorageError
        As `merge_runs`, and if runs hold different scores of the same thing.
    """
    named = list(runs)
    beside = None if curves else lambda: mean_curve_tables(named)
    return merge_runs(named, out, pack=True, curves=curves, maps=maps, force=force, beside=beside)


def mean_curve_tables(runs: Iterable[object]) -> Mapping[str, pa.Table]:
    """Return the mean curves of runs as a table by its file name; nothing where no metric reads a curve."""
    found = []
    for results in gather(opened(runs)).settings:
        identities = dict(zip(results.metrics, results.metric_identities, strict=True))
        methods = {method.method: method for method in results.methods}
        for metric, of_methods in mean_curves(results).items():
            found += [(methods[name], identities[metric], curve) for name, curve in of_methods.items()]
    return {FILE: curves_table(found)} if found else {}
