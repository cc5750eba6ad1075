"""Memory does not grow with images, steps or masks: peaks of fresh processes, also beside one chunk's passes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import pytest

from heatmark.models.devices import installed_frameworks

SCRIPT = """
import json, resource, sys
import numpy as np
import heatmark as hm
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from
from heatmark.methods.registry import method_from
from heatmark.methods.explain import explain_batch

count, framework = int(sys.argv[1]), sys.argv[2]
model = hm.load_model("efficientnet-lite0", framework=framework)
model.engine.chunk = 8
data = hm.load_dataset("imagenet-samples")
metrics = [metric_from(name) for name in ("deletion[steps=2]", "average_drop")]
method, seen = method_from("saliency"), 0
while seen < count:
    for batch in data.batches(10, model):
        target = model.outputs(batch.x).argmax(axis=1)
        maps = explain_batch(model, method, batch.x, target)
        evaluate_batch(model, batch.x, maps, target, metrics)
        seen += len(target)
        if seen >= count:
            break
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
"""


@pytest.mark.parametrize("framework", installed_frameworks())
def test_memory_is_flat(benchmark, framework):
    """Peak memory with 200 images over that with 20."""

    def peak(count: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(count), framework], capture_output=True, text=True, check=True
        )
        return int(json.loads(done.stdout.splitlines()[-1]))

    few = peak(20)
    many = benchmark.pedantic(peak, args=(200,), rounds=1)
    benchmark.extra_info.update(ratio=round(many / few, 3), mebibytes_20=few // 2**20, mebibytes_200=many // 2**20)
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    assert many <= 1.15 * few


PREPARED = """
import json, resource, sys
import numpy as np, psutil
import heatmark as hm
from heatmark.benchmark.executors.malloc import keep_freed_memory
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from

passes, work, framework = sys.argv[1:4]
keep_freed_memory()
model = hm.load_model("efficientnet-lite0", framework=framework)
model.engine.chunk = 8
x = hm.load_dataset("imagenet-samples").take(8, model).x
before = psutil.Process().memory_info().rss

def pass_through():
    if passes == "forward":
        model.engine.outputs(x[:8])
    else:
        hm.explain(model, x[:8], "gradient", np.zeros(8, np.int64))

def carry_out(count):
    target = np.zeros(count, np.int64)
    if work.startswith("metrics:"):
        maps = np.random.default_rng(0).standard_normal((count, *model.spatial_shape), np.float32)
        metrics = [metric_from(name) for name in work.removeprefix("metrics:").split(";")]
        evaluate_batch(model, x[:count], maps, target, metrics)
    else:
        hm.explain(model, x[:count], work, target)
"""

GROWTH = (
    PREPARED
    + """
def grown():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before

for _ in range(30 if passes == "backward" else 150):  # the allocator settles after many chunks only
    pass_through()
chunk = grown()
# A single picture has room in what a chunk left: what the process still grows by is code and graphs.
model.engine.chunk = 1
carry_out(1)
code = grown() - chunk
model.engine.chunk = 8
carry_out(8)
print(json.dumps([chunk, code, grown() - code]))
"""
)

HELD = (
    PREPARED
    + """
import tracemalloc
import torch

def held(act):
    act()  # what is made once, and kept
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        tracemalloc.start()
        act()
        arrays = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(np.cumsum(sizes).max()) + arrays

print(json.dumps([held(pass_through), held(lambda: carry_out(8))]))
"""
)

CURVES = "metrics:deletion;insertion;morf;lerf;n_ord;s_ord;abpc;average_drop"
PROCESSES = {"torch": 1, "tensorflow": 5}
"""Each a fresh one: heaps scatter. PyTorch's bar is for what is held, which is the same in all."""
#: Each work with the passes whose memory it is compared with.
WORKS = {
    "integrated_gradients[steps=10]": "backward",
    "integrated_gradients[steps=50]": "backward",
    "smoothgrad[samples=25]": "backward",
    "occlusion[window=32,stride=32]": "forward",
    "rise[masks=32]": "forward",
    "rise[masks=256]": "forward",
    "score_cam[layer=block11_project_norm]": "forward",
    CURVES: "forward",
    "metrics:road_combined": "forward",
}


def _measured(script: str, work: str, framework: str) -> list[int]:
    command = [sys.executable, "-c", script, WORKS[work], work, framework]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(figure) for figure in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.parametrize("framework", installed_frameworks())
@pytest.mark.parametrize("work", WORKS)
def test_growth_beside_one_chunk(benchmark, work, framework):
    """The peak of plain passes of one chunk of 8 and of the work after them, beyond the loaded network; medians.

    Code and graphs, which are loaded once whatever there is to do, are measured apart. In PyTorch the C library's heap
    grows by up to twice of what is held, differently in every process: there the bar is for what is held.
    """
    seen = [_measured(GROWTH, work, framework) for _ in range(PROCESSES[framework] - 1)]
    seen.append(benchmark.pedantic(_measured, args=(GROWTH, work, framework), rounds=1))
    chunk, code, whole = (statistics.median(figures) for figures in zip(*seen, strict=True))
    ratio = whole / chunk
    sizes = {"chunk": chunk, "work": whole, "code": code}
    benchmark.extra_info.update(ratio=round(ratio, 2), **{name: int(size) // 2**20 for name, size in sizes.items()})
    if framework == "torch":
        held_by_chunk, held_by_work = _measured(HELD, work, framework)
        ratio = held_by_work / held_by_chunk
        sizes = {"held_by_chunk": held_by_chunk, "held_by_work": held_by_work}
        benchmark.extra_info.update(held=round(ratio, 2), **{name: size // 2**20 for name, size in sizes.items()})
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    assert ratio <= 1.2
