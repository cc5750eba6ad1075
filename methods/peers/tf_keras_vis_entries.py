"""tf-keras-vis's methods as entries, run by that library on the user's Keras model."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.queries import BATCH, PassCount
from ...parameters import Doc
from ..libraries import TF_KERAS_VIS, seeded_numpy
from ..request import Request
from .wrapping import (
    CAM,
    CHATTOPADHYAY,
    FORWARD_CAM,
    JIANG,
    SELVARAJU,
    SIMONYAN,
    SMILKOV,
    WANG,
    Peer,
    at_layer,
    register_peers,
)


@dataclass(frozen=True, kw_only=True)
class KerasVisPeer(Peer):
    """One of tf-keras-vis's methods."""

    module: str
    """Where its class stands."""
    rows: int = BATCH
    """Samples at a time."""


@contextmanager
def _silence() -> Iterator[None]:
    """Keep back Keras's progress bars, and its warning that inputs come as a list."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _maps(request: Request, peer: KerasVisPeer, options: dict[str, Any]) -> Tensor:
    """Return the maps of one of the library's classes, not normalised, so many samples at a time."""
    kind = getattr(TF_KERAS_VIS.module(f"tf_keras_vis.{peer.module}"), peer.kind)
    parts = []
    with _silence(), (_cam if "layers" in peer.needs else _gradient)(request, kind, **options) as maps_of:
        for first in range(0, request.count, peer.rows):
            with seeded_numpy(request.seed):
                found = maps_of(slice(first, first + peer.rows))
            parts.append(request.model.from_numpy(np.asarray(found, np.float32)))
    return request.operations.concat(parts)


@contextmanager
def _gradient(request: Request, kind: Any, **options: Any) -> Iterator[Callable[[slice], Any]]:
    """Yield what the library's Saliency says of some rows: absolute gradients, the largest over channels."""
    from ...models.networks.whole_on_tensorflow import counted

    with counted(request.model) as network:
        explainer = partial(kind(network), normalize_map=False, keepdims=True, **options)
        yield lambda rows: explainer(_score(request, rows), request.x[rows])


@contextmanager
def _cam(request: Request, kind: Any, layer: str) -> Iterator[Callable[[slice], Any]]:
    """Yield what one of the library's CAM classes says of some rows."""
    from ...models.networks.whole_on_tensorflow import ending_in_logits

    model = request.model
    if len(model.spatial_shape) != 2:
        raise NotApplicable("tf-keras-vis enlarges maps of pictures alone")
    # The passes are the library's own loop, which cannot be watched from outside.
    channels = request.layer(layer).shape[-1]
    each = PassCount(1 + channels, 0) if kind.__name__ == "Scorecam" else PassCount(1, 1)
    with ending_in_logits(model) as network:
        if layer not in [one.name for one in network.layers]:
            raise NotApplicable(
                f"tf-keras-vis cannot see the layer {layer!r}, which stands inside a nested model or is an operation "
                "between layers"
            )
        explainer = partial(
            kind(network), penultimate_layer=layer, seek_penultimate_conv_layer=False, normalize_cam=False
        )

        def maps_of(rows: slice) -> Any:
            x = model.prepared(request.x[rows])
            model.add_passes(PassCount(each.forward * len(x), each.backward * len(x)))
            return explainer(_score(request, rows), x)

        yield maps_of


def _score(request: Request, rows: slice) -> Any:
    """Return the library's form of the targets of some rows."""
    scores = TF_KERAS_VIS.module("tf_keras_vis.utils.scores")
    return scores.CategoricalScore([int(one) for one in request.target[rows]])


def _smoothing(
    request: Request,
    *,
    samples: Annotated[int, Doc("noisy copies", says="{} noisy copies", source="PAIR: 25", low=1)] = 25,
    noise: Annotated[
        float,
        Doc(
            "standard deviation as a share of the sample's range",
            says="noise of {%} of the sample's range",
            source="Smilkov et al. 2017: 10 to 20 %",
            low=0,
        ),
    ] = 0.15,
) -> dict[str, Any]:
    return {"smooth_samples": samples, "smooth_noise": noise}


_gradient_peer = partial(KerasVisPeer, module="saliency", kind="Saliency", signed=False, pooling="max_abs")
_cam_peer = partial(KerasVisPeer, signed=False, needs=CAM, options=at_layer)
_ROWS = (
    _gradient_peer(
        name="saliency", reference=SIMONYAN,
        summary="tf-keras-vis's Saliency: the absolute gradient of the logit, the largest over channels.",
    ),
    _gradient_peer(  # each sample alone, so that all get the same noise
        name="smoothgrad", title="SmoothGrad", reference=SMILKOV, options=_smoothing, rows=1,
        cost="`samples` forward and backward passes",
        summary="tf-keras-vis's Saliency with smoothing: the mean absolute gradient over noisy copies.",
    ),
    _cam_peer(
        name="grad_cam", module="gradcam", kind="Gradcam", reference=SELVARAJU, summary="tf-keras-vis's Gradcam."
    ),
    _cam_peer(
        name="grad_cam_plus_plus", module="gradcam_plus_plus", kind="GradcamPlusPlus", reference=CHATTOPADHYAY,
        summary="tf-keras-vis's GradcamPlusPlus.",
    ),
    _cam_peer(
        name="layer_cam", module="layercam", kind="Layercam", reference=JIANG, summary="tf-keras-vis's Layercam."
    ),
    _cam_peer(
        name="score_cam", module="scorecam", kind="Scorecam", reference=WANG, needs=FORWARD_CAM, rows=1,
        cost="1 forward pass, and 1 for each channel of the layer",
        summary="tf-keras-vis's Scorecam; it holds one masked input for every channel of the layer at once.",
    ),
)  # fmt: skip
register_peers(TF_KERAS_VIS, _ROWS, _maps)
