"""Memory does not grow with the number of images: peaks of fresh processes that explain and score 20 and 200."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from heatmark.models.devices import installed_frameworks

SCRIPT = """
import json, resource, sys
import numpy as np
import heatmark as hm
from heatmark.metrics.evaluation import evaluate_batch
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
