"""Sensitivity-n, faithfulness correlation and mu-fidelity: do sums of attributions follow the score's drops?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np

from ...models.queries import ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, Measure
from ..perturbing.correlations import pearson, spearman
from ..perturbing.fills import ABSENCE, CANVASES
from ..perturbing.perturbation import ORIGINAL, MapFacts, Perturbation
from ..perturbing.units import checked_unit
from ..registry import register_metric
from ..scoring import Scoring
from .random_subsets import REGIONS, chosen, drawn, region_labels, removal_responses

_correlation = partial(register_metric, family="faithfulness", higher_is_better=True, range=(-1.0, 1.0), version=2)
_BHATT = Reference(
    "Bhatt, Weller, Moura", 2020, "Evaluating and Aggregating Feature-based Model Explanations", "2005.00631"
)
Fill = Annotated[
    str,
    Doc(
        "what replaces a subset",
        says="a subset is replaced by {}",
        source="the papers: a baseline of zero",
        choices=CANVASES,
    ),
]
Score = Annotated[
    ScoreKind,
    Doc("what drops", says="the drop is that of {}", source="Ancona et al. 2018: the output before the softmax"),
]


class SubsetCorrelation(Measure):
    """A correlation, over random subsets of the input, of their attribution with the score's drop without them.

    Undefined (NaN) where the sums or the drops are all equal.
    """

    subsets: int

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL]

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(forward=self.subsets)}


@_correlation(
    "sensitivity_n", title="Sensitivity-n",
    reference=Reference(
        "Ancona, Ceolini, Öztireli, Gross", 2018, "Towards better understanding of gradient-based attribution methods",
        "1711.06104",
    ),
    presets={"ancona2018": {"sizes": 10, "subsets": 100, "smallest": 0.0, "fill": "zero"}},
)  # fmt: skip
@dataclass(frozen=True)
class SensitivityN(SubsetCorrelation):
    """The correlation of summed attributions with the drop when random positions go, averaged over their number.

    For each size n, subsets of n positions are drawn at random; Pearson's correlation over them is between the sum of
    their attributions and f(x) - f(x without them). Sizes at which it is undefined (all sums or all drops equal) are
    left out; NaN where it is undefined at every size. There are fewer sizes where an input has fewer positions.

    Formula
    -------
    mean over n of Pearson's correlation, over random sets S of n positions, of sum of R in S with f(x) - f(x without S)

    Reading
    -------
    -1 to 1, high is good: sums of attributions follow the drops.

    Weaknesses
    ----------
    Scattered single pixels make a pattern that no photograph has, so correlations are small for all maps and close
    together.
    """

    sizes: Annotated[
        int,
        Doc(
            "subset sizes, logarithmically spaced",
            says="{} sizes of subsets, spaced logarithmically",
            source="heatmark: few, for cost",
            low=1,
        ),
    ] = 8
    subsets: Annotated[
        int,
        Doc(
            "random subsets of each size",
            says="{} random subsets of each size",
            source="heatmark; Ancona et al. 2018: 100",
            low=2,
        ),
    ] = 30
    smallest: Annotated[
        float,
        Doc(
            "size, as a share of the positions; at least one",
            says={0.0: "the smallest is a single position", "": "the smallest has {%} of the positions"},
            source="Ancona: one position",
            low=0,
            high=1,
        ),
    ] = 0.01
    largest: Annotated[
        float,
        Doc(
            "size, as a share of the positions",
            says="the largest has {%} of them",
            source="Ancona et al. 2018: about 80 %",
            low=0,
            high=1,
        ),
    ] = 0.8
    fill: Fill = ABSENCE
    score: Score = "logit"

    def __post_init__(self) -> None:
        object.__setattr__(self, "largest", max(self.smallest, self.largest))

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(forward=len(self.counts(positions)) * self.subsets)}

    def counts(self, positions: int) -> np.ndarray:
        """Return the sizes n for so many positions, increasing."""
        first, last = (max(1.0, share * positions) for share in (self.smallest, self.largest))
        return np.unique(np.round(np.geomspace(first, last, self.sizes)).astype(np.int64))

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        places = region_labels(scoring, "position")
        counts = self.counts(places.size)

        def draw(generator: np.random.Generator, number: int) -> np.ndarray:
            taken: np.ndarray = chosen(generator, places.size, int(counts[number // self.subsets]))[places]
            return taken

        masks = drawn(scoring, "sensitivity_n", draw)
        found = removal_responses(scoring, masks, len(counts) * self.subsets, self.fill, self.score)
        parts = [slice(first * self.subsets, (first + 1) * self.subsets) for first in range(len(counts))]
        values = np.stack([found.correlations(pearson, part) for part in parts])
        defined = np.isfinite(values)
        return np.where(
            defined.any(axis=0), np.where(defined, values, 0.0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1), np.nan
        )


@_correlation(
    "faithfulness_correlation",
    title="Faithfulness Correlation",
    reference=_BHATT,
    presets={"quantus": {"size": 224, "subsets": 100, "score": "logit", "fill": "black"}},
)
@dataclass(frozen=True)
class FaithfulnessCorrelation(SubsetCorrelation):
    """The correlation of summed attributions with the drop when random positions of a fixed number go.

    Pearson's.

    Formula
    -------
    Pearson's correlation, over random sets S of one size, of sum of R in S with f(x) - f(x without S)

    Reading
    -------
    -1 to 1, high is good.

    Weaknesses
    ----------
    Depends on the size of the sets, on the draw (look at the audit's retest) and on the fill; see sensitivity_n.
    """

    size: Annotated[
        int,
        Doc(
            "positions in a subset, at most half of all",
            says="a subset has {} positions, at most half of all",
            source="Quantus: 224",
            low=1,
        ),
    ] = 224
    subsets: Annotated[int, Doc("random subsets", says="{} random subsets", source="Quantus: 100", low=2)] = 100
    fill: Fill = ABSENCE
    score: Score = "logit"

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        places = region_labels(scoring, "position")
        size = max(1, min(self.size, places.size // 2))
        masks = drawn(scoring, "faithfulness_correlation", lambda draw, _: chosen(draw, places.size, size)[places])
        return removal_responses(scoring, masks, self.subsets, self.fill, self.score).correlations(pearson)


@_correlation(
    "mu_fidelity", title="MuFidelity", reference=_BHATT, presets={"xplique": {"exact": False, "fill": "black"}}
)
@dataclass(frozen=True)
class MuFidelity(SubsetCorrelation):
    """The rank correlation of summed attributions with the drop when random cells of a grid go.

    Spearman's.

    Formula
    -------
    Spearman's correlation, over random sets S of cells of a grid, of sum of R in S with f(x) - f(x without S)

    Reading
    -------
    -1 to 1, high is good. Cells instead of pixels: what goes looks more like something that is covered.

    Weaknesses
    ----------
    Says nothing about what a map shows within a cell.
    """

    regions: Annotated[
        str, Doc("what subsets are made of", says="subsets are made of {}", source="Xplique: 9 by 9", choices=REGIONS)
    ] = "grid:9"
    share: Annotated[
        float, Doc("of the regions in a subset", says="a subset has {%} of them", source="Xplique: 0.2", low=0, high=1)
    ] = 0.2
    exact: Annotated[
        bool,
        Doc(
            "all subsets have one size; else each region is in with that probability",
            says={True: "all subsets have one size", False: "that share is each one's probability to be in"},
            source="Bhatt et al.",
        ),
    ] = True
    subsets: Annotated[int, Doc("random subsets", says="{} random subsets", source="Xplique: 200", low=2)] = 200
    fill: Fill = ABSENCE
    score: Score = "logit"

    def __post_init__(self) -> None:
        checked_unit(self.regions)

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        labels = region_labels(scoring, self.regions)
        count = int(labels.max()) + 1
        size = max(1, round(self.share * count))

        def draw(generator: np.random.Generator, _: int) -> np.ndarray:
            taken = chosen(generator, count, size) if self.exact else generator.random(count) < self.share
            inside: np.ndarray = taken[labels]
            return inside

        masks = drawn(scoring, "mu_fidelity", draw)
        return removal_responses(scoring, masks, self.subsets, self.fill, self.score).correlations(spearman)
