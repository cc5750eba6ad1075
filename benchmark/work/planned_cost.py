"""What a cell is likely to take, told before anything runs: for shares of equal work and for time limits.

The passes of a method are those that heatmark's official results recorded with its own parameters
(``recorded_passes.json``), scaled by the steps, samples or masks that are asked for; those of scoring are planned by
`metrics.plan`. It is an estimate, not a promise: of two methods with as many passes one may take twice as long.
Every process on every machine comes to the same numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ...errors import HeatmarkError
from ...methods.registry import Method, method_from
from ...metrics.perturbing.units import TYPICAL_SHAPE
from ...metrics.plan import ScoringPlan, plan
from ...models.zoo.loading import find_model
from ..store.cell import CellSpec
from .named_models import is_own

BACKWARD = 1.8
"""A backward pass in forward passes: EfficientNet-Lite0 on a processor, from the official results."""
SECONDS_PER_POSITION = 3.5e-7
"""A forward pass of one picture on one processor core, per position: EfficientNet-Lite0 at 224 x 224, likewise."""
CALL_SECONDS = 2e-4
"""What asking a network anything takes at least, so that small ones do not count for nothing."""
SAMPLE_SECONDS = 5e-3
"""What a sample takes besides passes: it is read, ranked and kept."""
UNKNOWN_PASSES = (10.0, 10.0)
"""Forward and backward passes that a method is taken to make of which nothing is known."""
_SCALING = ("steps", "samples", "masks", "permutations", "designs")
"""The parameters that passes grow with."""


def planned_seconds(spec: CellSpec) -> float:
    """Return the seconds that a cell is likely to take on one processor core."""
    return (spec.last - spec.first) * _sample_seconds(spec.model, spec.method, spec.metrics)


def explaining_passes(method: Method) -> tuple[float, float]:
    """Return the forward and backward passes that explaining one sample is likely to take."""
    values = method.parameters
    if method.inner is not None:
        times = next((float(values[name]) for name in _SCALING if _counts(values.get(name))), 1.0)
        forward, backward = explaining_passes(method.inner)
        return times * forward, times * backward
    forward, backward = _recorded().get(method.entry.name, (0.0, 0.0) if method.entry.is_control else UNKNOWN_PASSES)
    usual = {parameter.name: parameter.default for parameter in method.entry.parameters}
    scale = math.prod(
        float(values[name]) / float(usual[name])
        for name in _SCALING
        if _counts(values.get(name)) and _counts(usual.get(name))
    )
    return scale * forward, scale * backward


@cache
def _sample_seconds(model: str, method: str, metrics: tuple[str, ...]) -> float:
    shape = _spatial(model)
    scoring = _planned(metrics, shape)
    explaining = _forwards(*explaining_passes(method_from(method)))
    passes = (1 + scoring.explanations) * explaining + _forwards(scoring.forward, scoring.backward)
    return SAMPLE_SECONDS + passes * max(CALL_SECONDS, SECONDS_PER_POSITION * math.prod(shape))


@cache
def _planned(metrics: tuple[str, ...], shape: tuple[int, ...]) -> ScoringPlan:
    return plan(metrics, shape)


def _forwards(forward: float, backward: float) -> float:
    return forward + BACKWARD * backward


def _spatial(model: str) -> tuple[int, ...]:
    """Return the spatial shape of a model's inputs; a photograph's where only the loaded network tells it."""
    try:
        shape = None if is_own(model) else find_model(model)[0].input_shape
    except HeatmarkError:
        shape = None
    return TYPICAL_SHAPE if shape is None else shape[:-1]


def _counts(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


@cache
def _recorded() -> Mapping[str, tuple[float, float]]:
    found = json.loads(Path(__file__).with_name("recorded_passes.json").read_text(encoding="utf-8"))
    return {name: (float(forward), float(backward)) for name, (forward, backward) in found.items()}
