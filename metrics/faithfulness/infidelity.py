"""Infidelity: the squared gap between what a map says a perturbation does and what it does."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.engine import Chunk, Maker
from ...models.inputs.baselines import width_of
from ...models.queries import ScoreKind
from ...models.random_bank import LazyRows
from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, Measure
from ..perturbing.fills import ABSENCE, CANVASES
from ..perturbing.perturbation import ORIGINAL, MapFacts, Perturbation
from ..perturbing.ranking import CleanMaps
from ..registry import register_metric
from ..scoring import Scoring
from .random_subsets import drawn, removing_from, responses

Kind = Literal["square", "subset", "gaussian"]


@register_metric(
    "infidelity", title="Infidelity",
    family="faithfulness",
    higher_is_better=False,
    range=(0.0, None),
    reference=Reference(
        "Yeh, Hsieh, Suggala, Inouye, Ravikumar", 2019, "On the (In)fidelity and Sensitivity of Explanations",
        "1901.09392",
    ),
    presets={
        "shap": {"perturbation": "subset", "fill": "black"},
        "gaussian": {"perturbation": "gaussian"},
        "captum": {"perturbation": "gaussian", "noise": 0.003, "samples": 10, "scaled": False},
    },
)  # fmt: skip
@dataclass(frozen=True)
class Infidelity(Measure):
    """The mean squared gap between the change that a map says a perturbation causes and the change itself.

    (I . R - (f(x) - f(x - I)))^2 over random perturbations I. A map has one value R_p for all channels of a position p,
    so perturbations are those of which such a map can speak:

    ``square`` and ``subset`` move some positions, with all their channels, the whole way to the fill. I . R is then
    the sum of R over them, if R_p is the position's contribution to the score (gradient times input, integrated
    gradients, relevance, Shapley values), summed over its channels. A square (a window of a series) is drawn from all
    that lie inside with sides up to ``largest``; in a subset is each position with probability one half.

    ``gaussian`` takes the same number off every channel of a position, without clipping. I . R is then the sum of that
    number times R_p, if R_p is the score's rate of change (a gradient), summed over the position's channels.

    A ``scaled`` map is first multiplied by the one number that suits it best, beta = E[d I . R] / E[(I . R)^2] for d
    the score's change. It is the authors', and may be negative: a map and its negative score alike.

    Formula
    -------
    mean over random perturbations I of (beta I.R - (f(x) - f(x - I)))^2

    Reading
    -------
    0 is best: the map foretells what a change of the input does.

    Weaknesses
    ----------
    Ruled by the size of the drops, so values of networks and data do not compare; a map scaled by beta is right even
    with its sign turned round. Contributions and gradients need other perturbations.
    """

    perturbation: Annotated[
        Kind,
        Doc(
            "what is done to the input",
            says={
                "square": "random squares are removed",
                "subset": "each position is removed with a probability of one half",
                "gaussian": "Gaussian noise is taken off",
            },
            source="Yeh et al. 2019: all three",
        ),
    ] = "square"
    samples: Annotated[
        int, Doc("random perturbations", says="{} random perturbations", source="heatmark; Captum: 10", low=1)
    ] = 200
    largest: Annotated[
        float,
        Doc(
            "side of a square, of the shortest side",
            says="squares of up to {%} of the shortest side",
            when="perturbation=square",
            source="Yeh et al.'s code: 10 of 28",
            low=0,
            high=1,
        ),
    ] = 0.36
    noise: Annotated[
        float,
        Doc(
            "deviation for gaussian, a share of the domain's width",
            says="its deviation is {%} of the domain's width",
            when="perturbation=gaussian",
            source="Yeh et al. 2019: 0.2",
            low=0,
        ),
    ] = 0.2
    scaled: Annotated[
        bool,
        Doc(
            "first scale the map as suits it best",
            says={True: "each map is first scaled as suits it best", False: "maps are taken as they are"},
            source="Yeh et al.'s code",
        ),
    ] = True
    fill: Annotated[
        str,
        Doc(
            "what removed positions show",
            says="removed positions show {}",
            when="perturbation!=gaussian",
            source="Yeh et al.'s code: 0",
            choices=CANVASES,
        ),
    ] = ABSENCE
    score: Annotated[
        ScoreKind, Doc("what changes", says="the change is that of {}", source="Yeh et al. 2019: the output")
    ] = "logit"

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL]

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(forward=self.samples)}

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        maps = CleanMaps.of(scoring.model, scoring.maps).flat.astype(np.float64)
        parts = self._parts(scoring)
        gaussian = self.perturbation == "gaussian"
        make = _subtracting(scoring, parts) if gaussian else removing_from(scoring, parts, self.fill)
        found = responses(scoring, parts, self.samples, maps, make, self.score)
        said, done = found.sums, found.drops
        if self.scaled:
            square = (said * said).sum(axis=0)
            said = said * ((said * done).sum(axis=0) / np.where(square > 0, square, 1.0))
        value: np.ndarray = ((said - done) ** 2).mean(axis=0)
        return value

    def _parts(self, scoring: Scoring) -> LazyRows:
        """Return the numbered perturbations (*spatial): the number taken off, or whether the position is removed."""
        spatial = scoring.model.spatial_shape
        size = self.noise * width_of(scoring.model, scoring.values)

        def draw(generator: np.random.Generator, _: int) -> np.ndarray:
            if self.perturbation == "gaussian":
                return generator.standard_normal(spatial, dtype=np.float32) * np.float32(size)
            if self.perturbation == "subset":
                return generator.random(spatial, dtype=np.float32) < 0.5
            return random_square(generator, spatial, max(1, round(self.largest * min(spatial))))

        return drawn(scoring, f"infidelity {self.perturbation}", draw)


def _subtracting(scoring: Scoring, parts: LazyRows) -> Maker:
    """Return what takes a number off all channels of each position."""
    model = scoring.model

    def make(rows: Tensor, chunk: Chunk) -> Tensor:
        return rows - model.with_channel_axis(model.from_numpy(parts[chunk.variants]))

    return make


def random_square(generator: np.random.Generator, spatial: Sequence[int], largest: int) -> np.ndarray:
    """Return a square drawn from all inside ``spatial`` with sides from 1 to ``largest``, boolean (*spatial)."""
    sides = np.arange(1, largest + 1)
    places = np.array([math.prod(length - int(side) + 1 for length in spatial) for side in sides], np.float64)
    side = int(generator.choice(sides, p=places / places.sum()))
    inside = np.zeros(tuple(spatial), bool)
    starts = [int(generator.integers(length - side + 1)) for length in spatial]
    inside[tuple(slice(start, start + side) for start in starts)] = True
    return inside
