"""The bare network at several chunks and memory formats, and jobs that take turns, for benchmarks in one process."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from heatmark.benchmark.timing.bare_network import bare_loop, label_of
from heatmark.benchmark.timing.rounds import interleaved as measured_in_turns
from heatmark.models.base import Model

CHUNKS = (4, 8, 16, 32)


def bare_loops(model: Model, backward: bool) -> dict[str, Callable[[Any], None]]:
    """Return, by a label of chunk size and memory format, a function that sends all rows through the network."""
    labels = [label_of(size, layout) for size, layout in itertools.product(CHUNKS, model.layouts)]
    return {label: bare_loop(model, label, backward) for label in labels}


def interleaved(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every job, after a turn that warms up."""
    for work in jobs.values():
        work()
    return measured_in_turns(jobs, rounds)
