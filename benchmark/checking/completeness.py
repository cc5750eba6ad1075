"""Whether the maps of methods that share something out add up to it: the logit, or its difference from a baseline.

Each is asked at the first input, for the predicted class. What a sum may be off by is rounding, and rounding grows with
what cancels in the sum, so it is measured against the sum of absolute values too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import NotApplicable
from ...methods.explain import explain
from ...methods.gradient.fullgrad import activations_that_add, completeness
from ...methods.propagation.lrp import relevance_and_absorbed
from ...methods.propagation.lrp_rules import Rules
from ...methods.propagation.passes import evaluated, run
from ...methods.registry import method_from
from ...methods.request import Request
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.checking.finding import Finding
from ...models.graph.graph import Network

INTEGRATED_GRADIENTS = "integrated gradients are complete"
LRP = "LRP conserves the logit"
DEEP_LIFT = "DeepLIFT sums to the difference"
FULLGRAD = "FullGrad is complete"

STEPS = 24
"""Of Integrated Gradients, along each of the paths."""

PATHS = (1.0, 1 / 8, 1 / 64)
"""Paths that are tried in turn: the share of the way from the input to the baseline that they begin at.

In a rough network the slope changes many times on the whole path, and no number of steps that a check can afford adds
it up. Completeness holds for every path, and on a short one the same steps are so many times finer.
"""

NEAR = 0.15
"""What a sum may be off by, as a share of the way that the logit goes on the path.

The midpoint rule is off by a share r of a step's way where slopes inside the step differ so much; errors of many steps
cancel in part, so with a rough network (r = 0.7) about r / 5 of the whole way is left after 24.
"""

EXACT = 1e-3
"""What sums that are exact but for rounding may be off by, as a share of the logit, besides `ROUNDING`."""

ROUNDING = 1e-5
"""Of the sum of absolute values: about a hundred roundings of float32."""


def integrated_gradients(model: Model, x: Tensor) -> Finding:
    """Ask whether the sum comes to the logit's difference from the baseline as steps become finer."""
    if (reason := method_from("integrated_gradients").why_not(model)) is not None:
        raise NotApplicable(reason)
    target = _predicted(model, x)
    starts, point = _ends(model, x, target, "integrated_gradients")
    said: list[str] = []
    for share in PATHS:
        start = point + np.float32(share) * (starts[:1] - point)
        difference, total, way = _along(model, x, target, start, point)
        where = "from the baseline" if share == 1 else f"on the last {share:.2g} of the way"
        if way == 0:
            said.append(f"{where} the logit does not change")
            continue
        off = abs(total - difference) / way
        said.append(f"{where} the logit changes by {difference:.4g} and the map sums to {total:.4g}, off by {off:.1%}")
        if off <= NEAR:
            told = "; ".join(said) + f" with {STEPS} steps"
            more = "" if share == 1 else f": the path is rough, and the whole of it wants far more than {STEPS} steps"
            return Finding(INTEGRATED_GRADIENTS, "holds", f"{told}{more}.")
    return Finding(
        INTEGRATED_GRADIENTS,
        "doubtful",
        f"{'; '.join(said)} with {STEPS} steps.",
        "Use several hundred steps, and see whether the sum comes near; if not, the gradient is not the derivative.",
    )


def _along(
    model: Model, x: Tensor, target: np.ndarray, start: np.ndarray, point: np.ndarray
) -> tuple[float, float, float]:
    """Return the logit's difference on a path, the map's sum, and how far the logit goes, up and down, on the path."""
    shares = np.linspace(0, 1, STEPS + 1, dtype=np.float32)
    logits = _logits(model, np.concatenate([start + share * (point - start) for share in shares]), target)
    chosen = method_from("integrated_gradients", {"steps": STEPS, "baseline": start[0]})
    total = float(np.sum(explain(model, x[:1], chosen, target, channels=True)))
    return float(logits[-1] - logits[0]), total, float(np.abs(np.diff(logits)).sum())


