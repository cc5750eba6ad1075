"""The contract of a method: on shipped networks, where the explanation is known, sums, and both frameworks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from time import perf_counter

import numpy as np

from ...datasets.registry import load_dataset
from ...errors import NotApplicable
from ...methods.contracts import contract
from ...methods.explain import explain
from ...methods.registry import Method
from ...methods.request import Request
from ...models.base import Model
from ...models.checking.finding import Finding
from ...models.zoo.loading import load_model
from .oracle import AGAINST, CLASS, FOR, NOTHING, Kind, oracle_inputs, oracle_model
from .report import Notice, asked

RIGHT = "right where the truth is known"
SUMS = "maps add up to what they are said to"
AGREE = "both frameworks give the same maps"
OTHER_DATA = "series too"
PICTURES, SERIES, TOKENS = ("small-cnn", "digits"), ("cnn-1d-series", "series"), ("vit-tiny", "digits")
"""Networks with their data: shipped, small, and the same in both frameworks."""
SAMPLES = 3
TELLS = 0.75
"""The least probability that a position that counts has a higher value than one that does not; 0.5 is chance."""
EXACT = 1e-3
"""What a sum may be off by on a linear network, as a share of the sum of absolute values."""
NEAR = 0.05
"""The same on a network that is not linear, where a method may take finitely many steps or samples."""
SAME = 1e-3
"""What maps of two frameworks may differ by, as a share of the largest value; sums of float32 differ by 1e-5 or so."""


def method_findings(method: Method, frameworks: tuple[str, ...], notice: Notice) -> Iterator[Finding]:
    """Yield what is found of a method in each framework, then of both together."""
    maps: dict[str, np.ndarray] = {}
    for framework in frameworks:
        if framework not in method.entry.frameworks:
            yield Finding(f"runs ({framework})", "inapplicable", "it is declared for the other framework only.")
            continue
        notice(f"{method.id} in {framework}")
        yield from asked("runs", partial(_on_networks, method, framework, maps), framework)
        notice(f"{method.id} in {framework}, where the truth is known")
        yield from asked(RIGHT, partial(_right, method, framework), framework)
        yield from asked(SUMS, partial(_sums, method, framework), framework)
        yield from asked(OTHER_DATA, partial(_series, method, framework), framework)
    yield _agreement(maps, frameworks)


def samples_of(network: tuple[str, str], framework: str, count: int = SAMPLES) -> tuple[Model, np.ndarray]:
    """Return a network with some samples of its data, (n, *input_shape) in its layout."""
    model, dataset = load_model(network[0], framework), load_dataset(network[1])
    step = max(1, len(dataset) // count)
    batch = next(dataset.batches(count, model, range(0, step * count, step)))
    return model, np.asarray(model.to_numpy(batch.x))


def _on_networks(method: Method, framework: str, maps: dict[str, np.ndarray]) -> Iterator[Finding]:
    """Yield the contract's findings on the first network that the method is for."""
    reasons = []
    for network in (PICTURES, TOKENS):
        model, x = samples_of(network, framework)
        if (reason := method.why_not(model)) is not None:
            reasons.append(f"{network[0]}: {reason}")
            continue
        began = perf_counter()
        try:
            found = contract(model, x, method)
        except NotApplicable as error:
            reasons.append(f"{network[0]}: {error}")
            continue
        yield from found
        if all(finding.verdict != "fails" for finding in found):
            maps[framework] = explain(model, x, method)
        seconds = perf_counter() - began
        if seconds > 60:
            yield Finding("cheap enough to be tried", "doubtful", f"these questions took {seconds:.0f} s.")
        return
    raise NotApplicable("; ".join(reasons))


def _right(method: Method, framework: str) -> Finding:
    """Ask whether positions that speak for the class have higher values than those that say nothing."""
    reasons = []
    kinds: tuple[Kind, ...] = ("linear", "pooled")
    for kind in kinds:
        model = oracle_model(kind, framework)
        x = np.asarray(model.native_array(np.moveaxis(oracle_inputs(kind, SAMPLES), -1, 1)))
        if (reason := method.why_not(model)) is not None:
            reasons.append(reason)
            continue
        try:
            maps = explain(model, x, method, CLASS)
        except NotApplicable as error:
            reasons.append(str(error))
            continue
        return _of_zones(method, kind, maps)
    raise NotApplicable("; ".join(dict.fromkeys(reasons)))


def _of_zones(method: Method, kind: Kind, maps: np.ndarray) -> Finding:
    if not np.isfinite(maps).all():
        return Finding(RIGHT, "fails", f"{kind} network: there are NaN or infinite values.")
    higher = _higher(maps[:, FOR], maps[:, NOTHING])
    evidence = f"{kind} network: what speaks for the class ranks above what says nothing with probability {higher:.2f}"
    lower = 1.0
    if method.signed and kind == "linear":
        lower = _higher(maps[:, NOTHING], maps[:, AGAINST])
        evidence += f", and that above what speaks against it with {lower:.2f}"
    if higher >= TELLS and lower >= TELLS:
        return Finding(RIGHT, "holds", f"{evidence}.")
    if np.ptp(maps) == 0 or (np.ptp(maps[:, FOR]) == np.ptp(maps[:, NOTHING]) == 0 and higher == 0.5):
        return Finding(RIGHT, "doubtful", f"{evidence}: the map is the same wherever it is looked at.")
    sizes = _higher(np.abs(maps[:, FOR]), np.abs(maps[:, NOTHING]))
    if method.signed and sizes >= TELLS:
        return Finding(
            RIGHT,
            "doubtful",
            f"{evidence}; by absolute values it is {sizes:.2f}, so it looks at the right places.",
            "See whether the sign is meant: positive values speak for the class. A baseline that is not black may "
            "explain it.",
        )
    return Finding(
        RIGHT,
        "fails",
        f"{evidence}.",
        "Explain request.target, not the predicted class, and see whether axes are mixed up: maps are (n, *spatial).",
    )


