"""What a comparison of two runs, or of two methods, is: every pair of entries on every metric, sample by sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ...benchmark.store.cell import Task
from ...benchmark.store.folder import RunStore
from ..standings.gathering import thumbnail_in
from ..standings.registered import MethodFacts, MetricFacts
from ..standings.results import Setting
from ..statistics.ranks import rounded
from ..statistics.signed_ranks import signed_rank_lean
from ..statistics.significance import LEVEL
from .paired import Paired

Outcome = Literal["same", "first", "second", "differs", "not told apart", "no sample"]


class Apart(NamedTuple):
    """A sample on which two entries differ."""

    sample: str
    first: float
    second: float


@dataclass(frozen=True, eq=False)
class Compared:
    """Two entries on one metric."""

    methods: tuple[MethodFacts, MethodFacts]
    """The method of the first and of the second side; of two runs mostly the same."""
    metric: MetricFacts
    paired: Paired
    """The first minus the second, over the samples on which both have a score."""
    means: tuple[float, float]
    """Each one's mean over these samples."""
    p_holm: float
    """``paired.p`` by Holm's correction over all comparisons of the same table."""
    spread: float
    """Largest minus smallest score of the metric in the table, over all its methods, samples and both sides."""
    samples: tuple[str, ...]
    scores: np.ndarray
    """The samples on which both have a score, and these scores, (2, samples)."""
    undefined: int
    """On how many samples that both sides have one of the two has no score."""

    @property
    def outcome(self) -> Outcome:
        """Which side is better, if that can be told; ``differs`` where the metric's direction is not known.

        ``same`` where no sample differs in six significant digits, ``no sample`` where none has a score of both. The
        better side is the one to which the test leans that told them apart: a side may win on fewer samples, and by far
        more.
        """
        if not len(self.samples):
            return "no sample"
        differences = rounded(rounded(self.scores[0]) - rounded(self.scores[1]))
        if not differences.any():
            return "same"
        if not self.p_holm <= LEVEL:
            return "not told apart"
        if self.metric.higher_is_better is None:
            return "differs"
        rises = bool(signed_rank_lean(differences[None])[0] > 0)
        return "first" if rises == self.metric.higher_is_better else "second"

    def furthest(self, most: int) -> list[Apart]:
        """Return the samples that differ most, without those that do not differ."""
        apart = np.abs(self.scores[0] - self.scores[1])
        order = np.argsort(-apart, kind="stable")[:most]
        return [Apart(self.samples[k], *map(float, self.scores[:, k])) for k in order.tolist() if apart[k] > 0]


@dataclass(frozen=True, eq=False)
class ComparedTable:
    """All that is compared of one model on one dataset in one framework."""

    title: str
    setting: Setting
    """The first side's, which heads the table."""
    differs: tuple[str, ...]
    """In what the two sides' settings differ, in words, such as their frameworks."""
    compared: tuple[Compared, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    """The methods and metrics that one of the sides has alone."""
    redefined: tuple[str, ...]
    """Methods and metrics of one name that are defined differently, with what differs."""

    def furthest(self, most: int) -> list[tuple[str, float]]:
        """Return the samples that differ most over all comparisons, each with how far, the furthest first.

        How far is the mean over comparisons of a sample's difference as a share of the spread of the metric's scores.
        """
        shares: dict[str, list[float]] = {}
        for one in self.compared:
            apart = np.abs(one.scores[0] - one.scores[1]) / one.spread if one.spread > 0 else np.zeros(len(one.samples))
            for sample, share in zip(one.samples, apart.tolist(), strict=True):
                shares.setdefault(sample, []).append(share)
        means = {sample: math.fsum(found) / len(found) for sample, found in shares.items()}
        order = sorted(means, key=lambda sample: -means[sample])[:most]
        return [(sample, means[sample]) for sample in order if means[sample] > 0]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs, or two methods of one or several runs, side by side."""

    kind: Literal["runs", "methods"]
    sides: tuple[str, str]
    """The two runs' folders, or the two methods."""
    stores: tuple[RunStore, ...]
    tables: tuple[ComparedTable, ...]
    """One per model, dataset and framework that both sides have."""
    only: tuple[tuple[str, ...], tuple[str, ...]]
    """The settings that one side has alone."""

    @property
    def compared(self) -> list[tuple[ComparedTable, Compared]]:
        """All comparisons, each with its table."""
        return [(table, one) for table in self.tables for one in table.compared]

    def thumbnail(self, task: Task, sample: str) -> Path:
        """Return where the picture of a sample is kept, in the first run that has it; the file may be missing."""
        return thumbnail_in(self.stores, task, sample)

    def __repr__(self) -> str:
        count = len(self.compared)
        return f"<{type(self).__name__} of {self.sides[0]} and {self.sides[1]}: {count} comparisons>"
