"""What a metric is given: the samples, their maps and targets, and every question it may ask."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..datasets.base import RawValues
from ..errors import NotApplicable
from ..models.arrays.operations import Tensor, TensorOperations
from ..models.base import Model
from ..models.engine import Maker, Pairs
from ..models.queries import ScoreFunction, ScoreKind
from ..models.random_bank import RandomBank
from .perturbing.perturbation import MapFacts, Perturbation, Reading, Seen
from .perturbing.target_scores import TargetScores

#: Explains samples as the maps were made: (model, x (m, *input_shape) on the device, target (m,), the samples (m,) of
#: the batch that they stem from) to (m, *spatial) float32. The model may be a randomised copy.
Explainer = Callable[[Model, Tensor, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Scoring:
    """Some samples of one model with their maps, as a metric sees them."""

    model: Model
    """The model that was explained."""
    x: Tensor
    """(n, *input_shape), raw domain, on the device, in the native layout."""
    maps: np.ndarray
    """(n, *spatial) float32, as the method gave them: perhaps constant, NaN or infinite."""
    target: np.ndarray
    """(n,) int64: the explained classes."""
    seed: int
    """Of random numbers."""
    masks: np.ndarray | None
    """Boolean ground truth (n, *spatial), or None where the dataset has none."""
    explainer: Explainer | None
    """Makes maps as these were made, or None where only the maps are known."""
    facts: Mapping[str, Sequence[MapFacts]]
    """For each unit that was ranked, the facts of each map."""
    seen: Sequence[Mapping[Perturbation, Seen]]
    """For each sample, what the network said of every perturbed input that was asked for."""
    known_logits: np.ndarray | None
    """(n, classes) of ``x`` where they are known already."""
    values: RawValues
    """What raw values mean: their domain, and which stands for nothing being there."""

    @property
    def count(self) -> int:
        """The number of samples."""
        return len(self.target)

    @property
    def operations(self) -> TensorOperations:
        """The array namespace of the model's framework."""
        return self.model.operations

    @cached_property
    def bank(self) -> RandomBank:
        """Random numbers that depend on the seed alone: the same for every sample, batch and framework."""
        return RandomBank(self.seed)

    @cached_property
    def shared(self) -> dict[Hashable, Any]:
        """What several metrics of this batch read and the first of them has made, by a key of their choice."""
        return {}

    @cached_property
    def logits(self) -> np.ndarray:
        """The logits of the samples as they are, (n, classes); one forward pass each where they are not known."""
        if self.known_logits is not None:
            return self.known_logits
        return self.model.to_numpy(self.model.engine.outputs(self.x))

    @cached_property
    def flat_maps(self) -> np.ndarray:
        """The maps as float64 (n, positions)."""
        return self.maps.reshape(self.count, -1).astype(np.float64)

    def readings(self, unit: str) -> list[Reading]:
        """Return each sample's readings for one unit."""
        return [Reading(facts, seen) for facts, seen in zip(self.facts[unit], self.seen, strict=True)]

    def explained(
        self, x: Tensor, target: np.ndarray | None = None, rows: np.ndarray | None = None, model: Model | None = None
    ) -> np.ndarray:
        """Explain other inputs, targets or models in the way in which the maps were made.

        Parameters
        ----------
        x
            (m, *input_shape) on the device. Give a batch at a time, so that memory stays bounded.
        target
            (m,) classes; those of the samples where None.
        rows
            (m,) which samples of the batch the inputs stem from; all, in order, where None.
        model
            A randomised copy, or None for the model itself.

        Returns
        -------
        ndarray
            float32 (m, *spatial).

        Raises
        ------
        NotApplicable
            If only the maps are known.
        """
        if self.explainer is None:
            raise NotApplicable("it explains other inputs too, and only maps were given, not the method that made them")
        places = np.arange(self.count) if rows is None else rows
        classes = self.target[places] if target is None else target
        return self.explainer(model or self.model, x, classes, places)

    def scores(self, make: Maker, variants: int, kind: ScoreKind | ScoreFunction = "probability") -> np.ndarray:
        """Return the target's score for every variant of every sample, float64 (variants, n).

        ``make`` makes a chunk's variants: (the chunk's own samples, the chunk) to inputs; see `Engine.stream`.
        """
        target = self.model.from_numpy(self.target)
        flat = self.model.engine.scores(self.x, target, Pairs.grid(self.count, variants), make, kind)
        return self.model.to_numpy(flat).astype(np.float64).reshape(variants, self.count)

    def scores_of(self, kind: ScoreKind) -> np.ndarray:
        """Return the target's score for the samples as they are, float64 (n,)."""
        found = TargetScores.of(self.logits, self.target, self.model.link)
        return np.asarray(getattr(found, kind))
