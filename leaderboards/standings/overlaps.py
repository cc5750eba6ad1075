"""Scores of one method from several cells: what they are on average, and where two runs contradict each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
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
    """A finished cell of one method: the run that holds it, its seed, its number of rows, and its metrics."""

    run: Path
    seed: int
    samples: int
    metrics: Collection[str]


@dataclass(frozen=True)
class Contradiction:
    """Two scores of the same method on the same sample with the same metric and seed."""

    metric: str
    sample: str
    runs: tuple[Path, Path]
    values: tuple[float, float]
    """The runs that hold them, and what they are; NaN where one says that the score is undefined."""

    @property
    def apart(self) -> float:
        """How far they are apart; infinite where one of them is undefined."""
        apart = abs(self.values[0] - self.values[1])
        return math.inf if math.isnan(apart) else apart


def mean_scores(pieces: Sequence[Piece], rows: pd.DataFrame, metrics: Sequence[str], samples: pd.Index) -> np.ndarray:
    """Return the scores of one method, (metrics, samples): averaged over seeds, the first of several of one seed.

    NaN where none of the pieces has a score; ``rows`` are those of all pieces after one another.
    """
    columns = [score_column(metric) for metric in metrics]
    found = np.full((len(metrics), len(samples)), np.nan)
    if not (len(rows) and columns):
        return found
    if overlapping(pieces, rows):
        values = _together(pieces, rows, columns)
        values = values.groupby(["seed", "sample"], sort=False)[columns].first().reset_index("sample")
    else:
        values = rows.reindex(columns=["sample", *columns])
    places = samples.get_indexer(pd.Index(values["sample"]))
    scores = values[columns].to_numpy(np.float64)
    if len(np.unique(places)) < len(places):
        means = values[columns].groupby(places).mean()
        places, scores = means.index.to_numpy(), means.to_numpy(np.float64)
    found[:, places] = scores.T + 0.0  # no minus zero: a mean has none
    return found


def contradictions(pieces: Sequence[Piece], rows: pd.DataFrame, metrics: Sequence[str]) -> Iterator[Contradiction]:
    """Yield for every metric the largest difference between two scores of one sample and seed, where there is any.

    ``rows`` are those of all pieces after one another.
    """
    if not overlapping(pieces, rows):
        return
    columns = [score_column(metric) for metric in metrics]
    rows = _together(pieces, rows, columns)
    groups = rows.groupby(["seed", "sample"], sort=False).ngroup().to_numpy()
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    scores = rows[columns].to_numpy(np.float64)[order]
    # What a piece does not measure contradicts nothing; what it measured as undefined does.
    measured = np.array([[metric in piece.metrics for metric in metrics] for piece in pieces])
    place = _each(range(len(pieces)), pieces)[order]
    known, asked = (np.add.reduceat(one, starts).astype(int) for one in (~np.isnan(scores), measured[place]))
    apart = np.fmax.reduceat(scores, starts) - np.fmin.reduceat(scores, starts)
    apart = np.where(known == 0, 0.0, np.where(known < asked, np.inf, apart))
    for number in np.flatnonzero(apart.max(axis=0) > 0).tolist():
        group = int(apart[:, number].argmax())
        held = np.flatnonzero((groups[order] == group) & measured[place, number])
        held = held[np.argsort(scores[held, number], kind="stable")]  # what is undefined stands last
        first, last = sorted((int(held[0]), int(held[-1])), key=lambda row: int(place[row]))
        yield Contradiction(
            metrics[number],
            str(rows["sample"].iloc[order[first]]),
            (pieces[place[first]].run, pieces[place[last]].run),
            (float(scores[first, number]), float(scores[last, number])),
        )


def overlapping(pieces: Sequence[Piece], rows: pd.DataFrame) -> bool:
    """Return whether two pieces of one seed have a sample in common; ``rows`` are those of all pieces."""
    if len(pieces) < 2:
        return False
    samples = pd.factorize(rows["sample"])[0]
    whole = samples.max(initial=0) + 1
    of_seed = pd.factorize(_each([piece.seed for piece in pieces], pieces))[0] * whole + samples
    if len(np.unique(of_seed)) == len(of_seed):
        return False
    # A sample that one piece has twice is not two pieces' sample.
    of_piece = _each(range(len(pieces)), pieces) * whole + samples
    firsts = np.unique(of_piece, return_index=True)[1]
    return len(np.unique(of_seed[firsts])) < len(firsts)


def _together(pieces: Sequence[Piece], rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the sample, the seed and the scores of all rows."""
    return rows.reindex(columns=["sample", *columns]).assign(seed=_each([piece.seed for piece in pieces], pieces))


def _each(values: Iterable[int], pieces: Sequence[Piece]) -> np.ndarray:
    """Return one value per row from one per piece."""
    return np.repeat(np.array(list(values), np.int64), [piece.samples for piece in pieces])
