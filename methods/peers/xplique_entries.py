"""Xplique's methods as entries, run by that library on the user's Keras model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import width_of
from ...models.queries import BATCH
from ...models.reading.outputs import Link
from ...parameters import Doc
from ...registry import Reference
from ..gradient.smoothing import Noise
from ..libraries import XPLIQUE, replaced
from ..perturbation.occlusion import Stride, Window, window_and_stride
from ..perturbation.rise import Cells
from ..request import Request
from .wrapping import (
    CAM,
    CHATTOPADHYAY,
    SELVARAJU,
    SIMONYAN,
    SMILKOV,
    SUNDARARAJAN,
    ZEILER,
    Peer,
    at_layer,
    no_options,
    register_peers,
)

Value = Annotated[float, Doc("the number that stands for nothing", says="a baseline of {}", source="Xplique: 0")]


@dataclass(frozen=True, kw_only=True)
class XpliquePeer(Peer):
    """One of Xplique's methods."""

    changed: Callable[[Request, dict[str, Any]], AbstractContextManager[None]] = lambda request, options: nullcontext()
    """While active, the library draws its random numbers as a seed repeats them; gets the request and the options."""


def _maps(request: Request, peer: XpliquePeer, options: dict[str, Any]) -> Tensor:
    """Return the maps (n, *spatial) of one of the library's classes, or the shape of the inputs before pooling."""
    import tensorflow as tf

    model = request.model
    resolved = peer.pooling != "none"
    if resolved:
        options = {"reducer": None, **options}
    elif len(model.spatial_shape) != 2:
        raise NotApplicable(f"Xplique's {peer.kind} takes pictures alone")
    with ExitStack() as stack:
        layer = options.pop("layer", None)
        if layer is not None:
            from ...models.networks.whole_on_tensorflow import restored_call

            watched, options["conv_layer"] = stack.enter_context(restored_call(model, layer)), 0
        explainer = stack.enter_context(_explainer(request, peer.kind, **options))
        if layer is not None:
            explainer.conv_layer = watched
        stack.enter_context(peer.changed(request, options))
        targets = tf.one_hot(request.target, model.num_classes)
        maps = tf.cast(explainer.explain(request.x, targets), tf.float32)
    if resolved:
        return maps
    maps = tf.reshape(maps, (request.count, *model.spatial_shape))
    return maps if layer is None else request.operations.maximum(maps, 0.0)


@contextmanager
def _explainer(request: Request, kind: str, **options: Any) -> Iterator[Any]:
    """Yield one of the library's explainers for the network, which it reads as one Keras model."""
    from ...models.networks.whole_on_tensorflow import counted

    library = XPLIQUE.module("xplique.attributions")
    with counted(request.model) as network:
        explainer = getattr(library, kind)(network, batch_size=BATCH, **options)
        # The library keeps models in a table of its class, by the address of their inputs, for good: a later model at
        # the same address would get the earlier one's answers.
        explainer._cache_models.clear()
        explainer.model = network
        yield explainer


def _path(
    request: Request,
    *,
    steps: Annotated[
        int,
        Doc(
            "gradients along the path, both ends among them",
            says="{} gradients along the path",
            source="Xplique",
            low=2,
        ),
    ] = 50,
    baseline: Value = 0.0,
) -> dict[str, Any]:
    return {"steps": steps, "baseline_value": baseline}


def _noise(
    request: Request,
    *,
    samples: Annotated[int, Doc("noisy copies", says="{} noisy copies", source="PAIR: 25; Xplique: 50", low=1)] = 25,
    noise: Noise = 0.15,
) -> dict[str, Any]:
    return {"nb_samples": samples, "noise": noise * width_of(request.model, request.values)}


def _windows(
    request: Request, *, window: Window = None, stride: Stride = None, baseline: Value = 0.0
) -> dict[str, Any]:
    window, stride = window_and_stride(request.model.spatial_shape, window, stride)
    return {"patch_size": window, "patch_stride": stride, "occlusion_value": baseline}


def _masks(
    request: Request,
    *,
    masks: Annotated[
        int, Doc("random masks", says="{} random masks", source="Xplique and Petsiuk et al. 2018: 4000", low=1)
    ] = 4000,
    cells: Cells = 7,
    probability: Annotated[
        float,
        Doc(
            "share of the cells that are kept",
            says="a cell is kept with a probability of {}",
            source="Petsiuk et al. 2018",
            low=0.0,
            high=1.0,
        ),
    ] = 0.5,
) -> dict[str, Any]:
    return {
        "nb_samples": masks,
        "grid_size": cells,
        "preservation_probability": probability,
        "operator": partial(_probability, request.model.link),
    }


