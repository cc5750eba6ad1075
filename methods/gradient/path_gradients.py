"""Gradients along other paths than one straight line: from many baselines, and from blurred to sharp."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.engine import Chunk
from ...models.inputs.baselines import BASELINES, over_domain
from ...models.inputs.blur import gaussian_matrix
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

_along = partial(register_method, family="gradient", signed=True, needs=["gradients"])


@_along(
    "expected_gradients",
    title="Expected Gradients",
    cost="`samples` forward and backward passes",
    reference=Reference("Erion et al.", 2019, "Improving performance of deep learning models", "1906.10670"),
)
def expected_gradients(
    request: Request,
    *,
    samples: Annotated[
        int,
        Doc(
            "draws of a baseline and a point",
            says="{} draws of a baseline and a point",
            source="SHAP's GradientExplainer: 200",
            low=1,
        ),
    ] = 50,
    baseline: Annotated[
        str | np.ndarray,
        Doc(
            f"uniform noise, drawn anew, one of {', '.join(BASELINES)}, or an array of baselines",
            says="baselines of {}",
            source="heatmark",
        ),
    ] = "noise",
) -> Tensor:
    """The mean of (x - baseline) times the gradient at a random point between them (GradientSHAP).

    Formula
    -------
    R = mean over baselines b and t of (x - b) * d f / d x at b + t (x - b)

    Weaknesses
    ----------
    Random: few draws are noisy. The baselines' distribution is part of the question.
    """
    model = request.model
    shape = (-1,) + (1,) * len(model.input_shape)
    shares = request.bank.uniform("expected_gradients", (1,))
    if isinstance(baseline, np.ndarray):
        given = baseline.astype(np.float32)
        choice = request.bank.uniform("expected_gradients_choice", (1,))

        def start(chunk: Chunk) -> Tensor:
            return model.from_numpy(given[(choice[chunk.variants][:, 0] * len(given)).astype(np.int64)])
    elif baseline == "noise":
        drawn = request.bank.uniform("expected_gradients_noise", (model.channels, *model.spatial_shape))

        def start(chunk: Chunk) -> Tensor:
            return model.from_numpy(model.native_array(over_domain(drawn[chunk.variants], model, request.values)))
    else:
        fixed = request.baseline(baseline)

        def start(chunk: Chunk) -> Tensor:
            return chunk.background(fixed)

    def point(x: Tensor, chunk: Chunk) -> Tensor:
        here = start(chunk)
        return here + model.from_numpy(shares[chunk.variants].reshape(shape)) * (x - here)

    def weighted(gradient: Tensor, chunk: Chunk) -> Tensor:
        return gradient * (chunk.of_samples(request.x) - start(chunk))

    return request.mean_gradient(point, samples, weighted)


@_along(
    "blur_ig",
    title="Blur IG",
    cost="`steps` forward and backward passes",
    reference=Reference("Xu, Venugopalan, Sundararajan", 2020, "Attribution in Scale and Space", "2004.03383"),
)
def blur_ig(
    request: Request,
    *,
    steps: Annotated[
        int, Doc("gradients along the path", says="{} gradients along the path", source="PAIR saliency: 100", low=1)
    ] = 100,
    width: Annotated[
        float,
        Doc(
            "largest standard deviation as a share of the shorter side",
            says="a blur of up to {%} of the shorter side",
            source="PAIR saliency: 50 of 224",
            low=0.001,
        ),
    ] = 50 / 224,
) -> Tensor:
    """The integral of the gradient along the path from a blurred picture to the sharp one.

    Each step's gradient is taken in its middle and multiplied by the step's own change of the picture, so the sum
    telescopes to the difference of the logits at the sharp and at the most blurred picture.

    Formula
    -------
    R = integral over the path of blurs of gradient * change of the picture

    Weaknesses
    ----------
    Looks at blurred pictures, for which the network was not trained.
    """
    model, operations = request.model, request.operations
    sigmas = width * min(model.spatial_shape) * np.linspace(1, 0, 2 * steps + 1)
    # At even numbers the ends of the steps, at odd ones their middles; one matrix per axis and width.
    matrices = [np.stack([gaussian_matrix(size, sigma) for sigma in sigmas]) for size in model.spatial_shape]
    sharp, soft = "hwd"[: len(matrices)], "ijk"[: len(matrices)]
    each = ",".join(f"m{to}{of}" for to, of in zip(sharp, soft, strict=True))
    equation = f"{each},mc{soft}->mc{sharp}"

    def blurred(x: Tensor, chunk: Chunk, offset: int) -> Tensor:
        numbers = 2 * chunk.variants + offset
        weights = [model.from_numpy(matrix[numbers]) for matrix in matrices]
        return model.native(operations.einsum(equation, *weights, model.channels_first(x)))

    def weighted(gradient: Tensor, chunk: Chunk) -> Tensor:
        x = chunk.of_samples(request.x)
        return gradient * (blurred(x, chunk, 2) - blurred(x, chunk, 0))

    return steps * request.mean_gradient(lambda x, chunk: blurred(x, chunk, 1), steps, weighted)
