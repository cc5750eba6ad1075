"""Axioms: what an attribution should satisfy whatever the network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.engine import Chunk
from ...models.queries import ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, CurveMeasure, Measure, Want
from ..perturbing.fills import ABSENCE, CANVASES, fill_of
from ..perturbing.perturbation import ORIGINAL, MapFacts, Perturbation, Reading, keeping
from ..registry import register_metric
from ..scoring import Scoring

_axiom = partial(register_metric, family="axioms", higher_is_better=False, range=(0.0, None))
_LARGEST = float(np.finfo(np.float32).max) / 2
"""No sum of a finite map reaches it; NaN and infinity count as the largest number in sums."""


@_axiom(
    "completeness",
    title="Completeness",
    reference=Reference("Sundararajan, Taly, Yan", 2017, "Axiomatic Attribution for Deep Networks", "1703.01365"),
)
@dataclass(frozen=True)
class Completeness(CurveMeasure):
    """How far the attributions' sum is from the difference of the scores at the sample and at the baseline.

    NaN where the map is not finite, or where the difference is zero and the gap is relative.

    Formula
    -------
    |sum R - (f(x) - f(b))| / |f(x) - f(b)|, with b the baseline

    Reading
    -------
    0 is best: the attributions share out the score's difference.

    Weaknesses
    ----------
    Only methods that promise it can do well, and a map of the right sum can lie in the wrong places.
    """

    fill: Annotated[
        str, Doc("the baseline", says="the baseline shows {}", source="as integrated_gradients", choices=CANVASES)
    ] = ABSENCE
    score: Annotated[ScoreKind, Doc("what f is", says="f is {}", source="heatmark")] = "logit"
    relative: Annotated[
        bool,
        Doc(
            "divide by the difference of the scores",
            says={True: "the gap is divided by the difference of the scores", False: "the gap is left undivided"},
            source="heatmark",
        ),
    ] = True

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL, self._blank(facts)]

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        blank = self._blank(reading.facts)
        total = reading.seen[ORIGINAL].relevance
        change = reading.score(ORIGINAL, self.score) - reading.score(blank, self.score)
        if abs(total) > _LARGEST or (self.relative and change == 0):
            return float("nan")
        return abs(total - change) / (abs(change) if self.relative else 1.0)

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        finite = np.isfinite(scoring.flat_maps).all(axis=1)
        return np.where(finite, super().values(scoring), np.nan)

    def _blank(self, facts: MapFacts) -> Perturbation:
        return keeping(0, 0, self.fill, facts)


@_axiom(
    "non_sensitivity",
    title="Non-Sensitivity",
    range=(0.0, 1.0),
    reference=Reference(
        "Nguyen, Rodríguez Martínez", 2020, "On Quantitative Aspects of Model Interpretability", "2007.07584"
    ),
)
@dataclass(frozen=True)
class NonSensitivity(Measure):
    """The share of positions where exactly one of attribution and influence is zero.

    Positions are drawn once for all samples; all are looked at where there are no more. An attribution is zero up to
    the tolerance's share of the map's largest absolute value. The influence is zero if the score stays when that
    position alone is filled, up to the tolerance's share of the score (of one, where the score is smaller). NaN where
    the map is not finite.

    Formula
    -------
    share of positions p with [R_p = 0] other than [f(x) = f(x with p filled)]

    Reading
    -------
    0 is best: zero attribution exactly where the score does not depend on the position.

    Weaknesses
    ----------
    Real networks depend on nearly every pixel a little, so it punishes zeros and hardly anything else.
    """

    positions: Annotated[
        int,
        Doc("positions looked at, drawn at random", says="{} positions are drawn at random", source="heatmark", low=1),
    ] = 256
    fill: Annotated[
        str,
        Doc(
            "what a position is filled with",
            says="each is filled with {}",
            source="Nguyen et al. 2020: random values",
            choices=CANVASES,
        ),
    ] = "noise"
    score: Annotated[
        ScoreKind, Doc("what is influenced", says="influence is read off {}", source="heatmark: probabilities saturate")
    ] = "logit"
    tolerance: Annotated[
        float,
        Doc(
            "what counts as zero, relatively",
            says="up to {} of the largest counts as zero",
            source="Quantus: 1e-5",
            low=0,
        ),
    ] = 1e-5

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(forward=min(self.positions, positions))}

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        model, maps = scoring.model, scoring.flat_maps
        fill = fill_of(model, scoring.x, self.fill, scoring.seed, scoring.values)
        total = maps.shape[1]
        chosen = np.sort(scoring.bank.generator("non-sensitivity").permutation(total)[: self.positions])

        def without_one(rows: Tensor, chunk: Chunk) -> Tensor:
            filled = np.zeros((len(chunk.samples), total), bool)
            filled[np.arange(len(filled)), chosen[chunk.variants]] = True
            mask = model.from_numpy(filled.reshape(-1, *model.spatial_shape))
            here = chunk.background(fill)
            return scoring.operations.where(model.with_channel_axis(mask), here, rows)

        scores, whole = scoring.scores(without_one, len(chosen), self.score), scoring.scores_of(self.score)
        gaps, limits = np.abs(scores - whole).T, self.tolerance * np.maximum(np.abs(whole), 1.0)
        no_influence = gaps <= limits[:, None]
        strength = np.abs(maps)
        finite = np.isfinite(maps).all(axis=1)
        no_attribution = strength[:, chosen] <= self.tolerance * strength.max(axis=1, keepdims=True)
        return np.where(finite, (no_attribution != no_influence).mean(axis=1), np.nan)


@_axiom(
    "input_invariance",
    title="Input Invariance",
    reference=Reference("Kindermans et al.", 2017, "The (Un)reliability of Saliency Methods", "1711.00867"),
)
@dataclass(frozen=True)
class InputInvariance(Measure):
    """The relative change of the map when inputs are shifted and the network takes the shift off again.

    ||e' - e|| / ||e||. The shifted network gives for x + shift what the network gives for x, so nothing that it does is
    different. NaN where a map is not finite or the map is zero.

    Formula
    -------
    ||R' - R|| / ||R||, with R' the map of a network that takes off again what is added to its inputs

    Reading
    -------
    0 is best: what the network does is the same, so should be the map.

    Weaknesses
    ----------
    Methods that multiply by the input fail by definition, unless their baseline moves along.
    """

    wants: ClassVar[frozenset[Want]] = frozenset({"method"})

    shift: Annotated[
        float,
        Doc("added to every raw value", says="{} is added to every raw value", source="Kindermans et al. 2017: -1"),
    ] = -1.0

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(explanations=1)}

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        model = scoring.model
        other = model.shifted(self.shift)
        other.engine.chunk = model.engine.chunk
        before = other.passes
        shifted = scoring.explained(scoring.x + self.shift, model=other)
        model.add_passes(other.passes - before)
        maps = scoring.flat_maps
        with np.errstate(all="ignore"):  # what maps with NaN and infinity give is told below
            distance = np.linalg.norm(shifted.reshape(maps.shape).astype(np.float64) - maps, axis=1)
            norms = np.linalg.norm(maps, axis=1)
        known = np.isfinite(distance) & np.isfinite(norms) & (norms > 0)
        return np.where(known, distance / np.where(known, norms, 1.0), np.nan)