def _probability(link: Link, model: Any, inputs: Any, targets: Any) -> Any:
    """Return the probability of each row's target; ``targets`` are one-hot."""
    import tensorflow as tf

    shares = tf.nn.softmax if link == "softmax" else tf.nn.sigmoid
    return tf.reduce_sum(shares(model(inputs)) * targets, axis=-1)


def _same_noise(request: Request, options: dict[str, Any]) -> AbstractContextManager[None]:
    import tensorflow as tf

    drawn = request.bank.normal("smoothgrad", (request.model.channels, *request.model.spatial_shape))
    seen = 0

    def noisy(x: Any, copies: int, deviation: float) -> Any:
        """The library's own way to copy samples, but for where the noise comes from."""
        nonlocal seen
        numbers = (seen + np.arange(copies)) % options["nb_samples"]
        seen += copies
        pictures = request.model.from_numpy(request.model.native_array(drawn[numbers]))
        axes = (1,) * (len(x.shape) - 1)
        return tf.repeat(x, copies, axis=0) + deviation * tf.tile(pictures, (x.shape[0], *axes))

    statistic = XPLIQUE.module("xplique.attributions.gradient_statistics.gradient_statistic").GradientStatistic
    return replaced(statistic, "_perturb_samples", staticmethod(noisy))


@contextmanager
def _same_masks(request: Request, options: dict[str, Any]) -> Iterator[None]:
    import tensorflow as tf

    masks, cells = options["nb_samples"], options["grid_size"]
    grids = request.bank.rows("xplique rise", lambda generator: generator.random(cells * cells))[np.arange(masks)]
    library = XPLIQUE.module("xplique.attributions").Rise
    masked, batches, calls = library._apply_masks.python_function, math.ceil(masks / BATCH), itertools.count()

    def drawn(*ignored: Any) -> Any:
        return tf.constant(grids.reshape(masks, cells, cells, 1) < options["preservation_probability"])

    def cropped(value: Any, size: Any) -> Any:
        """Shift all masks of a batch alike, as the library does."""
        return tf.image.stateless_random_crop(value, size, seed=(request.seed, next(calls) % batches))

    # The library draws from TensorFlow's global generator inside traced graphs, where no seed repeats it; hence its own
    # masking runs untraced, with other draws.
    with (
        replaced(library, "_get_masks", staticmethod(drawn)),
        replaced(library, "_apply_masks", staticmethod(masked)),
        replaced(tf.image, "random_crop", cropped),
    ):
        yield


_cam = partial(XpliquePeer, signed=False, needs=CAM, options=at_layer)
_ROWS = (
    XpliquePeer(
        name="saliency", kind="Saliency", reference=SIMONYAN, signed=False, pooling="max_abs", options=no_options,
        summary="Xplique's Saliency: the absolute gradient of the logit, the largest over channels.",
    ),
    XpliquePeer(
        name="integrated_gradients", kind="IntegratedGradients", reference=SUNDARARAJAN, signed=True, pooling="sum",
        options=_path, cost="`steps` forward and backward passes",
        summary="Xplique's IntegratedGradients: the trapezoid rule on the straight path from one number everywhere.",
    ),
    XpliquePeer(
        name="smoothgrad", kind="SmoothGrad", reference=SMILKOV, signed=True, pooling="sum",
        options=_noise, changed=_same_noise, cost="`samples` forward and backward passes",
        summary="Xplique's SmoothGrad: the mean gradient over noisy copies, with heatmark's noise, which a seed "
        "repeats.",
    ),
    _cam(
        name="grad_cam", kind="GradCAM", reference=SELVARAJU,
        summary="Xplique's GradCAM, whose enlargement is bicubic: what overshoots below zero is cut off.",
    ),
    _cam(
        name="grad_cam_plus_plus", kind="GradCAMPP", reference=CHATTOPADHYAY,
        summary="Xplique's GradCAMPP, whose enlargement is bicubic: what overshoots below zero is cut off.",
    ),
    XpliquePeer(
        name="occlusion", kind="Occlusion", reference=ZEILER, signed=True, needs=(), options=_windows,
        cost="1 forward pass, and 1 for each window",
        summary="Xplique's Occlusion: the summed drop of the logit over the windows that cover a position.",
    ),
    XpliquePeer(
        name="rise", kind="Rise", signed=False, needs=(), options=_masks, changed=_same_masks,
        reference=Reference("Petsiuk, Das, Saenko", 2018, "RISE: Randomized Input Sampling", "1806.07421"),
        cost="`masks` forward passes",
        summary="Xplique's Rise on the target's probability, with masks that a seed repeats.",
    ),
)  # fmt: skip
register_peers(XPLIQUE, _ROWS, _maps)
