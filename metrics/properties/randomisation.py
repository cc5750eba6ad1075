"""Randomisation: does a map change when the network, or the class explained, is another?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np

from ...errors import NotApplicable
from ...models.base import Model
from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, Measure, Want
from ..registry import register_metric
from ..scoring import Scoring
from .similarities import Similarity, checked_shape, similarities

_randomisation = partial(register_metric, family="randomisation")
_HEDSTROEM = Reference("Hedström, Weber, Lapuschkin, Höhne", 2023, "Sanity Checks Revisited", "2401.06465")
Mode = Literal["cascading", "independent"]
Order = Literal["top_down", "bottom_up"]
Aggregate = Literal["mean", "last"]


@_randomisation(
    "mprt",
    title="MPRT",
    higher_is_better=False,
    range=(-1.0, 1.0),
    reference=Reference(
        "Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim", 2018, "Sanity Checks for Saliency Maps", "1810.03292"
    ),
    presets={"quantus": {"similarity": "absolute"}},
)
@dataclass(frozen=True)
class ParameterRandomisation(Measure):
    """How alike the map stays while the network's layers are randomised (model parameter randomisation test).

    A layer is a kernel with the normalisation that follows it. Cascading copies have ever more layers randomised, in
    `layers` equal shares of the network, until all are; independent ones have a single layer randomised each, at
    `layers` evenly spaced depths. The explained class stays that of the network itself. The value is the mean over the
    copies, or that of the last; copies whose map is constant or not finite are left out, and the value is NaN where
    none is left.

    Formula
    -------
    mean over randomised copies of the network of similarity(R, R of the copy)

    Reading
    -------
    Low is good: a map that stays the same when the network is replaced by noise shows the picture, not the network.

    Weaknesses
    ----------
    A noisy map differs from everything and passes. Rank correlations are high for any two maps that share edges; see
    smooth_mprt and efficient_mprt.
    """

    wants: ClassVar[frozenset[Want]] = frozenset({"method"})

    mode: Annotated[
        Mode,
        Doc(
            "whether layers stay randomised from copy to copy",
            says={
                "cascading": "layers stay randomised from copy to copy",
                "independent": "each copy has one randomised layer",
            },
            source="Adebayo et al. 2018",
        ),
    ] = "cascading"
    layers: Annotated[
        int,
        Doc(
            "copies of the network; at most one per layer",
            says="at most {} randomised copies of the network",
            source="heatmark",
            low=1,
        ),
    ] = 8
    order: Annotated[
        Order,
        Doc(
            "from the output to the input, or back",
            says={"top_down": "from the output to the input", "bottom_up": "from the input to the output"},
            source="Adebayo et al. 2018: from the output",
        ),
    ] = "top_down"
    similarity: Annotated[
        Similarity,
        Doc(
            "how maps are compared",
            says="maps are compared by {}",
            source="Adebayo et al. 2018: Spearman, with and without sign, SSIM, HOG",
        ),
    ] = "spearman"
    aggregate: Annotated[
        Aggregate,
        Doc(
            "over the copies: their mean, or the last",
            says={"mean": "the value is the mean over the copies", "last": "the value is the last copy's"},
            source="heatmark",
        ),
    ] = "mean"
    samples: int = 0
    noise: float = 0.0
    """Each map is the mean of those of so many noisy copies of the sample; the standard deviation is a share of the
    sample's own range. With no samples, the map is that of the sample.
    """

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`; a network with fewer layers costs less."""
        if self.samples:
            return {self: Cost(explanations=(self.layers + 1) * self.samples)}
        return {self: Cost(explanations=self.layers)}

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        checked_shape(scoring.model.spatial_shape, self.similarity)
        names = layer_names(scoring.model)
        if self.order == "top_down":
            names = names[::-1]
        original = self._maps(scoring, scoring.model) if self.samples else scoring.maps
        found = []
        with ExitStack() as copies:
            for step in self._steps(names):
                if self.mode == "independent":
                    copies.close()
                other = copies.enter_context(scoring.model.randomised(step, scoring.seed))
                found.append(similarities(original, self._maps(scoring, other), self.similarity))
        return found[-1] if self.aggregate == "last" else mean_of_known(np.stack(found))

    def _steps(self, names: list[str]) -> list[list[str]]:
        """Return the layers that each copy has randomised, beyond those of the copy before where they add up."""
        count = min(self.layers, len(names))
        if self.mode == "cascading":
            return [list(part) for part in np.array_split(np.array(names, object), count)]
        if count == 1:
            return [names[:1]]
        places = np.round(np.linspace(0, len(names) - 1, count)).astype(int)
        return [[names[place]] for place in places]

    def _maps(self, scoring: Scoring, model: Model) -> np.ndarray:
        """Return the maps of a model, (n, *spatial): of the samples, or the mean of those of noisy copies."""
        if not self.samples:
            return scoring.explained(scoring.x, model=model)
        operations, home = scoring.operations, scoring.model
        axes = tuple(range(1, len(scoring.x.shape)))
        span = operations.max(scoring.x, axis=axes, keepdims=True) - operations.min(scoring.x, axis=axes, keepdims=True)
        draws = scoring.bank.normal("smooth mprt", (home.channels, *home.spatial_shape))
        total = np.zeros(scoring.maps.shape, np.float64)
        for number in range(self.samples):
            drawn = home.from_numpy(home.native_array(draws[np.array([number])]))
            total += scoring.explained(scoring.x + self.noise * span * drawn, model=model)
        return total / self.samples


