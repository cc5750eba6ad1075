"""The bare network: plain loops over chunks, with nothing of heatmark's engine, to measure the engine against."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from heatmark.models.base import Model

CHUNKS = (4, 8, 16, 32)
TARGET = 0


def bare_loops(model: Model, backward: bool) -> dict[str, Callable[[Any], None]]:
    """Return, by a label of chunk size and memory format, a function that sends all rows through the network."""
    return _torch_loops(model, backward) if model.framework == "torch" else _tensorflow_loops(model, backward)


def _torch_loops(model: Any, backward: bool) -> dict[str, Callable[[Any], None]]:
    import torch

    from heatmark.models.torch_model import at_rest

    zero = torch.tensor(np.asarray(model.zero)).reshape(1, -1, 1, 1).to(model.device)
    std = torch.tensor(np.asarray(model._preprocess.std, np.float32)).reshape(1, -1, 1, 1).to(model.device)

    def loop(size: int, layout: torch.memory_format) -> Callable[[Any], None]:
        def run(x: torch.Tensor) -> None:
            with at_rest(model.net):
                for first in range(0, len(x), size):
                    rows = x[first : first + size].contiguous(memory_format=layout)
                    if backward:
                        rows = rows.detach().requires_grad_()
                        torch.autograd.grad(model.net((rows - zero) / std)[:, TARGET].sum(), rows)
                    else:
                        with torch.inference_mode():
                            model.net((rows - zero) / std)
            model.synchronise()

        return run

    layouts = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
    return {f"{size} {name}": loop(size, layout) for size, (name, layout) in itertools.product(CHUNKS, layouts.items())}


def _tensorflow_loops(model: Any, backward: bool) -> dict[str, Callable[[Any], None]]:
    import tensorflow as tf

    zero, std = tf.constant(np.asarray(model.zero)), tf.constant(np.asarray(model._preprocess.std, np.float32))

    def loop(size: int) -> Callable[[Any], None]:
        # One graph for each fixed chunk: what a careful user would write.
        signature = [tf.TensorSpec((size, *model.input_shape), tf.float32)]

        @tf.function(input_signature=signature, autograph=False)
        def network(x: tf.Tensor) -> tf.Tensor:
            logits = model.net((x - zero) / std, training=False)
            return tf.gradients(tf.reduce_sum(logits[:, TARGET]), x)[0] if backward else logits

        def run(x: tf.Tensor) -> None:
            for first in range(0, x.shape[0], size):
                network(x[first : first + size])
            model.synchronise()

        return run

    return {str(size): loop(size) for size in CHUNKS}


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that one call takes."""
    began = perf_counter()
    work()
    return perf_counter() - began


def interleaved(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every job, the jobs taking turns, so that drift of the machine meets all alike."""
    for work in jobs.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, work in jobs.items():
            times[name].append(timed(work))
    return times
