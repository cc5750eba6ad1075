"""heatmark's curve metrics together, against other libraries that compute the same scores one by one.

Run with ``tox -e peers -- benchmark/runtime/test_metric_peers.py``. The set is that of `test_engine.FAMILY`: each score
that is read from one curve costs a library one call, each that is read from two curves (the area between perturbation
curves, total proportionality) two calls; the scores with a mask cost one call each. All take 28 steps, on the same
maps.
``extra_info`` has the ratio: the library's time over heatmark's.
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

import heatmark as hm
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from

sys.path.insert(0, str(Path(__file__).parent))
from bare import interleaved
from test_engine import FAMILY
from test_peers import quietly

ROUNDS = int(os.environ.get("HEATMARK_BENCH_ROUNDS", "5"))
STEPS = 28
CURVES = 7 + 2 * 3
"""Calls for curves: deletion, insertion, MoRF, LeRF, N-Ord, S-Ord, AOPC; two each for ABPC, TPN and TPS."""
MASKED = 2
"""Calls for Average Drop and Average Increase."""
Job = Callable[[], Any]


def torch_cam(model: Any, x: Any, maps: np.ndarray) -> Job:
    metrics = pytest.importorskip("torchcam.metrics")
    import torch

    from heatmark.models.networks.whole_on_torch import whole

    class Extractor:
        """Hands the library the maps, so that its time is that of scoring."""

        _hooks_enabled = True

        def __init__(self, network: Any) -> None:
            self.model = network

        def __call__(self, *_: Any, **__: Any) -> list[Any]:
            return [torch.tensor(maps)]

        def _hooks_off(self) -> Any:
            return torch.no_grad()

        def fuse_cams(self, cams: list[Any]) -> Any:
            return cams[0]

    def softmax(logits: Any) -> Any:
        return logits.softmax(dim=-1)

    def run() -> None:
        with whole(model) as network:
            extractor = Extractor(network)
            # One call of the library gives a curve of deletion and one of insertion: half as many serve all curves.
            for _ in range((CURVES + 1) // 2):
                metrics.DeletionInsertionMetric(extractor, softmax, steps=STEPS, batch_size=16).update(x, 0)
            metrics.ClassificationMetric(extractor, softmax).update(x, 0)

    return run


def torch_cam_one_by_one(model: Any, x: Any, maps: np.ndarray) -> Job:
    both = torch_cam(model, x, maps)

    def run() -> None:
        both()
        both()

    return run


def quantus(model: Any, x: Any, maps: np.ndarray) -> Job:
    from heatmark.models.zoo.torchvision_operators import import_torchvision

    import_torchvision()
    library = pytest.importorskip("quantus")
    from heatmark.models.networks.whole_on_torch import whole

    features = int(np.prod(model.spatial_shape))  # it wants the steps to come out even, and 224 x 224 do
    pictures, attributions, labels = x.cpu().numpy(), maps[:, None], np.zeros(len(x), np.int64)

    def run() -> None:
        with whole(model) as network, quietly():
            for _ in range(CURVES):
                metric = library.PixelFlipping(
                    features_in_step=features // STEPS, disable_warnings=True, normalise=False
                )
                metric(
                    network, pictures, labels, a_batch=attributions, device=model.device, batch_size=16, softmax=True
                )

    return run


def xplique(model: Any, x: Any, maps: np.ndarray) -> Job:
    metrics = pytest.importorskip("xplique.metrics")
    from heatmark.models.networks.whole_on_tensorflow import whole

    network = whole(model)
    targets = np.eye(model.num_classes, dtype=np.float32)[np.zeros(len(x), int)]
    pictures = model.to_numpy(x)

    def run() -> None:
        options = {"batch_size": 16, "steps": STEPS, "activation": "softmax"}
        for number in range(CURVES):
            kind = metrics.Deletion if number % 2 else metrics.Insertion
            kind(network, pictures, targets, **options).evaluate(maps)
        for kind in (metrics.AverageDropMetric, metrics.AverageIncreaseMetric):
            kind(network, pictures, targets, batch_size=16, activation="softmax").evaluate(maps)

    return run


LIBRARIES = {
    "Quantus": ("torch", quantus),
    "torch-cam, one by one": ("torch", torch_cam_one_by_one),
    "torch-cam, deletion with insertion": ("torch", torch_cam),
    "Xplique": ("tensorflow", xplique),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_same_scores(benchmark, model, photographs, library):
    """The curve family of two photographs, in heatmark together and in a library score by score."""
    framework, make = LIBRARIES[library]
    if framework != model.framework:
        pytest.skip(f"{library} is a {framework} library")
    x = photographs(model, 2)
    maps = np.abs(hm.explain(model, x, "smoothgrad[samples=2]", 0))
    chosen = [metric_from(name) for name in FAMILY]
    jobs: dict[str, Job] = {"heatmark": lambda: evaluate_batch(model, x, maps, np.zeros(2, np.int64), chosen)}
    jobs[library] = make(model, x, maps)
    for _ in range(2):
        jobs["heatmark"]()
    medians = {name: statistics.median(times) for name, times in interleaved(jobs, ROUNDS).items()}
    benchmark.extra_info.update(
        seconds={name: round(seconds, 3) for name, seconds in medians.items()},
        ratio=round(medians[library] / medians["heatmark"], 2),
        load=round(os.getloadavg()[0], 1),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    benchmark.pedantic(jobs["heatmark"], rounds=1)