@_randomisation(
    "smooth_mprt",
    title="sMPRT",
    higher_is_better=False,
    range=(-1.0, 1.0),
    reference=_HEDSTROEM,
    presets={"quantus": {"samples": 50, "order": "bottom_up", "similarity": "absolute"}},
)
@dataclass(frozen=True)
class SmoothRandomisation(ParameterRandomisation):
    """As mprt, with every map the mean over noisy copies of the sample, so that noise in maps counts less.

    Formula
    -------
    mean over randomised copies of the network of similarity(R, R of the copy), each R the mean over noisy copies of the
    sample

    Reading
    -------
    Low is good, as in mprt, with less of the map's own noise.

    Weaknesses
    ----------
    Dear, and the noise is one more choice. A random map still passes.
    """

    samples: Annotated[
        int,
        Doc(
            "noisy copies that a map is the mean of",
            says="each map is the mean over {} noisy copies",
            source="a fifth of the paper's",
            low=1,
        ),
    ] = 10
    noise: Annotated[
        float,
        Doc(
            "standard deviation over the sample's range",
            says="their noise has a deviation of {%} of the sample's range",
            source="Hedström et al. 2023",
            low=0,
        ),
    ] = 0.1


@_randomisation("efficient_mprt", title="eMPRT", higher_is_better=True, range=(-1.0, None), reference=_HEDSTROEM)
@dataclass(frozen=True)
class ComplexityRise(Measure):
    """The relative rise of the map's entropy when the whole network is randomised.

    (H(e') - H(e)) / H(e), for H the entropy, in nats, of the histogram of a map's values, in bins of equal width
    between its own least and largest. NaN where the map is constant (H(e) = 0) or one of the two is not finite.

    Formula
    -------
    (H(R') - H(R)) / H(R), with H the entropy of the histogram of a map and R' that of the randomised network

    Reading
    -------
    High is good: without what the network learnt, maps become more complex.

    Weaknesses
    ----------
    Complexity of a histogram is far from meaning; a map that becomes simpler when the network is noise is punished,
    though it changed.
    """

    wants: ClassVar[frozenset[Want]] = frozenset({"method"})

    bins: Annotated[
        int, Doc("of the histogram", says="the histogram has {} bins", source="Hedström et al. 2023", low=2)
    ] = 100

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(explanations=1)}

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        with scoring.model.randomised(layer_names(scoring.model), scoring.seed) as other:
            random = scoring.explained(scoring.x, model=other)
        before = np.array([histogram_entropy(values, self.bins) for values in scoring.maps])
        after = np.array([histogram_entropy(values, self.bins) for values in random])
        known = before > 0
        return np.where(known, (after - before) / np.where(known, before, 1.0), np.nan)


@_randomisation(
    "random_logit",
    title="Random Logit",
    higher_is_better=False,
    range=(-1.0, 1.0),
    reference=Reference("Sixt, Granz, Landgraf", 2020, "When Explanations Lie", "1912.09818"),
)
@dataclass(frozen=True)
class ClassRandomisation(Measure):
    """How alike the maps of the target and of a random other class are.

    The other classes, at most all, stand at distances from the target (counted round) that are drawn once for all
    samples. The value is the mean over them; NaN where no map of theirs, or not the target's, can be compared.

    Formula
    -------
    mean over other classes c of similarity(R of the target, R of c)

    Reading
    -------
    Low is good: the map says something about this class.

    Weaknesses
    ----------
    Classes that look alike rightly have like maps; methods without a class get the worst value by design.
    """

    wants: ClassVar[frozenset[Want]] = frozenset({"method"})

    classes: Annotated[
        int, Doc("other classes", says="other classes drawn for each sample: {}", source="Sixt et al. 2020", low=1)
    ] = 1
    similarity: Annotated[
        Similarity, Doc("how maps are compared", says="maps are compared by {}", source="Sixt et al. 2020: SSIM")
    ] = "ssim"

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(explanations=self.classes)}

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        checked_shape(scoring.model.spatial_shape, self.similarity)
        total = scoring.model.num_classes
        if total < 2:
            raise NotApplicable("the network has one class only, so there is no other to explain")
        distances = 1 + scoring.bank.generator("random logit").permutation(total - 1)[: self.classes]
        found = [
            similarities(
                scoring.maps, scoring.explained(scoring.x, target=(scoring.target + distance) % total), self.similarity
            )
            for distance in distances
        ]
        return mean_of_known(np.stack(found))


def layer_names(model: Model) -> list[str]:
    """Return the layers that can be randomised, as computed; NotApplicable where there are none."""
    names = [layer.name for layer in model.parameter_layers()]
    if not names:
        raise NotApplicable(f"{model.name} has no parameters to randomise")
    return names


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis without NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.where(counts > 0, total / np.maximum(counts, 1), np.nan), np.float64)


def histogram_entropy(values: np.ndarray, bins: int) -> float:
    """Return the entropy, in nats, of the histogram of an array between its least and largest; NaN if not finite."""
    wide = np.asarray(values, np.float64).ravel()
    if not np.isfinite(wide).all():
        return float("nan")
    span = np.ptp(wide)
    if span == 0:
        return 0.0
    places = np.minimum((wide - wide.min()) / span * bins, bins - 1).astype(np.int64)
    shares = np.bincount(places, minlength=bins) / len(wide)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
