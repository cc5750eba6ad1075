"""Captum's methods as entries, run by Captum itself on the user's network."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.inputs.baselines import BASELINES, baseline_of
from ...models.queries import BATCH
from ...parameters import Doc
from ...registry import Reference
from ..libraries import CAPTUM, seeded_numpy
from ..perturbation.occlusion import window_and_stride, window_starts
from ..request import Request
from .wrapping import register_peer

_ONE = "1 forward and 1 backward pass"

_captum = partial(register_peer, CAPTUM, pooling="sum")

Baseline = Annotated[str | float | np.ndarray, Doc("where nothing is", source="Captum: zero", choices=BASELINES)]


def _attributed(
    request: Request, make: Callable[[Any, Any], Any], rows: slice = slice(None), **arguments: Any
) -> Tensor:
    """Return what ``make(captum.attr, network).attribute(x, target=..., **arguments)`` returns, for some rows."""
    from ...models.networks.whole_on_torch import whole

    with whole(request.model) as network, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks, and that inputs begin to require gradients
        explainer = make(CAPTUM.module("captum.attr"), network)
        return explainer.attribute(request.x[rows], target=request.target[rows], **arguments).detach()


def _one_by_one(request: Request, make: Callable[[Any, Any], Any], baseline: Tensor | None, **arguments: Any) -> Tensor:
    """Like `_attributed`, for methods that draw random numbers: each sample alone, and the same ones for all."""
    import torch

    parts = []
    for row in range(request.count):
        rows = slice(row, row + 1)
        if baseline is not None:
            arguments["baselines"] = baseline if len(baseline) == 1 else baseline[rows]
        with torch.random.fork_rng([request.x.device] if request.x.is_cuda else []), seeded_numpy(request.seed):
            torch.manual_seed(request.seed)
            parts.append(_attributed(request, make, rows, **arguments))
    return request.operations.concat(parts)


def _baseline(request: Request, baseline: str | float | np.ndarray) -> Tensor:
    """Return one baseline for all samples or one for each; Captum takes no other number of them."""
    return baseline_of(request.model, request.x, baseline, request.bank).expand(-1, *request.model.input_shape)


def _only_modules(request: Request, what: str) -> None:
    """Refuse networks whose ReLUs Captum would pass over in silence."""
    from ...models.networks.whole_on_torch import rectifiers_out_of_sight

    hidden = rectifiers_out_of_sight(request.model)
    if hidden:
        raise NotApplicable(
            f"{what} changes torch.nn.ReLU modules alone, and {request.model.name} has {hidden} other ReLUs (ReLU6, "
            "or functions), which it would pass over"
        )


@_captum(
    "saliency", signed=False, pooling="max_abs", cost=_ONE, reference=Reference("Simonyan, Vedaldi, Zisserman", 2013)
)
def saliency(request: Request) -> Tensor:
    """Captum's Saliency: the absolute gradient of the logit, the largest over channels."""
    return _attributed(request, lambda attr, network: attr.Saliency(network))


@_captum("input_x_gradient", signed=True, cost=_ONE, reference=Reference("Shrikumar et al.", 2016))
def input_x_gradient(request: Request) -> Tensor:
    """Captum's InputXGradient: the input times its gradient."""
    return _attributed(request, lambda attr, network: attr.InputXGradient(network))


@_captum(
    "integrated_gradients",
    signed=True,
    cost="`steps` forward and backward passes",
    reference=Reference("Sundararajan, Taly, Yan", 2017),
)
def integrated_gradients(
    request: Request,
    *,
    steps: Annotated[int, Doc("gradients along the path", source="Captum", low=1)] = 50,
    baseline: Baseline = "black",
    rule: Annotated[
        str,
        Doc(
            "quadrature",
            source="Captum",
            choices=("gausslegendre", "riemann_middle", "riemann_left", "riemann_right", "riemann_trapezoid"),
        ),
    ] = "gausslegendre",
) -> Tensor:
    """Captum's IntegratedGradients: the straight path from the baseline, by its quadrature."""
    return _attributed(
        request,
        lambda attr, network: attr.IntegratedGradients(network),
        baselines=_baseline(request, baseline),
        n_steps=steps,
        method=rule,
        internal_batch_size=max(BATCH, request.count),
    ).float()