def _higher(one: np.ndarray, other: np.ndarray) -> float:
    """Return the probability that a value of the first is higher than one of the second, the mean over samples."""
    found = []
    for first, second in zip(one.reshape(len(one), -1), other.reshape(len(other), -1), strict=True):
        difference = np.sign(first[:, None] - second[None, :])
        found.append(0.5 + 0.5 * float(difference.mean()))
    return float(np.mean(found))


def _sums(method: Method, framework: str) -> Iterator[Finding]:
    """Yield whether maps add up to the logit, or to its difference from the baseline, where that is declared."""
    if method.entry.sums_to is None:
        raise NotApplicable("the method does not say what its maps add up to (sums_to).")
    if method.entry.pooling == "max_abs":
        raise NotApplicable("channels are pooled by their largest value, which adds up to nothing.")
    linear = oracle_model("linear", framework)
    x = np.asarray(linear.native_array(np.moveaxis(oracle_inputs("linear", SAMPLES), -1, 1)))
    yield _sum(method, linear, x, "linear network", EXACT, "fails")
    model, x = samples_of(PICTURES, framework)
    yield _sum(method, model, x, PICTURES[0], NEAR, "doubtful")


def _sum(method: Method, model: Model, x: np.ndarray, where: str, allowed: float, beyond: str) -> Finding:
    target = np.zeros(len(x), np.int64)
    logits = model.outputs(x)[:, 0].astype(np.float64)
    wanted = logits
    if method.entry.sums_to == "difference":
        request = Request(model, model.inputs(x), target)
        starts = request.baselines(method.parameters.get("baseline", "neutral"))
        blank = [model.outputs(np.asarray(model.to_numpy(start + 0.0 * request.x)))[:, 0] for start in starts]
        wanted = logits - np.mean(blank, axis=0, dtype=np.float64)
    maps = explain(model, x, method, target).reshape(len(x), -1).astype(np.float64)
    off = np.abs(maps.sum(axis=1) - wanted)
    size = np.maximum(np.abs(maps).sum(axis=1), np.abs(wanted)) + 1e-12
    worst = int((off / size).argmax())
    share = float((off / size)[worst])
    what = "the logit" if method.entry.sums_to == "logit" else "the logit's difference from the baseline"
    evidence = (
        f"{where}: {what} is {wanted[worst]:.4g} and the map sums to {maps[worst].sum():.4g}, off by {share:.1g} of "
        "the sum of absolute values."
    )
    if math.isfinite(share) and share <= allowed:
        return Finding(SUMS, "holds", evidence)
    return Finding(
        SUMS,
        "fails" if beyond == "fails" else "doubtful",
        evidence,
        "Leave sums_to out, or explain the logit from the baseline that the parameter 'baseline' names.",
    )


def _series(method: Method, framework: str) -> Finding:
    """Ask whether data without a second axis is explained, or said to have no meaning."""
    model, x = samples_of(SERIES, framework, 2)
    if (reason := method.why_not(model)) is not None:
        raise NotApplicable(reason)
    try:
        maps = explain(model, x, method)
    except NotApplicable:
        raise
    except Exception as error:
        return Finding(
            OTHER_DATA,
            "doubtful",
            f"of a series (positions along one axis) it raised {type(error).__name__}: {error}",
            'Raise heatmark.NotApplicable("pictures only") where it has no meaning: a run then says so.',
        )
    return Finding(OTHER_DATA, "holds", f"a series of {maps.shape[1]} positions is explained.")


def _agreement(maps: dict[str, np.ndarray], frameworks: tuple[str, ...]) -> Finding:
    """Ask whether maps of the same weights are the same."""
    if len(maps) < 2:
        return Finding(AGREE, "inapplicable", f"there are maps in {len(maps)} of {len(frameworks)} frameworks.")
    one, other = maps.values()
    largest = float(np.abs(one).max())
    apart = float(np.abs(one - other).max()) / (largest or 1.0)
    flat = [each.reshape(len(each), -1) for each in (one, other)]
    alike = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(*flat, strict=True) if np.ptp(a) and np.ptp(b)]
    evidence = f"maps differ by at most {apart:.1g} of the largest value"
    if apart <= SAME:
        return Finding(AGREE, "holds", f"{evidence}.")
    least = min(alike, default=0.0)
    evidence += f"; the least correlation of a sample is {least:.3f}."
    if least >= 0.9:
        return Finding(
            AGREE,
            "doubtful",
            evidence,
            "Steps that depend on the sign of a gradient, or on which of two equal values comes first, may do that.",
        )
    return Finding(
        AGREE,
        "fails",
        evidence,
        "Compute with request.operations, draw from request.bank or request.noise, and mind the layout: "
        "request.model.channel_axis says where channels stand.",
    )
