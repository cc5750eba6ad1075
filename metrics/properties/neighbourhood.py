"""The neighbourhood of a sample: copies with a little noise, and how much their maps and logits differ."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import width_of
from ...models.random_bank import LazyRows
from ...parameters import Doc
from ..measure import Cost
from ..perturbing.target_scores import TargetScores
from ..scoring import Scoring

#: ``uniform``: between minus and plus the radius; ``normal``: the radius is the standard deviation; ``positive``:
#: uniform between a tenth of the radius and the radius.
Noise = Literal["uniform", "normal", "positive"]

FLOOR = 1e-6
"""What stands for a divisor of zero in relative differences (Agarwal et al. 2022)."""


@dataclass(frozen=True)
class MapChanges:
    """How the maps and inputs of neighbours differ from the sample's; each float64 (neighbours, n), NaN if undefined.

    With e and e' the maps and x and x' the inputs, norms are the Euclidean ones over all entries.
    """

    distance: np.ndarray
    """||e - e'||."""
    scaled_distance: np.ndarray
    """The same of the maps divided by their largest absolute values."""
    relative: np.ndarray
    """||(e - e') / e||, entry by entry."""
    inputs: np.ndarray
    """||x - x'||."""
    relative_inputs: np.ndarray
    """||(x - x') / x||, entry by entry."""


@dataclass(frozen=True)
class OutputChanges:
    """How the outputs of neighbours differ from the sample's."""

    distance: np.ndarray
    """Of the logits, Euclidean; float64 (neighbours, n)."""
    flipped: np.ndarray
    """Whether another class is predicted; bool (neighbours, n)."""


@dataclass(frozen=True)
class Neighbourhood:
    """Noisy copies of a sample, with the same noise for every sample.

    Metrics with the same neighbourhood share its explanations and passes. One neighbour of all samples is looked at
    after another, so that memory stays that of a batch. Inputs are not clipped.
    """

    radius: Annotated[
        float,
        Doc(
            "size of the noise, a share of the domain's width",
            says="the noise has a size of {%} of the domain's width",
            source="Captum: 0.02",
            low=0,
        ),
    ] = 0.02
    samples: Annotated[
        int, Doc("neighbours", says="{} noisy neighbours of each sample", source="Captum: 10", low=1)
    ] = 10
    noise: Annotated[
        Noise,
        Doc(
            "uniform in the radius, normal of that deviation, or uniform and positive",
            says={
                "uniform": "the noise is uniform",
                "normal": "the noise is normal",
                "positive": "the noise is uniform and positive",
            },
            source="Captum: uniform",
        ),
    ] = "uniform"

    def neighbours(self, scoring: Scoring) -> Iterator[Tensor]:
        """Yield one neighbour of every sample after another, (n, *input_shape)."""
        model = scoring.model
        draws, radius = self._draws(scoring), self.radius * width_of(model, scoring.values)
        for number in range(self.samples):
            drawn = radius * draws[np.array([number])]
            yield scoring.x + model.from_numpy(model.native_array(drawn.astype(np.float32)))

    def work(self, *, outputs: bool) -> dict[Hashable, Cost]:
        """Return what the neighbours take: an explanation each, and a forward pass where their outputs matter."""
        work: dict[Hashable, Cost] = {self._maps_key: Cost(explanations=self.samples)}
        if outputs:
            work[self._outputs_key] = Cost(forward=self.samples)
        return work

    @property
    def _maps_key(self) -> Hashable:
        return self, "maps"

    @property
    def _outputs_key(self) -> Hashable:
        return self, "outputs"

    def map_changes(self, scoring: Scoring) -> MapChanges:
        """Return how the maps differ: an explanation for each neighbour, made once for all metrics of a batch."""
        key = self._maps_key
        if key not in scoring.shared:
            scoring.shared[key] = self._map_changes(scoring)
        changes: MapChanges = scoring.shared[key]
        return changes

    def output_changes(self, scoring: Scoring) -> OutputChanges:
        """Return how the logits differ: a forward pass for each neighbour, made once for all metrics of a batch."""
        key = self._outputs_key
        if key not in scoring.shared:
            scoring.shared[key] = self._output_changes(scoring)
        changes: OutputChanges = scoring.shared[key]
        return changes

    def _draws(self, scoring: Scoring) -> LazyRows:
        """Return the noise of radius one, float32 (channels, *spatial) each."""
        shape = (scoring.model.channels, *scoring.model.spatial_shape)
        if self.noise == "normal":
            return scoring.bank.normal("neighbourhood", shape)
        low = -1.0 if self.noise == "uniform" else 0.1

        def draw(generator: np.random.Generator) -> np.ndarray:
            return low + (1.0 - low) * generator.random(shape, dtype=np.float32)

        return scoring.bank.rows("neighbourhood", draw)

    def _map_changes(self, scoring: Scoring) -> MapChanges:
        before, x = scoring.flat_maps, _rows(scoring, scoring.x)
        found: list[tuple[np.ndarray, ...]] = []
        for neighbour in self.neighbours(scoring):
            after = scoring.explained(neighbour).reshape(scoring.count, -1).astype(np.float64)
            moved = _rows(scoring, neighbour)
            with np.errstate(all="ignore"):  # maps may hold NaN and infinity; what comes of them is told below
                sides = (
                    before - after,
                    _by_largest(before) - _by_largest(after),
                    (before - after) / np.where(before == 0, FLOOR, before),
                    x - moved,
                    (x - moved) / np.where(x == 0, FLOOR, x),
                )
                found.append(tuple(np.linalg.norm(side, axis=1) for side in sides))
        columns = [np.stack(column) for column in zip(*found, strict=True)]
        return MapChanges(*(np.where(np.isfinite(column), column, np.nan) for column in columns))

    def _output_changes(self, scoring: Scoring) -> OutputChanges:
        model, before = scoring.model, scoring.logits.astype(np.float64)
        distance, flipped = [], []
        for neighbour in self.neighbours(scoring):
            after = model.to_numpy(model.engine.outputs(neighbour)).astype(np.float64)
            distance.append(np.linalg.norm(before - after, axis=1))
            flipped.append(_predicted(before, scoring) != _predicted(after, scoring))
        return OutputChanges(np.stack(distance), np.stack(flipped))


def _predicted(logits: np.ndarray, scoring: Scoring) -> np.ndarray:
    """Return the predicted class of each row; where each class has a probability of its own, whether the target is."""
    if scoring.model.link == "softmax":
        return np.asarray(logits.argmax(axis=1))
    return TargetScores.of(logits, scoring.target, "logistic").top


def _rows(scoring: Scoring, x: Tensor) -> np.ndarray:
    """Return inputs as float64 (n, entries)."""
    return scoring.model.to_numpy(x).reshape(scoring.count, -1).astype(np.float64)


def _by_largest(values: np.ndarray) -> np.ndarray:
    """Return each row divided by its largest absolute value; zeros stay."""
    largest = np.abs(values).max(axis=1, keepdims=True)
    return np.where(largest == 0, values, values / np.where(largest == 0, 1.0, largest))
