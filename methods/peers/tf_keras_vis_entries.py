"""tf-keras-vis's methods as entries, run by that library on the user's Keras model."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, Any

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.queries import BATCH, PassCount
from ...parameters import Doc
from ...registry import Reference
from ..cam.cams import LayerName
from ..libraries import TF_KERAS_VIS, seeded_numpy
from ..registry import MethodFunction, Need
from ..request import Request
from .wrapping import register_peer

_ONE = "1 forward and 1 backward pass"


@contextmanager
def _silence() -> Iterator[None]:
    """Keep back Keras's progress bars, and its warning that inputs come as a list."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _gradient_map(request: Request, rows: slice, **arguments: Any) -> Tensor:
    """Return what the library's Saliency says for some rows: absolute gradients, the largest over channels."""
    from ...models.networks.whole_on_tensorflow import counted

    scores = TF_KERAS_VIS.module("tf_keras_vis.utils.scores")
    kind = TF_KERAS_VIS.module("tf_keras_vis.saliency").Saliency
    with _silence(), counted(request.model) as network:
        score = scores.CategoricalScore([int(one) for one in request.target[rows]])
        found = kind(network)(score, request.x[rows], normalize_map=False, keepdims=True, **arguments)
    return request.model.from_numpy(np.asarray(found, np.float32))


def _cam(request: Request, module: str, kind: str, layer: str | None, rows: int, passes: PassCount) -> Tensor:
    """Return the maps of one of the library's CAM classes, not normalised.

    ``passes`` are those that each sample takes, which is the library's own loop and cannot be watched from outside.
    """
    from ...models.networks.whole_on_tensorflow import ending_in_logits, prepared

    model = request.model
    if len(model.spatial_shape) != 2:
        raise NotApplicable("tf-keras-vis enlarges maps of pictures alone")
    name = request.layer(layer).name
    explainer_kind = getattr(TF_KERAS_VIS.module(f"tf_keras_vis.{module}"), kind)
    scores = TF_KERAS_VIS.module("tf_keras_vis.utils.scores")
    parts = []
    with _silence(), ending_in_logits(model) as network:
        if "/" in name:
            raise NotApplicable(f"tf-keras-vis cannot see the layer {name!r}, which stands inside a nested model")
        explainer = explainer_kind(network)
        for first in range(0, request.count, rows):
            chunk = slice(first, first + rows)
            x = prepared(model, request.x[chunk])
            score = scores.CategoricalScore([int(one) for one in request.target[chunk]])
            maps = explainer(score, x, penultimate_layer=name, seek_penultimate_conv_layer=False, normalize_cam=False)
            model.add_passes(PassCount(passes.forward * len(x), passes.backward * len(x)))
            parts.append(model.from_numpy(np.asarray(maps, np.float32)))
    return request.operations.concat(parts)


@register_peer(
    TF_KERAS_VIS,
    "saliency",
    signed=False,
    pooling="max_abs",
    cost=_ONE,
    reference=Reference("Simonyan, Vedaldi, Zisserman", 2013),
)
def saliency(request: Request) -> Tensor:
    """tf-keras-vis's Saliency: the absolute gradient of the logit, the largest over channels."""
    rows = [slice(first, first + BATCH) for first in range(0, request.count, BATCH)]
    return request.operations.concat([_gradient_map(request, chunk) for chunk in rows])


@register_peer(
    TF_KERAS_VIS,
    "smoothgrad",
    signed=False,
    pooling="max_abs",
    cost="`samples` forward and backward passes",
    reference=Reference("Smilkov et al.", 2017, "SmoothGrad: removing noise by adding noise", "1706.03825"),
)
def smoothgrad(
    request: Request,
    *,
    samples: Annotated[int, Doc("noisy copies", source="PAIR: 25", low=1)] = 25,
    noise: Annotated[
        float,
        Doc("standard deviation as a share of the sample's range", source="Smilkov et al. 2017: 10 to 20 %", low=0),
    ] = 0.15,
) -> Tensor:
    """tf-keras-vis's Saliency with smoothing: the mean absolute gradient over noisy copies."""
    parts = []
    for row in range(request.count):  # each alone, so that all get the same noise
        with seeded_numpy(request.seed):
            one = slice(row, row + 1)
            parts.append(_gradient_map(request, one, smooth_samples=samples, smooth_noise=noise))
    return request.operations.concat(parts)


def _register(
    name: str, module: str, kind: str, reference: Reference, summary: str, needs: list[Need], cost: str
) -> MethodFunction:
    def method(request: Request, *, layer: LayerName = None) -> Tensor:
        if name != "score_cam":
            return _cam(request, module, kind, layer, BATCH, PassCount(1, 1))
        channels = request.layer(layer).shape[-1]
        return _cam(request, module, kind, layer, 1, PassCount(1 + channels, 0))

    method.__name__ = name
    method.__doc__ = summary
    decorate = register_peer(TF_KERAS_VIS, name, signed=False, cost=cost, reference=reference, needs=needs)
    return decorate(method)


grad_cam = _register(
    "grad_cam",
    "gradcam",
    "Gradcam",
    Reference("Selvaraju et al.", 2016, "Grad-CAM", "1610.02391"),
    "tf-keras-vis's Gradcam.",
    ["gradients", "layers"],
    _ONE,
)
grad_cam_plus_plus = _register(
    "grad_cam_plus_plus",
    "gradcam_plus_plus",
    "GradcamPlusPlus",
    Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063"),
    "tf-keras-vis's GradcamPlusPlus.",
    ["gradients", "layers"],
    _ONE,
)
layer_cam = _register(
    "layer_cam",
    "layercam",
    "Layercam",
    Reference("Jiang et al.", 2021, "LayerCAM"),
    "tf-keras-vis's Layercam.",
    ["gradients", "layers"],
    _ONE,
)
score_cam = _register(
    "score_cam",
    "scorecam",
    "Scorecam",
    Reference("Wang et al.", 2019, "Score-CAM", "1910.01279"),
    "tf-keras-vis's Scorecam; it holds one masked input for every channel of the layer at once.",
    ["layers"],
    "1 forward pass, and 1 for each channel of the layer",
)
