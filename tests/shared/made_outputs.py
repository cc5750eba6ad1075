"""Made-up maps and scores of four methods in two settings, for what compares devices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heatmark.benchmark.timing.device_check import Outputs, Setup
from heatmark.benchmark.timing.rows import Place

CPU = Setup(Place("torch", "cpu"), "float32")
METHODS = ("first", "second", "third", "fourth")
METRICS = {"deletion": (0.1, 0.2, 0.3, 0.4), "insertion": (0.9, 0.8, 0.7, 0.6)}


def outputs(setup: Setup = CPU, name: str = "cpu") -> Outputs:
    """Four methods on three images, whose first is the best on both metrics."""
    generator = np.random.default_rng(0)
    maps = {method: generator.standard_normal((3, 5, 5)).astype(np.float32) for method in METHODS}
    scores = {
        method: {metric: np.full(3, values[place]) for metric, values in METRICS.items()}
        for place, method in enumerate(METHODS)
    }
    logits = generator.standard_normal((3, 4))
    return Outputs(setup, name, logits.argmax(axis=1), logits, maps, scores)


def on_gpu(precision: str = "float32", **changes) -> Outputs:
    setup = Setup(Place("torch", "cuda"), precision)
    return replace(outputs(setup, "A GPU"), **changes)