@_captum(
    "guided_backprop",
    signed=True,
    needs=("gradients", "relu"),
    cost=_ONE,
    reference=Reference("Springenberg et al.", 2014),
)
def guided_backprop(request: Request) -> Tensor:
    """Captum's GuidedBackprop: negative gradients stopped at every ReLU module."""
    _only_modules(request, "Captum's guided backpropagation")
    return _attributed(request, lambda attr, network: attr.GuidedBackprop(network))


@_captum(
    "deconvolution", signed=True, needs=("gradients", "relu"), cost=_ONE, reference=Reference("Zeiler, Fergus", 2013)
)
def deconvolution(request: Request) -> Tensor:
    """Captum's Deconvolution: the gradient itself rectified at every ReLU module."""
    _only_modules(request, "Captum's deconvolution")
    return _attributed(request, lambda attr, network: attr.Deconvolution(network))


@_captum(
    "deep_lift",
    signed=True,
    cost="1 forward and 1 backward pass of the input beside its baseline",
    reference=Reference("Shrikumar, Greenside, Kundaje", 2017),
)
def deep_lift(request: Request, *, baseline: Baseline = "black") -> Tensor:
    """Captum's DeepLift: the Rescale rule at activation modules, against the baseline."""
    _only_modules(request, "Captum's DeepLIFT")
    return _attributed(
        request, lambda attr, network: attr.DeepLift(network), baselines=_baseline(request, baseline).contiguous()
    )


@_captum(
    "gradient_shap",
    signed=True,
    cost="`samples` forward and backward passes",
    reference=Reference("Lundberg, Lee", 2017),
)
def gradient_shap(
    request: Request,
    *,
    samples: Annotated[int, Doc("random points on the path", source="heatmark; Captum: 5", low=1)] = 25,
    noise: Annotated[float, Doc("standard deviation added to the input", source="Captum: 0", low=0)] = 0.0,
    baseline: Baseline = "black",
) -> Tensor:
    """Captum's GradientShap: the mean gradient at random points between baseline and noisy input."""
    return _one_by_one(
        request,
        lambda attr, network: attr.GradientShap(network),
        _baseline(request, baseline),
        n_samples=samples,
        stdevs=noise,
    )


@_captum(
    "noise_tunnel",
    signed=True,
    cost="`samples` forward and backward passes",
    reference=Reference("Smilkov et al.", 2017),
)
def noise_tunnel(
    request: Request,
    *,
    samples: Annotated[int, Doc("noisy copies", source="PAIR: 25; Captum: 5", low=1)] = 25,
    noise: Annotated[float, Doc("standard deviation", source="Smilkov et al. 2017: 10 to 20 %", low=0)] = 0.15,
) -> Tensor:
    """Captum's NoiseTunnel round its gradient: SmoothGrad."""
    return _one_by_one(
        request,
        lambda attr, network: attr.NoiseTunnel(attr.Saliency(network)),
        None,
        nt_type="smoothgrad",
        nt_samples=samples,
        nt_samples_batch_size=min(BATCH, samples),
        stdevs=noise,
        abs=False,
    )


@_captum(
    "occlusion",
    signed=True,
    needs=(),
    cost="1 forward pass, and 1 for each window",
    reference=Reference("Zeiler, Fergus", 2013),
)
def occlusion(
    request: Request,
    *,
    window: Annotated[int | None, Doc("side of the square; by default a fourteenth of the shorter side", low=1)] = None,
    stride: Annotated[int | None, Doc("distance between windows; by default half a window", low=1)] = None,
    baseline: Baseline = "black",
) -> Tensor:
    """Captum's Occlusion: the mean drop of the logit over the windows that cover a position."""
    import torch

    window, stride = window_and_stride(request.model.spatial_shape, window, stride)
    channels = () if request.model.channel_axis is None else (request.model.channels,)
    axes = len(request.model.spatial_shape)
    windows = math.prod(len(window_starts(size, window, stride)) for size in request.model.spatial_shape)
    with torch.no_grad():
        summed = _attributed(
            request,
            lambda attr, network: attr.Occlusion(network),
            sliding_window_shapes=(*channels, *(window,) * axes),
            strides=(*channels, *(stride,) * axes),
            baselines=_baseline(request, baseline),
            perturbations_per_eval=max(1, min(windows, BATCH // request.count)),
        )
    # The same number stands in every channel, as one window covers all of them.
    return summed if request.model.channel_axis is None else summed.mean(1)
