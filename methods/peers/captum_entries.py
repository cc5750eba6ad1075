"""Captum's methods as entries, run by Captum itself on the user's network."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import BASELINES, NEUTRAL, width_of
from ...models.queries import BATCH
from ...parameters import Doc
from ...registry import Reference
from ..gradient.smoothing import Noise
from ..libraries import CAPTUM, seeded_numpy
from ..perturbation.occlusion import Stride, Window, window_and_stride, window_starts
from ..registry import Pooling
from ..request import Request
from .wrapping import SIMONYAN, SMILKOV, SUNDARARAJAN, ZEILER, Peer, register_peers

Baseline = Annotated[
    str | float | np.ndarray, Doc("where nothing is", says="a baseline of {}", source="Captum: zero", choices=BASELINES)
]


@dataclass(frozen=True, kw_only=True)
class CaptumPeer(Peer):
    """One of Captum's methods."""

    pooling: Pooling = "sum"
    inside: str = ""
    """The class whose method ``kind`` wraps, or empty."""
    alone: bool = False
    """Whether each sample is explained by itself, since random numbers are drawn, the same ones for all."""
    changes_modules: str = ""
    """What to call it where it changes ReLU modules and would pass over all other rectifiers; else empty."""
    any_layout: bool = True
    repeated: bool = False
    """Whether the same number stands in every channel."""


def _map(request: Request, peer: CaptumPeer, options: dict[str, Any]) -> Tensor:
    """Return the map of one of Captum's classes, in the shape of the inputs."""
    import torch

    if peer.changes_modules:
        _only_modules(request, f"Captum's {peer.changes_modules}")
    if not peer.alone:
        return _attributed(request, peer, slice(None), options)
    parts = []
    for row in range(request.count):
        rows = slice(row, row + 1)
        mine = {
            name: value[rows] if name == "baselines" and len(value) > 1 else value for name, value in options.items()
        }
        with torch.random.fork_rng([request.x.device] if request.x.is_cuda else []), seeded_numpy(request.seed):
            torch.manual_seed(request.seed)
            parts.append(_attributed(request, peer, rows, mine))
    return request.operations.concat(parts)


def _attributed(request: Request, peer: CaptumPeer, rows: slice, options: dict[str, Any]) -> Tensor:
    import torch

    from ...models.networks.whole_on_torch import whole

    library = CAPTUM.module("captum.attr")
    with whole(request.model) as network, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks, and that inputs begin to require gradients
        explainer = getattr(library, peer.kind)(getattr(library, peer.inside)(network) if peer.inside else network)
        with torch.set_grad_enabled("gradients" in peer.needs):
            found = explainer.attribute(request.x[rows], target=request.target[rows], **options)
    found = found.detach().float()
    axis = request.model.channel_axis
    return found.mean(axis) if peer.repeated and axis is not None else found


def _only_modules(request: Request, what: str) -> None:
    """Refuse networks whose ReLUs Captum would pass over in silence."""
    from ...models.networks.whole_on_torch import rectifiers_out_of_sight

    hidden = rectifiers_out_of_sight(request.model)
    if hidden:
        raise NotApplicable(
            f"{what} changes torch.nn.ReLU modules alone, and {request.model.name} has {hidden} other ReLUs (ReLU6, "
            "or functions), which it would pass over"
        )


def _start(request: Request, *, baseline: Baseline = NEUTRAL) -> dict[str, Any]:
    """Return one baseline for all samples or one for each; Captum takes no other number of them."""
    start = request.baseline(baseline).expand(-1, *request.model.input_shape)
    return {"baselines": start.contiguous()}


def _path(
    request: Request,
    *,
    steps: Annotated[
        int, Doc("gradients along the path", says="{} gradients along the path", source="Captum", low=1)
    ] = 50,
    baseline: Baseline = NEUTRAL,
    rule: Annotated[
        str,
        Doc(
            "quadrature",
            says="by the quadrature {}",
            source="Captum",
            choices=("gausslegendre", "riemann_middle", "riemann_left", "riemann_right", "riemann_trapezoid"),
        ),
    ] = "gausslegendre",
) -> dict[str, Any]:
    limit = max(BATCH, request.count)
    return {**_start(request, baseline=baseline), "n_steps": steps, "method": rule, "internal_batch_size": limit}


