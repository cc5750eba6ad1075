"""Xplique's methods as entries, run by that library on the user's Keras model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.queries import BATCH
from ...parameters import Doc
from ...registry import Reference
from ..cam.cams import LayerName
from ..libraries import XPLIQUE, replaced
from ..perturbation.occlusion import window_and_stride
from ..request import Request
from .wrapping import register_peer

_ONE = "1 forward and 1 backward pass"
_xplique = partial(register_peer, XPLIQUE)

Value = Annotated[float, Doc("the number that stands for nothing", source="Xplique: 0")]


@contextmanager
def _explainer(request: Request, kind: str, **arguments: Any) -> Iterator[Any]:
    """Yield one of the library's explainers for the network, which it reads as one Keras model."""
    from ...models.networks.whole_on_tensorflow import counted

    library = XPLIQUE.module("xplique.attributions")
    with counted(request.model) as network:
        explainer = getattr(library, kind)(network, batch_size=BATCH, **arguments)
        # The library keeps models in a table of its class, by the address of their inputs, for good: a later model at
        # the same address would get the earlier one's answers.
        explainer._cache_models.clear()
        explainer.model = network
        yield explainer


def _explained(request: Request, explainer: Any, channels: bool = False) -> Tensor:
    """Return the maps (n, *spatial), or the shape of the inputs where the library was asked to keep channels."""
    import tensorflow as tf

    targets = tf.one_hot(request.target, request.model.num_classes)
    maps = tf.cast(explainer.explain(request.x, targets), tf.float32)
    return maps if channels else tf.reshape(maps, (request.count, *request.model.spatial_shape))


def _pictures_only(request: Request, what: str) -> None:
    if len(request.model.spatial_shape) != 2:
        raise NotApplicable(f"Xplique's {what} takes pictures alone")


@_xplique(
    "saliency", signed=False, pooling="max_abs", cost=_ONE, reference=Reference("Simonyan, Vedaldi, Zisserman", 2013)
)
def saliency(request: Request) -> Tensor:
    """Xplique's Saliency: the absolute gradient of the logit, the largest over channels."""
    with _explainer(request, "Saliency", reducer=None) as explainer:
        return _explained(request, explainer, channels=True)


@_xplique(
    "integrated_gradients",
    signed=True,
    pooling="sum",
    cost="`steps` forward and backward passes",
    reference=Reference("Sundararajan, Taly, Yan", 2017, "Axiomatic Attribution for Deep Networks", "1703.01365"),
)
def integrated_gradients(
    request: Request,
    *,
    steps: Annotated[int, Doc("gradients along the path, both ends among them", source="Xplique", low=2)] = 50,
    baseline: Value = 0.0,
) -> Tensor:
    """Xplique's IntegratedGradients: the trapezoid rule on the straight path from one number everywhere."""
    with _explainer(request, "IntegratedGradients", reducer=None, steps=steps, baseline_value=baseline) as explainer:
        return _explained(request, explainer, channels=True)


@_xplique(
    "smoothgrad",
    signed=True,
    pooling="sum",
    cost="`samples` forward and backward passes",
    reference=Reference("Smilkov et al.", 2017, "SmoothGrad: removing noise by adding noise", "1706.03825"),
)
def smoothgrad(
    request: Request,
    *,
    samples: Annotated[int, Doc("noisy copies", source="PAIR: 25; Xplique: 50", low=1)] = 25,
    noise: Annotated[float, Doc("standard deviation", source="Smilkov et al. 2017: 10 to 20 %", low=0)] = 0.15,
) -> Tensor:
    """Xplique's SmoothGrad: the mean gradient over noisy copies, with heatmark's noise, which a seed repeats."""
    import tensorflow as tf

    drawn = request.bank.normal("smoothgrad", (request.model.channels, *request.model.spatial_shape))
    seen = 0

    def noisy(x: Any, copies: int, deviation: float) -> Any:
        """The library's own way to copy samples, but for where the noise comes from."""
        nonlocal seen
        numbers = (seen + np.arange(copies)) % samples
        seen += copies
        pictures = request.model.from_numpy(request.model.native_array(drawn[numbers]))
        axes = (1,) * (len(x.shape) - 1)
        return tf.repeat(x, copies, axis=0) + deviation * tf.tile(pictures, (x.shape[0], *axes))

    statistic = XPLIQUE.module("xplique.attributions.gradient_statistics.gradient_statistic").GradientStatistic
    with (
        _explainer(request, "SmoothGrad", reducer=None, nb_samples=samples, noise=noise) as explainer,
        replaced(statistic, "_perturb_samples", staticmethod(noisy)),
    ):
        return _explained(request, explainer, channels=True)


