"""The planner: all metrics of a batch of maps together, every distinct perturbed input once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..datasets.base import RawValues
from ..errors import BadInput, NotApplicable
from ..models.arrays.operations import Tensor, TensorOperations
from ..models.base import Model
from ..models.engine import Chunk, Maker, Pairs
from ..models.queries import Query
from .perturbing.fills import fill_of, imputation_noise, is_imputed
from .perturbing.imputation import linearly_imputed
from .perturbing.perturbation import ORIGINAL, SCALED, SOFT, Bands, Perturbation, Seen
from .perturbing.ranking import CleanMaps, Ranking
from .perturbing.target_scores import TargetScores
from .registry import Metric
from .scoring import Explainer, Scoring


@dataclass(frozen=True)
class Evaluation:
    """The scores of a batch of maps."""

    scores: dict[str, np.ndarray]
    """Metric id to float64 (n,); NaN where the definition gives no value."""
    bands: list[Bands]
    """Every perturbed input's scores, one entry per sample: what the scores of curves were computed from."""
    degenerate: list[str]
    """``constant``, ``non-finite`` or empty, one per sample."""
    reasons: dict[str, str]
    """Metric id to why it is not applicable here; its scores are NaN."""


def evaluate_batch(
    model: Model,
    x: Tensor,
    maps: np.ndarray,
    target: np.ndarray,
    metrics: Sequence[Metric],
    seed: int = 0,
    logits: np.ndarray | None = None,
    *,
    masks: np.ndarray | None = None,
    explainer: Explainer | None = None,
    signed: bool | None = None,
    values: RawValues | None = None,
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
        Of fills with noise, and of random subsets and copies.
    logits
        (n, classes) for ``x`` itself where they are known, which saves their pass.
    masks
        Boolean ground truth (n, *spatial), where the dataset has it.
    explainer
        How the maps were made, for metrics that explain other inputs or models too.
    signed
        Whether the method declares its maps signed; None where that is not known.
    values
        What the data says of its raw values, where the samples are a dataset's.

    Raises
    ------
    BadInput
        If maps and samples do not match.
    """
    count = int(x.shape[0])
    if len(maps) != count:
        raise BadInput(f"There are {len(maps)} attributions for {count} samples.")
    target = np.asarray(target, np.int64)
    clean, meant = CleanMaps.of(model, maps), model.raw_values(values)
    with model.operations.on_device():
        reasons = {metric.id: reason for metric in metrics if (reason := _missing(metric, masks, explainer, signed))}
        rankings = _rankings(model, x, clean, metrics, reasons)
        facts = {unit: ranking.facts for unit, ranking in rankings.items()}
        needs = {
            metric.id: [set(metric.measure.needs(one)) for one in facts[metric.measure.unit]]
            for metric in metrics
            if metric.id not in reasons
        }
        fills = _fills(model, x, needs, reasons, seed, meant)
        left = [metric for metric in metrics if metric.id not in reasons]
        wanted = [set[Perturbation]().union(*(needs[metric.id][row] for metric in left)) for row in range(count)]
        seen = _Viewer(model, x, target, clean, rankings, fills).seen(wanted, logits)
        whole = np.asarray(maps, np.float32)
        scoring = Scoring(model, x, whole, target, seed, masks, explainer, facts, seen, logits, meant)
        scores = {metric.id: np.full(count, np.nan) for metric in metrics}
        for metric in left:
            try:
                scores[metric.id] = metric.measure.values(scoring)
            except NotApplicable as error:
                reasons[metric.id] = str(error)
    bands = [Bands.of([ranked[row] for ranked in facts.values()], seen[row]) for row in range(count)]
    return Evaluation(scores, bands, list(clean.degenerate), reasons)


def reasons_against(model: Model, x: Tensor, metrics: Sequence[Metric]) -> dict[str, str]:
    """Return why metrics are not applicable to a model and inputs without masks, as far as no pass is needed to know.

    Parameters
    ----------
    model
        The model that would be explained.
    x
        (n, *input_shape) on the device, raw domain.
    metrics
        What would be scored; what is made of their maps here is noise.

    Returns
    -------
    dict
        Metric id to the reason; metrics that nothing speaks against are not among them.
    """
    noise = np.random.default_rng(0).random((int(x.shape[0]), *model.spatial_shape), dtype=np.float32)
    clean = CleanMaps.of(model, noise)
    with model.operations.on_device():
        reasons = {metric.id: _MASKS for metric in metrics if "masks" in metric.measure.wants}
        rankings = _rankings(model, x, clean, metrics, reasons)
        needs = {
            metric.id: [set(metric.measure.needs(one)) for one in rankings[metric.measure.unit].facts]
            for metric in metrics
            if metric.id not in reasons
        }
        _fills(model, x, needs, reasons, 0, model.raw_values())
    return reasons


_MASKS = "it needs ground-truth masks, and there are none"


def _missing(metric: Metric, masks: np.ndarray | None, explainer: Explainer | None, signed: bool | None) -> str:
    """Return what a metric lacks, or why it has no meaning for such maps; or an empty text."""
    if "masks" in metric.measure.wants and masks is None:
        return _MASKS
    if "method" in metric.measure.wants and explainer is None:
        return "it explains other inputs too, and only maps were given, not the method that made them"
    return metric.measure.why_not(signed)


def _rankings(
    model: Model, x: Tensor, clean: CleanMaps, metrics: Sequence[Metric], reasons: dict[str, str]
) -> dict[str, Ranking]:
    """Return the ranking of every unit that some metric asks for; note the metrics whose unit has no meaning here."""
    rankings: dict[str, Ranking] = {}
    for unit in sorted({metric.measure.unit for metric in metrics if metric.id not in reasons}):
        try:
            rankings[unit] = Ranking.of(model, clean, x, unit)
        except NotApplicable as error:
            reasons.update({metric.id: str(error) for metric in metrics if metric.measure.unit == unit})
    return rankings


def _fills(
    model: Model,
    x: Tensor,
    needs: Mapping[str, Sequence[set[Perturbation]]],
    reasons: dict[str, str],
    seed: int,
    values: RawValues,
) -> dict[str, Tensor]:
    """Return what stands in for each fill that some metric needs; note the metrics whose fill cannot be given."""
    users: dict[str, list[str]] = {}
    for metric, rows in needs.items():
        fills_of_it = {item.fill.removeprefix(SOFT).removeprefix(SCALED) for items in rows for item in items}
        for fill in fills_of_it - {""}:
            users.setdefault(fill, []).append(metric)
    fills: dict[str, Tensor] = {}
    for fill, names in users.items():
        try:
            fills[fill] = (
                imputation_noise(model, fill, seed, values)
                if is_imputed(fill)
                else fill_of(model, x, fill, seed, values)
            )
        except NotApplicable as error:
            reasons.update(dict.fromkeys(names, str(error)))
    return fills


def _kept(operations: TensorOperations, ranks: Tensor, first: Tensor, last: Tensor, outside: Tensor) -> Tensor:
    """Return whether ranks are from ``first`` to below ``last``, or the opposite where ``outside`` holds."""
    return ((ranks >= first) & (ranks < last)) != outside


def _filled(operations: TensorOperations, rows: Tensor, fill: Tensor, *band: Tensor) -> Tensor:
    return operations.blend(operations.to_float(_kept(operations, *band)), rows, fill)


class _Viewer:
    """Shows the network every perturbed input that is wanted, each once."""

    def __init__(
        self,
        model: Model,
        x: Tensor,
        target: np.ndarray,
        clean: CleanMaps,
        rankings: Mapping[str, Ranking],
        fills: Mapping[str, Tensor],
    ) -> None:
        self._model, self._x, self._target = model, x, target
        self._clean, self._rankings, self._fills = clean, rankings, fills
        self._masks: dict[str, Tensor] = {}

    def seen(self, wanted: Sequence[set[Perturbation]], logits: np.ndarray | None) -> list[dict[Perturbation, Seen]]:
        """Return what the network says of each sample's perturbations, sorted."""
        found: list[dict[Perturbation, Seen]] = [{} for _ in wanted]
        if logits is not None:
            rows = np.array([row for row, needed in enumerate(wanted) if ORIGINAL in needed], np.int64)
            for row, said in zip(rows, self._read(logits[rows], rows, [ORIGINAL] * len(rows)), strict=True):
                found[row][ORIGINAL] = said
        # Sorted, so that a chunk has one fill (rarely two) and samples stand side by side.
        work = sorted(
            ((item, row) for row, needed in enumerate(wanted) for item in needed if item not in found[row]),
            key=lambda pair: (pair[0].fill, pair[0].unit, pair[0].low, pair[0].high, pair[1]),
        )
        if work:
            items = [item for item, _ in work]
            pairs = Pairs(np.array([row for _, row in work]), np.arange(len(work)))
            make = self._maker(items)
            for chunk, answer in self._model.engine.stream(Query(), self._x, None, pairs, make):
                shown = [items[number] for number in chunk.variants]
                said_of_all = self._read(self._model.to_numpy(answer.logits), chunk.samples, shown)
                for row, item, said in zip(chunk.samples, shown, said_of_all, strict=True):
                    found[row][item] = said
        return [dict(sorted(one.items())) for one in found]

    def _maker(self, items: Sequence[Perturbation]) -> Maker:
        """Return what makes the perturbed inputs of a chunk whose variants are numbers of ``items``."""
        axes = (-1,) + (1,) * len(self._model.input_shape)
        ends = np.array([(item.low, item.high) for item in items], np.float32)
        # The ranks between the ends are kept, or all the others: one comparison serves both.
        first, last = (ends.min(axis=1).reshape(axes), ends.max(axis=1).reshape(axes))
        outside = (ends[:, 0] > ends[:, 1]).reshape(axes)
        kinds = [(item.fill, item.unit) for item in items]

        def perturbed(rows: Tensor, chunk: Chunk) -> Tensor:
            names = [kinds[number] for number in chunk.variants]
            cuts = [0, *(place for place in range(1, len(names)) if names[place] != names[place - 1]), len(names)]
            runs = [(rows[begin:end], chunk.part(begin, end), names[begin]) for begin, end in pairwise(cuts)]
            parts = [self._shown(some, part, kind, (first, last, outside)) for some, part, kind in runs]
            return parts[0] if len(parts) == 1 else self._model.operations.concat(parts)

        return perturbed

    def _shown(self, rows: Tensor, chunk: Chunk, kind: tuple[str, str], bands: tuple[np.ndarray, ...]) -> Tensor:
        """Return a run of rows that share a fill and a unit."""
        model, (fill, unit) = self._model, kind
        if not fill:
            return rows
        for prefix in (SOFT, SCALED):
            if fill.startswith(prefix):
                mask = model.with_channel_axis(chunk.of_samples(self._mask(prefix)))
                return model.operations.blend(mask, rows, self._fill(fill.removeprefix(prefix), chunk))
        band = (chunk.of_samples(self._ranks(unit)), *(chunk.of_pairs(values) for values in bands))
        if is_imputed(fill):
            kept = model.without_channel_axis(model.operations.compiled(_kept, *band))
            if model.channel_axis == -1:
                return linearly_imputed(model.operations, rows, kept, self._fills[fill], channels_last=True)
            noise = model.channels_first(self._fills[fill])
            return model.native(linearly_imputed(model.operations, model.channels_first(rows), kept, noise))
        return model.operations.compiled(_filled, rows, self._fill(fill, chunk), *band)

    def _fill(self, name: str, chunk: Chunk) -> Tensor:
        return chunk.background(self._fills[name])

    def _ranking(self, unit: str) -> Ranking:
        """Return a unit's ranking; any other serves for the whole and the empty input, which all units share."""
        return self._rankings.get(unit) or next(iter(self._rankings.values()))

    def _ranks(self, unit: str) -> Tensor:
        """Return a unit's ranks with a channel axis."""
        return self._model.with_channel_axis(self._ranking(unit).ranks)

    def _mask(self, prefix: str) -> Tensor:
        if prefix not in self._masks:
            self._masks[prefix] = self._model.from_numpy(self._clean.mask(prefix))
        return self._masks[prefix]

    def _read(self, logits: np.ndarray, rows: np.ndarray, items: Sequence[Perturbation]) -> list[Seen]:
        """Return what a chunk's logits (m, classes) say of perturbations of the samples ``rows``."""
        scores = TargetScores.of(logits, self._target[rows], self._model.link)
        kept = [
            math.nan if item.is_soft else self._ranking(item.unit).relevance(int(row), item)
            for row, item in zip(rows, items, strict=True)
        ]
        columns = (scores.logit.tolist(), scores.probability.tolist(), scores.top.tolist(), kept)
        return [Seen(*one) for one in zip(*columns, strict=True)]