@dataclass(frozen=True)
class GraphLogits:
    """The logits as the graph computes them that relevance is propagated on."""

    def __call__(self, network: Network, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the logits (m, classes)."""
        return (evaluated(network, tensors[0])[network.graph.output].output,)


@dataclass(frozen=True)
class ByGraph:
    """What the graph that relevance is propagated on gives, compared with what the network gives."""

    logits: np.ndarray
    """The class's logits (m,) by the graph, float64, in float32 whatever the network computes in."""
    scale: float
    """The largest absolute logit of any class."""
    apart: float
    """How far the graph's logits are from the network's, as a share of the largest."""

    def fails(self, title: str) -> Finding:
        """Return the finding for a graph that is not the network."""
        return Finding(
            title,
            "fails",
            f"the graph that relevance is propagated on gives logits of up to {self.scale:.4g} that differ from the "
            f"network's by {self.apart:.1%} of that.",
            "Do not use lrp, deep_lift and excitation_backprop on this network, and report it to heatmark: something "
            "that it computes was not seen.",
        )


def _by_graph(model: Model, points: np.ndarray, target: np.ndarray) -> ByGraph:
    """Return the graph's logits for raw inputs (m, *input_shape).

    Relevance starts before a final log-softmax; to compare them, it is put back.
    """
    x = model.from_numpy(np.asarray(points, np.float32))
    (told,) = run(Request(model, x, np.repeat(target, len(points))), GraphLogits(), name="graph")
    graph, logits = np.asarray(model.to_numpy(told), np.float64), np.asarray(model.outputs_of(x), np.float64)
    scale, ended = float(np.abs(graph).max()), graph
    if graph.shape[1] > 1 and np.abs(np.logaddexp.reduce(logits, axis=1)).max() <= EXACT * np.abs(logits).max():
        ended = graph - np.logaddexp.reduce(graph, axis=1, keepdims=True)
    apart = np.abs(ended - logits).max() / max(scale, float(np.abs(logits).max()))
    return ByGraph(graph[:, int(target[0])], scale, float(apart))


def relevance(model: Model, x: Tensor) -> Finding:
    """Ask whether the graph gives the network's logit, and whether the epsilon rule shares it out without loss."""
    if (reason := model.extraction.reason) is not None:
        raise NotApplicable(reason)
    target = _predicted(model, x)
    request = Request(model, x[:1], target)
    told = _by_graph(model, model.to_numpy(x[:1]), target)
    logit, scale = float(told.logits[0]), told.scale
    if told.apart > max(EXACT, model.resolution):
        return told.fails(LRP)
    found, absorbed = relevance_and_absorbed(request, Rules())
    shares = np.asarray(model.to_numpy(found), np.float64)
    kept, lost = float(shares.sum()), float(model.to_numpy(absorbed)[0])
    evidence = f"the logit is {logit:.4g}; the map sums to {kept:.4g}, and biases absorb {lost:.4g}"
    return _exact(LRP, evidence, kept + lost - logit, scale, float(np.abs(shares).sum()))


def deep_lift(model: Model, x: Tensor) -> Finding:
    """Ask whether DeepLIFT's map sums to the difference of the logits at the input and at the baseline."""
    if (reason := method_from("deep_lift").why_not(model)) is not None:
        raise NotApplicable(reason)
    target = _predicted(model, x)
    starts, point = _ends(model, x, target, "deep_lift")
    told = _by_graph(model, np.concatenate([starts, point]), target)
    if told.apart > max(EXACT, model.resolution):
        return told.fails(DEEP_LIFT)
    difference = float(told.logits[-1] - told.logits[:-1].mean())
    shares = np.asarray(explain(model, x[:1], "deep_lift", target, channels=True), np.float64)
    evidence = f"the logit's difference from the baseline is {difference:.4g}, the map sums to {shares.sum():.4g}"
    return _exact(DEEP_LIFT, evidence, float(shares.sum()) - difference, told.scale, float(np.abs(shares).sum()))


def full_gradient(model: Model, x: Tensor) -> Finding:
    """Ask whether input times gradient and biases times gradients add up to the logit."""
    if model.has_attention():
        raise NotApplicable("attention has no biases as FullGrad knows them")
    parts = completeness(model, x[:1])
    logit, of_input, of_biases = (float(one.sum()) for one in (parts.logit, parts.of_input, parts.of_biases))
    gap = of_input + of_biases - logit
    evidence = f"the logit is {logit:.4g}; the input's part is {of_input:.4g}, that of the biases {of_biases:.4g}"
    if abs(gap) <= 10 * model.resolution * float(parts.size[0]):
        return Finding(FULLGRAD, "holds", f"{evidence}: off by {abs(gap):.1g}.")
    if adding := activations_that_add(model):
        raise NotApplicable(
            f"{evidence}; {abs(gap):.3g} is in neither, since activations such as {adding[0]} add constants of their "
            "own, which FullGrad leaves out"
        )
    return Finding(
        FULLGRAD,
        "doubtful",
        f"{evidence}; {abs(gap):.3g} is in neither.",
        "The network is no piecewise linear one whose constants are all biases of layers: something else adds to it. "
        "fullgrad is refused, or tells a part of the truth.",
    )


def _exact(title: str, evidence: str, gap: float, scale: float, magnitude: float) -> Finding:
    """Return the finding on a sum that is exact but for rounding."""
    allowed = EXACT * scale + ROUNDING * magnitude
    if abs(gap) <= allowed:
        return Finding(title, "holds", f"{evidence}: off by {abs(gap):.1g}.")
    return Finding(
        title,
        "fails",
        f"{evidence}: off by {abs(gap):.3g}, where rounding explains {allowed:.1g}.",
        "Do not use the method on this network, and report the network to heatmark.",
    )


def _predicted(model: Model, x: Tensor) -> np.ndarray:
    return np.asarray(model.outputs_of(x[:1]).argmax(axis=1), np.int64)


def _logits(model: Model, points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the class's logit (m,) of raw inputs (m, *input_shape), in float64."""
    tensor = model.from_numpy(np.asarray(points, np.float32))
    return np.asarray(model.outputs_of(tensor), np.float64)[:, int(target[0])]


def _ends(model: Model, x: Tensor, target: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a method's default baselines (b, *input_shape) for the first input, and that input."""
    request = Request(model, x[:1], target)
    starts = request.baselines(method_from(method).parameters["baseline"])
    point = np.asarray(model.to_numpy(x[:1]), np.float32)
    return np.concatenate([np.asarray(model.to_numpy(one + 0.0 * request.x)) for one in starts]), point
