"""Measuring rows inside one process: the only code that times a method, whoever asks for it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from ...datasets.registry import load_dataset
from ...errors import BadInput, HeatmarkError, NotApplicable
from ...methods.explain import explain_batch
from ...methods.registry import method_from
from ...metrics.planner import evaluate_batch
from ...metrics.registry import metric_from
from ...models.arrays.operations import Tensor
from ...models.arrays.tensor_float_32 import set_tensor_float_32
from ...models.base import Model
from ...models.engine import Pairs
from ...models.queries import PassCount, Precision, Query
from ...models.zoo.loading import find_model
from ..setting.input_shapes import settle_input_shape
from ..setting.peak_memory import MemoryGrowth
from ..work.messages import NamedModel
from ..work.named_models import is_own, loaded_model
from .bare_network import bare_loop, fastest_bare, repeated_rows, size_of
from .machine import Watch
from .resized_networks import changed_network
from .rounds import measured_rounds, timed
from .rows import CURVES, ENGINE, FORWARD, FULL, GRADIENT, Measurement, RuntimeCase, RuntimeSettings, Surveyed

SAMPLES = 16
"""So many of the dataset's pictures are used; a larger batch repeats them."""

MOST_WARM_UPS = 10
"""The engine may take so many calls to find its chunk."""

MOST_ROWS = 512
"""One call of a row whose batch is a chunk sends at most about so many images through the network, or four chunks."""

CURVE_METRICS = ("deletion", "insertion")
OWN_DATA = "imagenet-samples"


def survey(case: RuntimeCase) -> Surveyed:
    """Find the bare network's fastest chunks and the engine's own, for the rows of one network at one place.

    Raises
    ------
    HeatmarkError
        If the network cannot be loaded at that place.
    """
    model, rows = _loaded(case)
    labels = [fastest_bare(model, rows, backward) for backward in (False, True)]
    sizes = []
    for backward, label in zip((False, True), labels, strict=True):
        query = Query(input_gradient=backward)
        count = 8 * size_of(label)
        x, target = rows(count), model.from_numpy(np.zeros(count, np.int64))
        for _ in range(MOST_WARM_UPS):
            for _ in model.engine.stream(query, x, target if backward else None, Pairs.grid(count, 1)):
                pass
            if model.engine.settled:
                break
        sizes.append(model.chunks["backward" if backward else "forward"])
    return Surveyed(labels[0], labels[1], sizes[0], sizes[1])


def measured(case: RuntimeCase, settings: RuntimeSettings, found: Surveyed, images: int) -> Measurement:
    """Measure one row.

    The network is loaded anew, so that the first call traces its graphs and finds its chunks. Then calls warm up
    until the engine has settled, and rounds follow in which the method and the bare network take turns.

    Parameters
    ----------
    case
        The row.
    settings
        How to measure it.
    found
        From `survey` of the same network at the same place.
    images
        How many images one call explains.

    Raises
    ------
    NotApplicable
        If the method has no meaning for the network.
    OutOfMemory
        If not even one input fits into memory.
    """
    model, rows = _loaded(case)
    x = rows(images)
    work = _work(model, case, x)
    with MemoryGrowth(model) as memory:
        began = perf_counter()
        work()
        model.synchronise()
        first = perf_counter() - began
        passes = _settled(model, work, settings.seconds)
    jobs: dict[str, Callable[[], None]] = {"work": _synchronised(model, work)}
    labels = {"forward": found.bare_forward}
    if passes.backward:
        labels["backward"] = found.bare_backward
    for kind, label in labels.items():
        jobs[kind] = partial(bare_loop(model, label, kind == "backward"), rows(size_of(label)))
        jobs[kind]()  # traces and warms up
    with Watch(model, settings.threads) as watch:
        rounds = measured_rounds(jobs, "work", settings.rounds, settings.seconds)

    def per_image(kind: str) -> tuple[float, ...]:
        return tuple(seconds / size_of(labels[kind]) for seconds in rounds.seconds[kind]) if kind in labels else ()

    return Measurement(
        case=case,
        images=images,
        calls=rounds.seconds["work"],
        iterations=rounds.iterations["work"],
        bare_forward=per_image("forward"),
        bare_backward=per_image("backward"),
        first_call=first,
        passes=passes,
        memory=memory.growth if settings.memory else None,
        memory_peak=memory.peak if settings.memory else None,
        memory_kind=memory.kind if settings.memory else "",
        bare_labels=tuple(labels.values()),
        chunks=model.chunks,
        attempts=rounds.attempts,
        noisy=rounds.noisy,
        conditions=watch.conditions,
    )


