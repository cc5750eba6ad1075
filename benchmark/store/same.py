"""Whether two results of one cell are the same but for rounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .cell import score_column

AGREE = 1e-5
"""Scores of one cell that differ by less, as a share of the metric's largest there, are the same but for rounding."""
ONE_TRUTH = ("sample", "index", "label", "target", "predicted")
"""Columns in which two results of one cell may not differ at all."""


def difference(metrics: Sequence[str], one: pd.DataFrame, other: pd.DataFrame) -> str:
    """Return the first difference of two results of one cell in words, or nothing."""
    if len(one) != len(other):
        return f"{len(one)} rows in the first, {len(other)} in the second"
    for name in ONE_TRUTH:
        differing = (one[name] != other[name]).to_numpy()
        if differing.any():
            return _at(one, other, name, int(differing.argmax()))
    for name in map(score_column, metrics):
        a, b = (table[name].to_numpy(np.float64) for table in (one, other))
        differing = apart(a, b)
        if differing.any():
            return _at(one, other, name, int(differing.argmax()))
    return ""


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return which of two results' scores by one metric differ by more than rounding."""
    largest = max(float(abs(v[np.isfinite(v)]).max(initial=0.0)) for v in (a, b))
    same: np.ndarray = np.isclose(a, b, rtol=0.0, atol=AGREE * largest, equal_nan=True)
    return ~same


def _at(one: pd.DataFrame, other: pd.DataFrame, name: str, row: int) -> str:
    sample = one["sample"].iloc[row]
    values = f"{one[name].iloc[row]} in the first, {other[name].iloc[row]} in the second"
    return f"{name} of row {row + 1} (sample {sample}) is {values}"
