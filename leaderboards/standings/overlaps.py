"""Scores of one method from several cells: what they are on average, and where two runs contradict each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...benchmark.store.cell import score_column

DIFFERS = 0.05
"""Two measurements of the same thing differ where a sample's scores are further apart than this share of the spread of
all scores of the metric.
"""


class Piece(NamedTuple):
    """The rows of a finished cell of one method, with the run that holds it and its seed."""

    run: Path
    seed: int
    table: pd.DataFrame


@dataclass(frozen=True)
class Contradiction:
    """Two scores of the same method on the same sample with the same metric and seed."""

    metric: str
    sample: str
    runs: tuple[Path, Path]
    values: tuple[float, float]
    """The runs that hold them, and what they are; NaN where one says that the score is undefined."""

    def matters(self, spread: float, grain: float) -> bool:
        """Return whether they differ beyond rounding (``grain``), and in more than `DIFFERS` of the spread."""
        apart = abs(self.values[0] - self.values[1])
        return math.isnan(apart) or (apart > grain and apart > DIFFERS * spread)


def mean_scores(pieces: Sequence[Piece], metrics: Sequence[str], samples: Sequence[str]) -> np.ndarray:
    """Return the scores of one method, (metrics, samples): averaged over seeds, the first of several of one seed.

    NaN where none of the pieces has a score.
    """
    columns = [score_column(metric) for metric in metrics]
    if not pieces:
        return np.full((len(metrics), len(samples)), np.nan)
    values = _together(pieces, columns)
    if values.duplicated(["seed", "sample"]).any():
        values = values.groupby(["seed", "sample"], sort=False)[columns].first().reset_index("sample")
    means = values.groupby("sample")[columns].mean()
    return np.asarray(means.reindex(list(samples))[columns].to_numpy(np.float64).T)


def contradictions(pieces: Sequence[Piece], metrics: Sequence[str]) -> Iterator[Contradiction]:
    """Yield for every metric the largest difference between two scores of one sample and seed, where there is any."""
    if len(pieces) < 2:
        return
    columns = [score_column(metric) for metric in metrics]
    values = _together(pieces, columns).assign(piece=_each(range(len(pieces)), pieces))
    values = values[values.duplicated(["seed", "sample"], keep=False)]
    if values.empty:
        return
    for metric, column in zip(metrics, columns, strict=True):
        # What a piece does not measure contradicts nothing; what it measured as undefined does.
        measured = [place for place, piece in enumerate(pieces) if column in piece.table]
        found = values[values["piece"].isin(measured)]
        of_sample = found.groupby(["seed", "sample"], sort=False)[column]
        apart = (of_sample.max() - of_sample.min()).where(of_sample.count() > 0, 0.0)
        apart = apart.mask((of_sample.count() > 0) & (of_sample.count() < of_sample.size()), np.inf)
        if len(apart) and apart.max() > 0:
            seed, sample = apart.idxmax()
            held = found[(found["seed"] == seed) & (found["sample"] == sample)].sort_values(column)
            ends = held.iloc[[0, -1]].sort_values("piece")
            one, other = (pieces[int(place)].run for place in ends["piece"])
            low, high = (float(value) for value in ends[column])
            yield Contradiction(metric, str(sample), (one, other), (low, high))


def _together(pieces: Sequence[Piece], columns: Sequence[str]) -> pd.DataFrame:
    """Return the sample, the seed and the scores of all rows."""
    tables = [piece.table.reindex(columns=["sample", *columns]) for piece in pieces]
    return pd.concat(tables, ignore_index=True).assign(seed=_each([piece.seed for piece in pieces], pieces))


def _each(values: Iterable[int], pieces: Sequence[Piece]) -> np.ndarray:
    """Return one value per row from one per piece."""
    return np.repeat(list(values), [len(piece.table) for piece in pieces])
