"""A method whose map and score spell out its parameters, so that a swapped axis shows: loaded as a plugin."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from heatmark.errors import NotApplicable
from heatmark.methods.registry import register_method
from heatmark.metrics.perturbing.perturbation import ORIGINAL, MapFacts, Perturbation, Reading
from heatmark.metrics.registry import CurveMeasure, Measure, register_metric
from heatmark.parameters import Doc

BROKEN = 9


@register_method("spelling", family="test", signed=True, pooling="none")
def spelling(
    request: Any,
    *,
    across: Annotated[int, Doc("ones", low=0)] = 1,
    up: Annotated[int, Doc("tens", low=0)] = 1,
    share: float = 0.5,
    kind: Literal["plain", "fancy"] = "plain",
) -> Any:
    """A map with 10 * up + across positive values."""
    folder = os.environ.get("TINY_FOLDER")
    if folder:
        with (Path(folder) / "spelt").open("a", encoding="utf-8") as file:
            file.write(f"{across},{up}\n")
    if across == BROKEN:
        raise ValueError("broken on purpose")
    values = np.full((request.count, 64), -1.0, np.float32)
    values[:, : 10 * up + across] = 1.0
    return request.model.from_numpy(values.reshape(request.count, 8, 8))


@register_method("homeless", family="test", signed=True)
def homeless(request: Any, *, size: int = 1) -> Any:
    """Applies nowhere."""
    raise NotApplicable("it has no home")


@dataclass(frozen=True)
class Positives(CurveMeasure):
    """How many values of the map are positive."""

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        return [ORIGINAL]

    def value(self, reading: Reading) -> float:
        return float(reading.facts.positives)


@register_metric("many", family="test", higher_is_better=True)
def many() -> Measure:
    """The number of positive values; more is better."""
    return Positives()


@register_metric("few", family="test", higher_is_better=False)
def few() -> Measure:
    """The number of positive values; fewer is better."""
    return Positives()
