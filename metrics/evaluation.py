"""The planner: all metrics of a batch of maps together, every distinct perturbed input once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..errors import BadInput
from ..models.base import Model
from ..models.engine import Chunk, Pairs
from ..models.queries import Query
from ..models.tensors import Tensor
from .fills import fill_of
from .perturbations import ORIGINAL, SOFT, Bands, MapFacts, Perturbation, Reading
from .ranking import Ranking
from .registry import Metric


@dataclass(frozen=True)
class Evaluation:
    """The scores of a batch of maps.

    Attributes
    ----------
    scores
        Metric id to float64 (n,); NaN where the definition gives no value.
    bands
        Every perturbed input's scores, one entry per sample: what the scores were computed from.
    degenerate
        ``constant``, ``non-finite`` or empty, one per sample.
    """

    scores: dict[str, np.ndarray]
    bands: list[Bands]
    degenerate: list[str]


def planned(metrics: Sequence[Metric], facts: MapFacts) -> list[Perturbation]:
    """Return the distinct perturbations that the metrics need of one map, grouped by fill."""
    return sorted({item for metric in metrics for item in metric.measure.needs(facts)})


def evaluate_batch(
    model: Model,
    x: Tensor,
    maps: np.ndarray,
    target: np.ndarray,
    metrics: Sequence[Metric],
    seed: int = 0,
    logits: np.ndarray | None = None,
) -> Evaluation:
    """Score the maps of one batch under all metrics.

    Parameters
    ----------
    model
        The model that was explained.
    x
        (n, *input_shape) on the device, raw domain.
    maps
        (n, *spatial).
    target
        (n,) class numbers.
    metrics
        What to score.
    seed
        Of fills with noise.
    logits
        (n, classes) for ``x`` itself where they are known, which saves their pass.

    Raises
    ------
    BadInput
        If maps and samples do not match.
    """
    count = int(x.shape[0])
    if len(maps) != count:
        raise BadInput(f"There are {len(maps)} attributions for {count} samples.")
    ranking = Ranking.of(model, maps)
    wanted = [planned(metrics, facts) for facts in ranking.facts]
    known: list[dict[Perturbation, tuple[float, float]]] = [{} for _ in range(count)]
    if logits is not None:
        for row, scores in enumerate(_target_scores(logits, np.asarray(target))):
            known[row][ORIGINAL] = scores
    # Sorted by perturbation, so that a chunk has one fill (rarely two) and samples stand side by side.
    work = sorted((item, row) for row, items in enumerate(wanted) for item in items if item not in known[row])
    for (item, row), scores in zip(work, _evaluated(model, x, target, ranking, work, seed), strict=True):
        known[row][item] = scores
    readings = [
        Reading(facts, {item: scores[item] for item in items})
        for facts, scores, items in zip(ranking.facts, known, wanted, strict=True)
    ]
    return Evaluation(
        {metric.id: np.array([metric.measure.value(reading) for reading in readings]) for metric in metrics},
        [_columns(reading) for reading in readings],
        list(ranking.degenerate),
    )


def _evaluated(
    model: Model,
    x: Tensor,
    target: np.ndarray,
    ranking: Ranking,
    work: Sequence[tuple[Perturbation, int]],
    seed: int,
) -> list[tuple[float, float]]:
    """Return the target's (logit, probability) for every (perturbation, sample)."""
    if not work:
        return []
    operations = model.operations
    items = [item for item, _ in work]
    low = np.array([item.low for item in items])
    high = np.array([item.high for item in items])
    fills = {name: fill_of(model, x, name.removeprefix(SOFT), seed) for name in {item.fill for item in items} - {""}}
    pairs = Pairs(np.array([row for _, row in work]), np.arange(len(work)))
    axes = (-1,) + (1,) * len(model.spatial_shape)

    def shown(rows: Tensor, chunk: Chunk, name: str) -> Tensor:
        """Return a run of rows that share a fill."""
        if not name:
            return rows
        fill = fills[name] if int(fills[name].shape[0]) == 1 else chunk.of_samples(fills[name])
        if name.startswith(SOFT):
            soft = model.with_channel_axis(chunk.of_samples(ranking.soft))
            return rows * soft + fill * (1.0 - soft)
        ranks = chunk.of_samples(ranking.ranks)
        kept = (ranks >= chunk.of_pairs(low.reshape(axes))) & (ranks < chunk.of_pairs(high.reshape(axes)))
        return operations.where(model.with_channel_axis(kept), rows, fill)

    def perturbed(rows: Tensor, chunk: Chunk) -> Tensor:
        names = [items[number].fill for number in chunk.variants]
        cuts = [0, *(place for place in range(1, len(names)) if names[place] != names[place - 1]), len(names)]
        runs = [(slice(first, last), chunk.part(first, last)) for first, last in pairwise(cuts)]
        parts = [shown(rows[place], part, names[place.start]) for place, part in runs]
        return parts[0] if len(parts) == 1 else operations.concat(parts)

    scores: list[tuple[float, float]] = []
    for chunk, answer in model.engine.stream(Query(), x, None, pairs, perturbed):
        scores += _target_scores(model.to_numpy(answer.logits), target[chunk.samples])
    return scores


def _target_scores(logits: np.ndarray, target: np.ndarray) -> list[tuple[float, float]]:
    """Return each row's (logit, probability) for its target, computed in float64."""
    wide = logits.astype(np.float64)
    chosen = wide[np.arange(len(wide)), target]
    top = wide.max(axis=1)
    probability = np.exp(chosen - top) / np.exp(wide - top[:, None]).sum(axis=1)
    return list(zip(chosen.tolist(), probability.tolist(), strict=True))


def _columns(reading: Reading) -> Bands:
    items = list(reading.scores)
    scores = np.array([reading.scores[item] for item in items], np.float32).reshape(-1, 2)
    return Bands(
        [item.fill for item in items],
        np.array([item.low for item in items], np.int32),
        np.array([item.high for item in items], np.int32),
        scores[:, 0],
        scores[:, 1],
        reading.facts.positions,
        reading.facts.positives,
    )
