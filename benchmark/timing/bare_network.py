"""The bare network, and the chunk and memory format at which it is fastest: what times are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from ...errors import BadInput
from ...models.base import Model
from .rounds import interleaved, timed

FIRST_CHUNK = 4
"""The climb begins here on a processor, at eight times as many on an accelerator."""

FINAL_TURNS = 5
"""The two fastest candidates take so many turns to settle which is the best."""

MOST_BYTES = {True: 32 * 2**20, False: 512 * 2**20}
"""Inputs of one chunk are no larger than this, on a processor (True) or an accelerator."""


def label_of(size: int, layout: str) -> str:
    """Return a chunk size and memory format as one word, such as ``8-channels_last``."""
    return f"{size}-{layout}"


def size_of(label: str) -> int:
    """Return the chunk size of a label."""
    return int(label.partition("-")[0])


def bare_loop(model: Model, label: str, backward: bool) -> Callable[[Any], None]:
    """Return a function that sends rows through the bare network, chunk by chunk.

    Nothing of heatmark's engine is in it: frozen parameters, no gradients where none are asked for, one graph of a
    fixed shape in TensorFlow.

    Parameters
    ----------
    model
        The model, whose preprocessing and precision are kept.
    label
        From `label_of`.
    backward
        Whether the input's gradient is taken too.
    """
    size, _, layout = label.partition("-")
    if not size.isdigit():
        raise BadInput(f"{label!r} is no chunk size and memory format, such as 8-{model.layouts[0]}.")
    if model.framework == "torch":
        from ...models.networks.bare_on_torch import bare_loop as loop
    else:
        from ...models.networks.bare_on_tensorflow import bare_loop as loop
    return loop(model, int(size), layout, backward)


def candidate_sizes(model: Model, backward: bool) -> list[int]:
    """Return the chunk sizes to try, in powers of two; on an accelerator backward up to half as many, as the engine."""
    most = MOST_BYTES[model.on_cpu] // (4 * math.prod(model.input_shape))
    most //= 2 if backward and not model.on_cpu else 1
    first = FIRST_CHUNK if model.on_cpu else 8 * FIRST_CHUNK
    sizes = [2**power for power in range(13) if first <= 2**power <= most]
    return sizes or [max(1, 2 ** int(math.log2(max(1, most))))]


def fastest_bare(model: Model, rows: Callable[[int], Any], backward: bool) -> str:
    """Return the label of the bare network's fastest chunk and memory format.

    Sizes are climbed until two in a row bring nothing; then the memory formats are compared at the best, and the two
    fastest candidates take turns. A size that does not fit into memory ends the climb.

    ``rows`` returns so many inputs on the device; the rest is as `bare_loop` takes it.
    """
    times: dict[str, float] = {}

    def seconds_of(size: int, layout: str) -> float | None:
        try:
            loop, x = bare_loop(model, label_of(size, layout), backward), rows(size)
            loop(x)  # traces and warms up
            took = min(timed(lambda: loop(x)) for _ in range(3)) / size
        except Exception as error:
            if not model.is_out_of_memory(error) or not times:
                raise
            return None
        times[label_of(size, layout)] = took
        return took

    best, misses = math.inf, 0
    for size in candidate_sizes(model, backward):
        took = seconds_of(size, model.layouts[0])
        if took is None:
            break
        misses = 0 if took < 0.98 * best else misses + 1
        best = min(best, took)
        if misses == 2:
            break
    size = size_of(min(times, key=lambda label: times[label]))
    for layout in model.layouts[1:]:
        seconds_of(size, layout)
    finalists = sorted(times, key=lambda label: times[label])[:2]
    return _winner(model, rows, backward, finalists)


def _winner(model: Model, rows: Callable[[int], Any], backward: bool, finalists: list[str]) -> str:
    """Return the faster of two labels, on as many rows each, taking turns."""
    count = max(size_of(label) for label in finalists)
    x = rows(count)
    jobs = {label: partial(bare_loop(model, label, backward), x) for label in finalists}
    for work in jobs.values():
        work()
    found = interleaved(jobs, FINAL_TURNS)
    return min(finalists, key=lambda label: median(found[label]))


def repeated_rows(model: Model, x: np.ndarray) -> Callable[[int], Any]:
    """Return a function from a count to so many inputs on the device, the given ones repeated as needed."""

    def rows(count: int) -> Any:
        return model.from_numpy(np.resize(x, (count, *x.shape[1:])))

    return rows