def passes_of(case: RuntimeCase) -> PassCount:
    """Return the passes that one image takes.

    Raises
    ------
    NotApplicable
        If the method has no meaning for the network.
    """
    model, rows = _loaded(case)
    _work(model, case, rows(1))()
    return model.passes


def images_of(batch: str, found: Surveyed, passes: PassCount) -> int:
    """Return how many images a row explains at a time, given the passes that each takes.

    For ``chunk`` as many as the engine's own chunk, of the kind that the passes are; fewer where that would send more
    than `MOST_ROWS` and four chunks through the network, as a method of many passes fills chunks with few images.
    """
    if batch.isdigit():
        return int(batch)
    chunk, rows = found.backward_chunk if passes.backward else found.forward_chunk, max(1, passes.forward)
    if batch.endswith(FULL):
        return int(batch.removesuffix(FULL)) * -(-chunk // rows)
    return max(1, min(chunk, max(MOST_ROWS, 4 * chunk) // rows))


def _loaded(case: RuntimeCase) -> tuple[Model, Callable[[int], Any]]:
    """Load the network anew; return it, and a function from a count to so many inputs."""
    model = loaded_for(case)
    return model, repeated_rows(model, sample_inputs(case.model, model))


def loaded_for(case: RuntimeCase) -> Model:
    """Load a row's network anew, and set this process to its precision."""
    framework, device = case.place.framework, case.place.device
    gc.collect()  # the last row's network: models and their engines know each other
    set_tensor_float_32(framework, case.precision == "tf32")
    precision: Precision = "bf16" if case.precision == "bf16" else "float32"
    if case.size is not None or case.classes is not None:
        return changed_network(case.model, framework, device, precision, case.size, case.classes)
    return loaded_model(NamedModel(case.model, framework, device, precision))


def sample_inputs(name: str, model: Model, count: int = SAMPLES) -> np.ndarray:
    """Return inputs in the native layout: of the dataset that a model is for, else photographs, else noise."""
    datasets = () if is_own(name) else find_model(name)[0].datasets
    try:
        dataset = load_dataset(datasets[0] if datasets else OWN_DATA)
        if not model.knows_shape:
            settle_input_shape(model, dataset.first_readable(), dataset.framing)
        return model.to_numpy(dataset.take(min(count, len(dataset)), model).x)
    except HeatmarkError:
        if not model.knows_shape:
            raise
        noise = np.random.default_rng(0).random((count, *model.input_shape), dtype=np.float32)
        return np.asarray(model.from_unit(noise))


def _work(model: Model, case: RuntimeCase, x: Tensor) -> Callable[[], Any]:
    """Return what is timed: one call that explains all images, or one of the engine's own works."""
    count = int(x.shape[0])
    target = np.zeros(count, np.int64)
    if not case.method.startswith(ENGINE):
        method = method_from(case.method)
        reason = method.why_not(model)
        if reason is not None:
            raise NotApplicable(f"{method.id} is not applicable to {model.name}: {reason.rstrip('.')}.")
        if "masks" in method.entry.needs:
            raise NotApplicable(f"{method.id} is the ground truth itself, which costs nothing to find.")
        return lambda: explain_batch(model, method, x, target)
    if case.method == CURVES:
        maps = np.random.default_rng(0).standard_normal((count, *model.spatial_shape)).astype(np.float32)
        metrics = [metric_from(name) for name in CURVE_METRICS]
        return lambda: evaluate_batch(model, x, maps, target, metrics)
    if case.method not in (FORWARD, GRADIENT):
        raise BadInput(f"Unknown work {case.method!r}: choose {FORWARD}, {GRADIENT} or {CURVES}.")
    query = Query(input_gradient=case.method == GRADIENT)
    classes = model.from_numpy(target) if query.backward else None

    def ask() -> None:
        for _ in model.engine.stream(query, x, classes, Pairs.grid(count, 1)):
            pass

    return ask


def _settled(model: Model, work: Callable[[], Any], seconds: float) -> PassCount:
    """Call until the engine has found its chunks, or a time is over; return the passes of one call."""
    spent = 0.0
    for number in range(MOST_WARM_UPS):
        before, settled = model.passes, model.engine.settled
        spent += timed(_synchronised(model, work))
        passes = model.passes - before
        # One call whose chunks were settled from its start has warmed everything up.
        if settled or (number > 0 and spent > seconds / 2):
            break
    return passes


def _synchronised(model: Model, work: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        work()
        model.synchronise()

    return run