@_xplique(
    "grad_cam",
    signed=False,
    needs=("gradients", "layers"),
    cost=_ONE,
    reference=Reference("Selvaraju et al.", 2016, "Grad-CAM", "1610.02391"),
)
def grad_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """Xplique's GradCAM, whose enlargement is bicubic: what overshoots below zero is cut off."""
    return _cam(request, "GradCAM", layer)


@_xplique(
    "grad_cam_plus_plus",
    signed=False,
    needs=("gradients", "layers"),
    cost=_ONE,
    reference=Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063"),
)
def grad_cam_plus_plus(request: Request, *, layer: LayerName = None) -> Tensor:
    """Xplique's GradCAMPP, whose enlargement is bicubic: what overshoots below zero is cut off."""
    return _cam(request, "GradCAMPP", layer)


def _cam(request: Request, kind: str, layer: str | None) -> Tensor:
    from ...models.networks.whole_on_tensorflow import restored_call

    _pictures_only(request, kind)
    name = request.layer(layer).name
    with (
        restored_call(request.model, name) as watched,
        _explainer(request, kind, conv_layer=0) as explainer,
    ):
        explainer.conv_layer = watched
        return request.operations.maximum(_explained(request, explainer), 0.0)


@_xplique(
    "occlusion",
    signed=True,
    needs=(),
    cost="1 forward pass, and 1 for each window",
    reference=Reference("Zeiler, Fergus", 2013, "Visualizing and Understanding Convolutional Networks", "1311.2901"),
)
def occlusion(
    request: Request,
    *,
    window: Annotated[int | None, Doc("side of the square; by default a fourteenth of the shorter side", low=1)] = None,
    stride: Annotated[int | None, Doc("distance between windows; by default half a window", low=1)] = None,
    baseline: Value = 0.0,
) -> Tensor:
    """Xplique's Occlusion: the summed drop of the logit over the windows that cover a position."""
    _pictures_only(request, "Occlusion")
    window, stride = window_and_stride(request.model.spatial_shape, window, stride)
    with _explainer(
        request, "Occlusion", patch_size=window, patch_stride=stride, occlusion_value=baseline
    ) as explainer:
        return _explained(request, explainer)


@_xplique(
    "rise",
    signed=False,
    needs=(),
    cost="`masks` forward passes",
    reference=Reference("Petsiuk, Das, Saenko", 2018, "RISE: Randomized Input Sampling", "1806.07421"),
)
def rise(
    request: Request,
    *,
    masks: Annotated[int, Doc("random masks", source="Xplique and Petsiuk et al. 2018: 4000", low=1)] = 4000,
    cells: Annotated[int, Doc("cells of the coarse grid along each axis", source="Petsiuk et al. 2018", low=1)] = 7,
    probability: Annotated[
        float, Doc("share of the cells that are kept", source="Petsiuk et al. 2018", low=0.0, high=1.0)
    ] = 0.5,
) -> Tensor:
    """Xplique's Rise on the target's probability, with masks that a seed repeats."""
    import tensorflow as tf

    _pictures_only(request, "Rise")
    grids = request.bank.rows("xplique rise", lambda generator: generator.random(cells * cells))[np.arange(masks)]
    library = XPLIQUE.module("xplique.attributions").Rise
    masked, batches, calls = library._apply_masks.python_function, math.ceil(masks / BATCH), itertools.count()

    def drawn(*ignored: Any) -> Any:
        return tf.constant(grids.reshape(masks, cells, cells, 1) < probability)

    def cropped(value: Any, size: Any) -> Any:
        """Shift all masks of a batch alike, as the library does."""
        return tf.image.stateless_random_crop(value, size, seed=(request.seed, next(calls) % batches))

    # The library draws from TensorFlow's global generator inside traced graphs, where no seed repeats it; hence its own
    # masking runs untraced, with other draws.
    with (
        _explainer(
            request,
            "Rise",
            nb_samples=masks,
            grid_size=cells,
            preservation_probability=probability,
            operator=_probability,
        ) as explainer,
        replaced(library, "_get_masks", staticmethod(drawn)),
        replaced(library, "_apply_masks", staticmethod(masked)),
        replaced(tf.image, "random_crop", cropped),
    ):
        return _explained(request, explainer)


def _probability(model: Any, inputs: Any, targets: Any) -> Any:
    """Return the probability of each row's target; ``targets`` are one-hot."""
    import tensorflow as tf

    return tf.reduce_sum(tf.nn.softmax(model(inputs)) * targets, axis=-1)
