"""The contract of a metric: on a shipped network in every framework, and where the best map is known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ...errors import NotApplicable
from ...methods.explain import explain
from ...methods.registry import method_from
from ...metrics.contracts import contract
from ...metrics.registry import Metric
from ...metrics.score import score
from ...models.checking.finding import Finding
from ..work.batches import TargetedBatch
from .of_methods import PICTURES, samples_of
from .oracle import CLASS, FOR, oracle_inputs, oracle_model, weights
from .report import Notice, asked

RIGHT = "the truth's own map is better than its opposite and noise"
AGREE = "both frameworks give the same values"
EXPLAINED = "gradient"
"""The method whose maps are scored."""
SAMPLES = 4
SAME = 1e-3
"""What values of two frameworks may differ by, as a share of the metric's own size (at least one)."""


def metric_findings(metric: Metric, frameworks: tuple[str, ...], notice: Notice) -> Iterator[Finding]:
    """Yield what is found of a metric in each framework, then of both together."""
    values: dict[str, np.ndarray] = {}
    for framework in frameworks:
        notice(f"{metric.id} in {framework}")
        yield from asked("runs", partial(_on_network, metric, framework, values), framework)
        yield from asked(RIGHT, partial(_right, metric, framework), framework)
    yield _agreement(values, frameworks)


def _on_network(metric: Metric, framework: str, values: dict[str, np.ndarray]) -> Iterator[Finding]:
    model, x = samples_of(PICTURES, framework, SAMPLES)
    maps = explain(model, x, EXPLAINED)
    masks = np.zeros(maps.shape, bool)
    masks[:, : maps.shape[1] // 2, maps.shape[2] // 2 :] = True
    target = model.outputs(x).argmax(axis=1)
    explainer = TargetedBatch(model, model.inputs(x), target).explainer(method_from(EXPLAINED), 0)
    found = contract(model, x, maps, metric, target, masks=masks, explainer=explainer)
    yield from found
    if all(finding.verdict != "fails" for finding in found):
        values[framework] = score(model, x, maps, metric, target, masks=masks, explainer=explainer)


def _right(metric: Metric, framework: str) -> Finding:
    """Ask whether a metric of faithfulness or localisation puts the truth's map before others, in its direction."""
    if metric.entry.family not in ("faithfulness", "localisation"):
        raise NotApplicable(f"a metric of {metric.entry.family} need not know the truth.")
    if "method" in metric.measure.wants:
        raise NotApplicable("the metric explains other inputs too, and these maps come from no method.")
    model, pictures = oracle_model("linear", framework), oracle_inputs("linear", SAMPLES)
    x = np.asarray(model.native_array(np.moveaxis(pictures, -1, 1)))
    truth = (weights() * pictures[..., 0]).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(truth.shape).astype(np.float32)
    masks = np.zeros(truth.shape, bool)
    masks[:, FOR] = True
    others = {"its opposite": -truth, "noise": noise}
    best, *rest = (
        float(np.nanmean(score(model, x, maps, metric, CLASS, masks=masks))) for maps in (truth, *others.values())
    )
    told = ", ".join(f"{name} {value:.4g}" for name, value in zip(others, rest, strict=True))
    direction = "higher" if metric.entry.higher_is_better else "lower"
    evidence = f"the truth's map scores {best:.4g}, {told}, and {direction} is better."
    ahead = [value < best if metric.entry.higher_is_better else value > best for value in rest]
    if all(ahead):
        return Finding(RIGHT, "holds", evidence)
    if any(ahead) or len({best, *rest}) == 1:
        remedy = "See whether the metric is meant to tell these apart: a sum of absolute values cannot."
        return Finding(RIGHT, "doubtful", evidence, remedy)
    return Finding(RIGHT, "fails", evidence, "Turn higher_is_better round, or the order in which positions are taken.")


def _agreement(values: dict[str, np.ndarray], frameworks: tuple[str, ...]) -> Finding:
    if len(values) < 2:
        return Finding(AGREE, "inapplicable", f"there are values in {len(values)} of {len(frameworks)} frameworks.")
    one, other = values.values()
    apart = float(np.nanmax(np.abs(one - other), initial=0.0))
    scale = max(1.0, float(np.nanmax(np.abs(one), initial=0.0)))
    evidence = f"values differ by at most {apart:.1g}."
    if (np.isnan(one) == np.isnan(other)).all() and apart <= SAME * scale:
        return Finding(AGREE, "holds", evidence)
    remedy = "Compute with the arrays that the scoring gives, and draw random numbers from its bank."
    return Finding(AGREE, "fails", evidence, remedy)
