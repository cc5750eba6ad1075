"""Methods that need one gradient of each sample."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import numpy as np

from ...models.arrays.operations import Tensor
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

_ONE = "1 forward and 1 backward pass"
_SIMONYAN = Reference("Simonyan, Vedaldi, Zisserman", 2013, "Deep Inside Convolutional Networks", "1312.6034")
_gradient = partial(register_method, family="gradient", signed=True, needs=["gradients"], cost=_ONE)


@_gradient(
    "gradient",
    title="Gradient",
    reference=Reference("Baehrens et al.", 2009, "How to Explain Individual Classification Decisions", "0912.1128"),
)
def gradient(request: Request) -> Tensor:
    """The gradient of the target's logit with respect to the input, summed over channels.

    Formula
    -------
    R = sum over channels of d f / d x

    Weaknesses
    ----------
    Noisy: the derivative at one point says what an infinitely small change does. Saturated units have none.
    """
    return request.gradient()


@_gradient("saliency", title="Saliency", signed=False, pooling="max_abs", reference=_SIMONYAN)
def saliency(request: Request) -> Tensor:
    """The largest absolute gradient over the channels at each position.

    Formula
    -------
    R = max over channels of |d f / d x|

    Weaknesses
    ----------
    Noisy, without a sign, and drawn to edges.
    """
    return request.gradient()


@_gradient(
    "input_x_gradient",
    title="Input \N{MULTIPLICATION SIGN} Gradient",
    reference=Reference("Shrikumar et al.", 2016, "Not Just a Black Box", "1605.01713"),
)
def input_x_gradient(request: Request) -> Tensor:
    """The input times its gradient, summed over channels; the input counts from black.

    Formula
    -------
    R = sum over channels of x * d f / d x

    Weaknesses
    ----------
    Black counts as nothing, whatever black means in the data; edges of the picture shine through.
    """
    return request.x * request.gradient()


@_gradient(
    "guided_backprop",
    title="Guided Backprop",
    signed=lambda chosen: chosen["channels"] == "sum",
    needs=["gradients", "relu"],
    reference=Reference("Springenberg et al.", 2014, "Striving for Simplicity", "1412.6806"),
)
def guided_backprop(
    request: Request,
    *,
    channels: Annotated[
        Literal["sum", "largest"],
        Doc(
            "their sum, or the largest absolute value among them, as saliency has it",
            says={"sum": "summed over channels", "largest": "the largest absolute value among the channels"},
            source="heatmark",
            later=True,
        ),
    ] = "sum",
) -> Tensor:
    """The gradient with negative values stopped at every ReLU on the way back, summed over channels.

    Formula
    -------
    the gradient, with negative values stopped at every ReLU

    Weaknesses
    ----------
    Sharp, and nearly independent of the class and of the upper layers: it passes for an explanation without being one
    (see mprt).
    """
    gradient = request.gradient(rule="guided")
    return gradient if channels == "sum" else _largest(request, gradient)


@_gradient(
    "deconvnet",
    title="DeconvNet",
    needs=["gradients", "relu"],
    reference=Reference("Zeiler, Fergus", 2013, "Visualizing and Understanding Convolutional Networks", "1311.2901"),
)
def deconvnet(request: Request) -> Tensor:
    """The gradient with every ReLU replaced, on the way back, by a ReLU of the gradient; summed over channels.

    Formula
    -------
    the gradient, with relu(gradient) in the place of every ReLU's derivative

    Weaknesses
    ----------
    Nearly independent of the class and of the upper layers: it rebuilds the picture.
    """
    return request.gradient(rule="deconvnet")


@_gradient("capped_saliency", title="Capped Saliency", signed=False, pooling="none", reference=_SIMONYAN)
def capped_saliency(
    request: Request,
    *,
    percentile: Annotated[
        float,
        Doc(
            "where values are cut off",
            says="cut off at the percentile {}",
            source="Smilkov et al. 2017, section 3: 99",
            low=0,
            high=100,
        ),
    ] = 99.0,
) -> Tensor:
    """Saliency, with each map's largest values cut off at a percentile, so that a few do not hide the rest.

    Formula
    -------
    R = min(max over channels of |d f / d x|, its percentile)

    Weaknesses
    ----------
    As saliency; the cap only helps the eye.
    """
    model = request.model
    values = model.to_numpy(_largest(request, request.gradient()))
    axes = tuple(range(1, values.ndim))
    caps = np.percentile(values, percentile, axis=axes, keepdims=True)
    return model.from_numpy(np.minimum(values, caps.astype(np.float32)))


def _largest(request: Request, gradient: Tensor) -> Tensor:
    """Return the largest absolute value over the channels, (n, *spatial)."""
    strength, axis = request.operations.abs(gradient), request.model.channel_axis
    return strength if axis is None else request.operations.max(strength, axis=axis)
