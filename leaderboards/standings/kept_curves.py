"""Mean curves that a packed run keeps in place of every sample's: what a page draws, at a hundredth of the size.

A row is a method's mean curve by one metric. It is known by the cells that it is the mean of, all of them, and by what
the metric is, so that it is shown nowhere but where it would come out again if the curves were there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ...benchmark.store.packed import PackedCells
from ...identity import digest
from .results import MethodRun

FILE = "mean_curves.parquet"
POINTS = 101
"""A mean curve has so many points, evenly spaced."""
KEPT_STEP = 2
"""Of these every second is kept; the curve is straight between them."""
DIGITS = 13
"""Binary digits that are kept of a value: it is off by at most a part in 8192, too little to be seen."""

_FLOATS = pa.list_(pa.float32())
_COLUMNS = {"cells": pa.string(), "metric": pa.string(), "mean": _FLOATS, "reach": _FLOATS}


@dataclass(frozen=True, eq=False)
class MeanCurve:
    """The mean over samples of one method's curves."""

    x: np.ndarray
    """The share of positions, 0 to 1, in `POINTS` even steps."""
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """The mean score at ``x``, with its 95 % interval over samples."""


@dataclass(frozen=True, eq=False)
class KeptCurves:
    """The mean curves that lie beside the cells of some methods."""

    _tables: Mapping[PackedCells, Mapping[tuple[str, str], Mapping[str, Any]]] = field(repr=False)

    @classmethod
    def of(cls, methods: Iterable[MethodRun]) -> KeptCurves:
        """Read those of every packed run that the methods' cells come from.

        Raises
        ------
        StorageError
            If a packed run is damaged.
        """
        places = dict.fromkeys(cell.place for method in methods for cell in method.cells)
        tables = {place: place.beside(FILE) for place in places if isinstance(place, PackedCells)}
        return cls({place: _by_name(table) for place, table in tables.items() if table is not None})

    def curve(self, method: MethodRun, identity: Mapping[str, Any]) -> MeanCurve | None:
        """Return a method's mean curve by the metric of an identity, None where none of just its cells is kept."""
        name = cells_digest(method), digest(identity)
        for place in dict.fromkeys(cell.place for cell in method.cells):
            row = self._tables[place].get(name) if isinstance(place, PackedCells) and place in self._tables else None
            if row is not None:
                x = np.linspace(0.0, 1.0, POINTS)
                mean, reach = (np.interp(x, x[::KEPT_STEP], np.asarray(row[one])) for one in ("mean", "reach"))
                return MeanCurve(x, mean, mean - reach, mean + reach)
        return None


def cells_digest(method: MethodRun) -> str:
    """Return what stands for the cells of a method, whatever their order."""
    return digest(sorted(cell.key for cell in method.cells))


def curves_table(curves: Iterable[tuple[MethodRun, Mapping[str, Any], MeanCurve]]) -> pa.Table:
    """Return mean curves, each with its method and the identity of its metric, as the table of `FILE`."""
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for method, identity, curve in curves:
        columns["cells"].append(cells_digest(method))
        columns["metric"].append(digest(identity))
        for name, values in (("mean", curve.mean), ("reach", curve.high - curve.mean)):
            columns[name].append(_short(values[::KEPT_STEP]))
    return pa.table({name: pa.array(columns[name], kind) for name, kind in _COLUMNS.items()})


def _short(values: np.ndarray) -> np.ndarray:
    """Return values as float32 with `DIGITS` binary digits, so that they pack well."""
    share, exponent = np.frexp(values.astype(np.float64))
    short: np.ndarray = np.ldexp(np.rint(np.ldexp(share, DIGITS)), exponent - DIGITS).astype(np.float32)
    return short


def _by_name(table: pa.Table) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(row["cells"], row["metric"]): row for row in table.to_pylist()}
