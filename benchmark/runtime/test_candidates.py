"""What else could make the network's passes faster: each candidate against the plain loop, taking turns.

``extra_info`` has the ratio: the candidate's time over that of the bare network at its best chunk and memory format.
Below 1 it wins. What the engine uses of them, and why not the others, stands in docs/performance.md.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatmark.benchmark.timing.bare_network import bare_loop, fastest_bare, label_of, repeated_rows, size_of
from heatmark.benchmark.timing.row_in_process import sample_inputs

sys.path.insert(0, str(Path(__file__).parent))
from bare import interleaved

ROUNDS = int(os.environ.get("HEATMARK_BENCH_ROUNDS", "5"))
NETWORK = "efficientnet-lite0"
CLASSES = 4
Job = Callable[[], Any]
Maker = Callable[[Any, Any, bool], Job]


def other_memory_format(model: Any, x: Any, backward: bool) -> Job:
    """Inputs in the other memory format than the best."""
    if len(model.layouts) == 1:
        pytest.skip("Keras has one memory format")
    best = fastest_bare(model, lambda count: x[:count], backward)
    other = next(layout for layout in model.layouts if layout not in best)
    loop = bare_loop(model, label_of(size_of(best), other), backward)
    return lambda: loop(x)


def weights_channels_last(model: Any, x: Any, backward: bool) -> Job:
    """Weights in channels-last too, not only inputs."""
    import copy

    import torch

    from heatmark.models.networks.on_torch import TorchModel

    if not isinstance(model, TorchModel):
        pytest.skip("Keras has one memory format")
    other = copy.copy(model)
    other.net = copy.deepcopy(model.net).to(memory_format=torch.channels_last)
    loop = bare_loop(other, label_of(len(x), "channels_last"), backward)
    return lambda: loop(x)


def compiled(model: Any, x: Any, backward: bool, mode: str = "default") -> Job:
    """``torch.compile``, or XLA in TensorFlow."""
    if model.framework == "torch":
        return _compiled_torch(model, x, backward, mode)
    if mode != "default":
        pytest.skip("CUDA graphs are PyTorch's")
    import tensorflow as tf

    def network(rows: Any) -> Any:
        logits = model.logits(rows)
        return tf.gradients(tf.reduce_sum(logits[:, 0]), rows)[0] if backward else logits

    signature = [tf.TensorSpec(x.shape, tf.float32)]
    graph = tf.function(network, input_signature=signature, autograph=False, jit_compile=True)

    def run() -> None:
        graph(x).numpy()

    return run


def _compiled_torch(model: Any, x: Any, backward: bool, mode: str) -> Job:
    import torch

    from heatmark.models.probes.at_rest import at_rest

    if mode != "default" and "cuda" not in model.device:
        pytest.skip("CUDA graphs need a GPU")
    network = torch.compile(model.net, mode=mode)

    def run() -> None:
        with at_rest(model.net):
            rows = x.contiguous(memory_format=torch.channels_last)
            if backward:
                rows = rows.detach().requires_grad_()
                torch.autograd.grad(network(model.prepared(rows))[:, 0].sum(), rows)
            else:
                with torch.inference_mode():
                    network(model.prepared(rows))
        model.synchronise()

    return run


def cuda_graphs(model: Any, x: Any, backward: bool) -> Job:
    """``torch.compile`` with CUDA graphs."""
    return compiled(model, x, backward, "reduce-overhead")


def open_batch_axis(model: Any, x: Any, backward: bool) -> Job:
    """A TensorFlow graph whose batch axis is open, instead of one traced for a fixed chunk."""
    if model.framework != "tensorflow":
        pytest.skip("PyTorch traces no graph")
    import tensorflow as tf

    def network(rows: Any) -> Any:
        logits = model.logits(rows)
        return tf.gradients(tf.reduce_sum(logits[:, 0]), rows)[0] if backward else logits

    signature = [tf.TensorSpec((None, *model.input_shape), tf.float32)]
    with tf.device(model.device):
        graph = tf.function(network, input_signature=signature, autograph=False).get_concrete_function()

    def run() -> None:
        graph(x)
        model.synchronise()

    return run


def bfloat16(model: Any, x: Any, backward: bool) -> Job:
    """Automatic mixed precision in bfloat16: another precision, so never chosen silently."""
    from heatmark.models.zoo.loading import load_model

    other = load_model(
        model.name, framework=model.framework, device="cuda" if _on_gpu(model) else "cpu", precision="bf16"
    )
    loop = bare_loop(other, label_of(len(x), other.layouts[0]), backward)
    return lambda: loop(x)


def from_pinned_memory(model: Any, x: Any, backward: bool) -> Job:
    """Inputs that come from pinned host memory on a stream of their own, instead of lying on the device."""
    import torch

    if model.framework != "torch" or not _on_gpu(model):
        pytest.skip("pinned memory is for GPUs, in PyTorch")
    host, stream = x.cpu().pin_memory(), torch.cuda.Stream()
    loop = bare_loop(model, label_of(len(x), "channels_last"), backward)

    def run() -> None:
        with torch.cuda.stream(stream):
            rows = host.to(model.device, non_blocking=True)
        torch.cuda.current_stream().wait_stream(stream)
        loop(rows)

    return run


CANDIDATES: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        other_memory_format,
        weights_channels_last,
        compiled,
        cuda_graphs,
        open_batch_axis,
        bfloat16,
        from_pinned_memory,
    )
}


def _on_gpu(model: Any) -> bool:
    return not model.on_cpu


def note(benchmark: Any, jobs: dict[str, Job]) -> None:
    """Time two jobs in turns and note the ratio of the second to the first."""
    found = {name: statistics.median(times) for name, times in interleaved(jobs, ROUNDS).items()}
    plain, other = found.values()
    benchmark.extra_info.update(
        ratio=round(other / plain, 3),
        milliseconds={name: round(1000 * seconds, 2) for name, seconds in found.items()},
        load=round(os.getloadavg()[0], 1),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}", flush=True)
    benchmark.pedantic(list(jobs.values())[1], rounds=1)


@pytest.mark.parametrize("kind", ["forward", "gradient"])
@pytest.mark.parametrize("candidate", CANDIDATES)
def test_candidate(benchmark, model, candidate, kind):
    """One candidate for one kind of query, on one chunk of the bare network's best size."""
    rows, backward = repeated_rows(model, sample_inputs(NETWORK, model)), kind == "gradient"
    best = fastest_bare(model, rows, backward)
    x = rows(size_of(best))
    plain = bare_loop(model, best, backward)
    note(benchmark, {"plain": lambda: plain(x), candidate: CANDIDATES[candidate](model, x, backward)})


def test_one_backward_pass_for_several_targets(benchmark, model):
    """The gradients of several classes from one forward pass, instead of one forward pass for each."""
    rows = repeated_rows(model, sample_inputs(NETWORK, model))
    x = rows(8)
    if model.framework != "torch":
        pytest.skip("TensorFlow's graphs are traced for one target")
    import torch

    from heatmark.models.probes.at_rest import at_rest

    def each() -> None:
        with at_rest(model.net):
            for number in range(CLASSES):
                inputs = x.detach().requires_grad_()
                torch.autograd.grad(model.logits(inputs)[:, number].sum(), inputs)
        model.synchronise()

    def shared() -> None:
        with at_rest(model.net):
            inputs = x.detach().requires_grad_()
            logits = model.logits(inputs)
            for number in range(CLASSES):
                torch.autograd.grad(logits[:, number].sum(), inputs, retain_graph=number < CLASSES - 1)
        model.synchronise()

    note(benchmark, {"plain": each, "shared": shared})
    assert np.isfinite(benchmark.extra_info["ratio"])