def _random_points(
    request: Request,
    *,
    samples: Annotated[
        int, Doc("random points on the path", says="{} random points on the path", source="heatmark; Captum: 5", low=1)
    ] = 25,
    noise: Annotated[
        float,
        Doc("standard deviation added to the input", says="noise of {%} of the input range", source="Captum: 0", low=0),
    ] = 0.0,
    baseline: Baseline = NEUTRAL,
) -> dict[str, Any]:
    return {
        **_start(request, baseline=baseline),
        "n_samples": samples,
        "stdevs": noise * width_of(request.model, request.values),
    }


def _noisy_copies(
    request: Request,
    *,
    samples: Annotated[int, Doc("noisy copies", says="{} noisy copies", source="PAIR: 25; Captum: 5", low=1)] = 25,
    noise: Noise = 0.15,
) -> dict[str, Any]:
    together = min(BATCH, samples)
    return {
        "nt_type": "smoothgrad",
        "nt_samples": samples,
        "nt_samples_batch_size": together,
        "stdevs": noise * width_of(request.model, request.values),
        "abs": False,
    }


def _windows(
    request: Request, *, window: Window = None, stride: Stride = None, baseline: Baseline = NEUTRAL
) -> dict[str, Any]:
    spatial = request.model.spatial_shape
    window, stride = window_and_stride(spatial, window, stride)
    # One window covers all channels.
    channels, axis = request.model.channels, request.model.channel_axis
    before, behind = ((channels,) if axis == place else () for place in (1, -1))
    windows = math.prod(len(window_starts(size, window, stride)) for size in spatial)
    return {
        **_start(request, baseline=baseline),
        "sliding_window_shapes": (*before, *(window,) * len(spatial), *behind),
        "strides": (*before, *(stride,) * len(spatial), *behind),
        "perturbations_per_eval": max(1, min(windows, BATCH // request.count)),
    }


_ROWS = (
    CaptumPeer(
        name="saliency", kind="Saliency", reference=SIMONYAN, signed=False, pooling="max_abs",
        summary="Captum's Saliency: the absolute gradient of the logit, the largest over channels.",
    ),
    CaptumPeer(
        name="input_x_gradient", kind="InputXGradient", reference=Reference("Shrikumar et al.", 2016), signed=True,
        summary="Captum's InputXGradient: the input times its gradient.",
    ),
    CaptumPeer(
        name="integrated_gradients", kind="IntegratedGradients", reference=SUNDARARAJAN, signed=True, options=_path,
        cost="`steps` forward and backward passes",
        summary="Captum's IntegratedGradients: the straight path from the baseline, by its quadrature.",
    ),
    CaptumPeer(
        name="guided_backprop", kind="GuidedBackprop", reference=Reference("Springenberg et al.", 2014), signed=True,
        needs=("gradients", "relu"), changes_modules="guided backpropagation",
        summary="Captum's GuidedBackprop: negative gradients stopped at every ReLU module.",
    ),
    CaptumPeer(
        name="deconvolution", kind="Deconvolution", reference=ZEILER, signed=True,
        needs=("gradients", "relu"), changes_modules="deconvolution",
        summary="Captum's Deconvolution: the gradient itself rectified at every ReLU module.",
    ),
    CaptumPeer(
        name="deep_lift", kind="DeepLift", reference=Reference("Shrikumar, Greenside, Kundaje", 2017), signed=True,
        options=_start, changes_modules="DeepLIFT",
        cost="1 forward and 1 backward pass of the input beside its baseline",
        summary="Captum's DeepLift: the Rescale rule at activation modules, against the baseline.",
    ),
    CaptumPeer(
        name="gradient_shap", kind="GradientShap", reference=Reference("Lundberg, Lee", 2017), signed=True,
        options=_random_points, alone=True, cost="`samples` forward and backward passes",
        summary="Captum's GradientShap: the mean gradient at random points between baseline and noisy input.",
    ),
    CaptumPeer(
        name="noise_tunnel", kind="NoiseTunnel", inside="Saliency", reference=SMILKOV, signed=True,
        options=_noisy_copies, alone=True, cost="`samples` forward and backward passes",
        summary="Captum's NoiseTunnel round its gradient: SmoothGrad.",
    ),
    CaptumPeer(
        name="occlusion", kind="Occlusion", reference=ZEILER, signed=True, needs=(), options=_windows, repeated=True,
        cost="1 forward pass, and 1 for each window",
        summary="Captum's Occlusion: the mean drop of the logit over the windows that cover a position.",
    ),
)  # fmt: skip
register_peers(CAPTUM, _ROWS, _map)
