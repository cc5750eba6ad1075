"""heatmark against other libraries on the same work, in one run: the same photographs, network and number of passes.

Run with ``tox -e peers -- benchmark/runtime/test_peers.py``. Each library runs its own loop, at the faster of two
chunk sizes; medians of interleaved rounds. ``extra_info`` has the ratio: the library's time over heatmark's.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heatmark as hm
from heatmark.methods.libraries import CAPTUM, PYTORCH_GRAD_CAM, TF_KERAS_VIS, XPLIQUE
from heatmark.methods.registry import METHODS

sys.path.insert(0, str(Path(__file__).parent))
from bare import interleaved

ROUNDS = int(os.environ.get("HEATMARK_BENCH_ROUNDS", "5"))
CHUNKS = (8, 32)
TARGET = 0
Job = Callable[[], Any]


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the libraries' progress bars and warnings back, which cost time too."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def captum(model: Any, x: Any, chunk: int, kind: str) -> Job:
    from heatmark.models.networks.whole_on_torch import whole

    attr = CAPTUM.module("captum.attr")
    each = max(1, chunk // len(x))

    def run() -> None:
        with whole(model) as network, quietly():
            if kind == "integrated_gradients":
                explainer = attr.IntegratedGradients(network)
                explainer.attribute(x, target=TARGET, n_steps=50, internal_batch_size=chunk)
            elif kind == "smoothgrad":
                explainer = attr.NoiseTunnel(attr.Saliency(network))
                options = {"nt_samples": 25, "nt_samples_batch_size": each, "stdevs": 0.15, "abs": False}
                explainer.attribute(x, target=TARGET, nt_type="smoothgrad", **options)
            else:
                window = (3, 32, 32)
                attr.Occlusion(network).attribute(x, window, window, target=TARGET, perturbations_per_eval=each)
        model.synchronise()

    return run


def pytorch_grad_cam(model: Any, x: Any, chunk: int, kind: str) -> Job:
    from heatmark.models.networks.whole_on_torch import whole
    from heatmark.models.zoo.torchvision_operators import import_torchvision

    import_torchvision()
    library = PYTORCH_GRAD_CAM.module("pytorch_grad_cam")
    targets = PYTORCH_GRAD_CAM.module("pytorch_grad_cam.utils.model_targets")

    def run() -> None:
        with whole(model) as network, quietly():
            explainer = getattr(library, kind)(network, [network.net.get_submodule(model.layer().name)])
            explainer.batch_size = chunk
            explainer(x.detach().requires_grad_(), [targets.ClassifierOutputTarget(TARGET)] * len(x))
            explainer.activations_and_grads.release()
        model.synchronise()

    return run


def xplique(model: Any, x: Any, chunk: int, kind: str, **options: Any) -> Job:
    from heatmark.models.networks.whole_on_tensorflow import restored_call, whole

    attributions = XPLIQUE.module("xplique.attributions")
    explainer = getattr(attributions, kind)(whole(model), batch_size=chunk, **options)
    targets = np.eye(model.num_classes, dtype=np.float32)[[TARGET] * len(x)]
    layer = model.layer().name

    def run() -> None:
        if kind != "GradCAM":
            explainer.explain(x, targets)
            return
        with restored_call(model, layer) as watched:
            explainer.conv_layer = watched
            explainer.explain(x, targets)

    return run


def tf_keras_vis(model: Any, x: Any, chunk: int, module: str, kind: str, **options: Any) -> Job:
    from heatmark.models.networks.whole_on_tensorflow import ending_in_logits, whole

    explainer_kind = getattr(TF_KERAS_VIS.module(f"tf_keras_vis.{module}"), kind)
    score = TF_KERAS_VIS.module("tf_keras_vis.utils.scores").CategoricalScore([TARGET] * len(x))
    if kind == "Scorecam":
        options["batch_size"] = chunk

    def run() -> None:
        with ending_in_logits(model) as network, quietly():
            if kind == "Saliency":
                explainer_kind(whole(model))(score, x, **options)
            else:
                options.update(penultimate_layer=model.layer().name, seek_penultimate_conv_layer=False)
                explainer_kind(network)(score, model.prepared(x), **options)

    return run


#: Per work: heatmark's selection, the photographs, and each library's job by framework.
WORKS: dict[str, tuple[str, int, dict[str, tuple[str, Callable[[Any, Any, int], Job]]]]] = {
    "integrated_gradients": (
        "integrated_gradients[steps=50]",
        4,
        {
            "Captum": ("torch", lambda m, x, c: captum(m, x, c, "integrated_gradients")),
            "Xplique": ("tensorflow", lambda m, x, c: xplique(m, x, c, "IntegratedGradients", steps=50)),
        },
    ),
    "smoothgrad": (
        "smoothgrad[samples=25]",
        4,
        {
            "Captum": ("torch", lambda m, x, c: captum(m, x, c, "smoothgrad")),
            "Xplique": ("tensorflow", lambda m, x, c: xplique(m, x, c, "SmoothGrad", nb_samples=25, noise=0.15)),
            "tf-keras-vis": (
                "tensorflow",
                lambda m, x, c: tf_keras_vis(m, x, c, "saliency", "Saliency", smooth_samples=25, smooth_noise=0.15),
            ),
        },
    ),
    "occlusion": (
        "occlusion[window=32,stride=32,score=logit]",
        4,
        {
            "Captum": ("torch", lambda m, x, c: captum(m, x, c, "occlusion")),
            "Xplique": (
                "tensorflow",
                lambda m, x, c: xplique(m, x, c, "Occlusion", patch_size=32, patch_stride=32),
            ),
        },
    ),
    "rise": (
        "rise[masks=200]",
        4,
        {"Xplique": ("tensorflow", lambda m, x, c: xplique(m, x, c, "Rise", nb_samples=200))},
    ),
    "grad_cam": (
        "grad_cam",
        4,
        {
            "pytorch-grad-cam": ("torch", lambda m, x, c: pytorch_grad_cam(m, x, c, "GradCAM")),
            "Xplique": ("tensorflow", lambda m, x, c: xplique(m, x, c, "GradCAM", conv_layer=0)),
            "tf-keras-vis": ("tensorflow", lambda m, x, c: tf_keras_vis(m, x, c, "gradcam", "Gradcam")),
        },
    ),
    # One photograph: the libraries hold an input for each of the layer's 1280 channels and each photograph at once.
    "score_cam": (
        "score_cam",
        1,
        {
            "pytorch-grad-cam": ("torch", lambda m, x, c: pytorch_grad_cam(m, x, c, "ScoreCAM")),
            "tf-keras-vis": ("tensorflow", lambda m, x, c: tf_keras_vis(m, x, c, "scorecam", "Scorecam")),
        },
    ),
}
INSTALLED = {library.name: library.missing is None for library in (CAPTUM, PYTORCH_GRAD_CAM, TF_KERAS_VIS, XPLIQUE)}


@pytest.mark.parametrize("work", WORKS)
def test_same_work(benchmark, model, photographs, work):
    """heatmark and every library that does this work in the model's framework, taking turns."""
    selection, count, libraries = WORKS[work]
    if work not in METHODS.names():
        pytest.skip(f"heatmark has no {work}")
    x = photographs(model, count)
    made = {
        name: {chunk: make(model, x, chunk) for chunk in CHUNKS}
        for name, (framework, make) in libraries.items()
        if framework == model.framework and INSTALLED[name]
    }
    if not made:
        pytest.skip(f"no installed {model.framework} library does it")
    jobs: dict[str, Job] = {"heatmark": lambda: hm.explain(model, x, selection, TARGET)}
    chunks = {}
    for name, choices in made.items():
        trial = interleaved({str(chunk): job for chunk, job in choices.items()}, 1)
        chunks[name] = min(CHUNKS, key=lambda chunk, trial=trial: trial[str(chunk)][0])
        jobs[name] = choices[chunks[name]]
    for _ in range(2):
        jobs["heatmark"]()  # lets the engine settle on its chunk, as the trial settled theirs
    medians = {name: statistics.median(times) for name, times in interleaved(jobs, ROUNDS).items()}
    benchmark.extra_info.update(
        photographs=count,
        seconds={name: round(seconds, 3) for name, seconds in medians.items()},
        ratio={name: round(medians[name] / medians["heatmark"], 2) for name in made},
        chunk=chunks,
        load=round(os.getloadavg()[0], 1),
    )
    print(f"\n{benchmark.name}: {benchmark.extra_info}")
    benchmark.pedantic(jobs["heatmark"], rounds=1)
