"""On a CUDA GPU: Integrated Gradients and curves keep the bare network's throughput, in float32 and in bfloat16.

Run with ``pytest benchmark/runtime/test_gpu.py``. ResNet-50 at 224 pixels, with untrained weights, on which no time
depends; the bare network runs at its best chunk and memory format, in the same rounds.
"""

from __future__ import annotations

import pytest

from heatmark.benchmark.setting.environment import gpu_possible
from heatmark.benchmark.timing.rows import CURVES, FORWARD, GRADIENT, Place, RuntimeCase
from heatmark.leaderboards.statistics.timed import median_estimate
from heatmark.models.devices import installed_frameworks, resolved_device

pytestmark = pytest.mark.cuda

NETWORKS = {"torch": "torchvision:resnet50@random", "tensorflow": "keras:ResNet50@random"}
KEPT = 0.85
"""The share of the bare network's throughput that is kept."""

IMAGES = {FORWARD: "512", GRADIENT: "512", CURVES: "16", "integrated_gradients[steps=50]": "16"}


@pytest.mark.parametrize("work", IMAGES)
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("framework", installed_frameworks())
def test_throughput_is_kept(benchmark, measured_row, process_at, framework, precision, work):
    """One work in one precision."""
    place = Place(framework, "cuda")
    if not gpu_possible():
        pytest.skip("there is no GPU here")
    found = process_at(place).call(resolved_device, framework, "cuda")
    if not isinstance(found, str):
        pytest.skip(found.error)
    row = measured_row(RuntimeCase(work, NETWORKS[framework], place, precision, IMAGES[work]))
    kept = median_estimate(1 / row.overhead)
    benchmark.extra_info.update(kept=kept.value, kept_low=kept.low, kept_high=kept.high)
    print(f"\n{benchmark.name}: keeps {kept.value:.1%} of the throughput ({kept.low:.1%} to {kept.high:.1%})")
    assert kept.high >= KEPT
