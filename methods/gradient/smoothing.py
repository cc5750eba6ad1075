"""Methods that average over noisy copies of a sample."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from ...models.arrays.operations import Tensor
from ...models.engine import Chunk, Maker
from ...parameters import Doc
from ...registry import Reference
from ..explain import pooled_map
from ..registry import register_method
from ..request import Request

_SMILKOV = Reference("Smilkov et al.", 2017, "SmoothGrad: removing noise by adding noise", "1706.03825")
_smooth = partial(register_method, family="gradient", signed=True, cost="`samples` forward and backward passes")
Samples = Annotated[
    int, Doc("noisy copies", says="{} noisy copies", source="Smilkov et al. 2017, section 3.2: 50; PAIR: 25", low=1)
]
Noise = Annotated[
    float,
    Doc(
        "standard deviation as a share of the input range",
        says="noise of {%} of the input range",
        source="Smilkov et al. 2017: 10 to 20 %",
        low=0,
    ),
]
Magnitude = Annotated[
    Literal["signed", "absolute", "squared"],
    Doc(
        "what is averaged: gradients, their absolute values, their squares",
        says={"signed": "", "absolute": "absolute values are averaged", "squared": "squares are averaged"},
        source="Smilkov et al. 2017: signed",
    ),
]


@_smooth(
    "smoothgrad",
    title="SmoothGrad",
    signed=lambda chosen: chosen["magnitude"] == "signed",
    needs=["gradients"],
    reference=_SMILKOV,
    presets={"absolute": {"magnitude": "absolute"}, "squared": {"magnitude": "squared"}},
)
def smoothgrad(
    request: Request, *, samples: Samples = 25, noise: Noise = 0.15, magnitude: Magnitude = "signed"
) -> Tensor:
    """The mean gradient over copies with Gaussian noise, summed over channels.

    Formula
    -------
    R = mean over noise z of d f / d x at x + z

    Weaknesses
    ----------
    Explains a smoothed network, not the one at x; the noise is one more choice.
    """
    transform = {"signed": None, "absolute": lambda g, _: request.operations.abs(g), "squared": lambda g, _: g * g}
    return request.mean_gradient(_noisy(request, noise), samples, transform[magnitude])


@_smooth(
    "vargrad",
    title="VarGrad",
    signed=False,
    needs=["gradients"],
    reference=Reference("Adebayo et al.", 2018, "Sanity Checks for Saliency Maps", "1810.03292"),
)
def vargrad(request: Request, *, samples: Samples = 25, noise: Noise = 0.15) -> Tensor:
    """The variance of the gradient over copies with Gaussian noise, summed over channels.

    Formula
    -------
    R = variance over noise z of d f / d x at x + z

    Weaknesses
    ----------
    Says where the gradient is unsteady, not for or against what.
    """
    mean, squares = request.mean_gradients(_noisy(request, noise), samples, (None, lambda g, _: g * g))
    return request.operations.maximum(squares - mean * mean, 0.0)


@_smooth(
    "smooth",
    title="Smoothed",
    pooling="none",
    wraps=True,
    cost="`samples` times the inner method's",
    reference=_SMILKOV,
)
def smooth(request: Request, *, samples: Samples = 10, noise: Noise = 0.15) -> Tensor:
    """The mean of another method's maps over copies with Gaussian noise: smooth[integrated_gradients].

    Formula
    -------
    R = mean over noise z of the other method's R at x + z

    Weaknesses
    ----------
    Smoother maps look better than they are; the noise is one more choice.
    """
    assert request.inner is not None
    maker, total = _noisy(request, noise), 0.0
    for number in range(samples):
        noisy = maker(request.x, request.all_as_variant(number))
        inner = Request(
            request.model,
            noisy,
            request.target_array,
            request.seed,
            ground_truth=request.ground_truth,
            values=request.values,
        )
        total = total + pooled_map(request.model, request.inner, request.inner.entry.function(
            inner, **request.inner.parameters
        ))  # fmt: skip
    return total / samples


def _noisy(request: Request, noise: float) -> Maker:
    """Return the maker of noisy copies; variant k of every sample gets the same noise."""

    def noisy(x: Tensor, chunk: Chunk) -> Tensor:
        return x + request.noise("smoothgrad", chunk, noise)

    return noisy
