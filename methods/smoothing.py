"""Methods that average gradients over noisy copies of a sample."""

from __future__ import annotations

from typing import Annotated

from ..models.engine import Chunk
from ..models.tensors import Tensor
from ..parameters import Doc
from ..registry import Reference
from .registry import register_method
from .request import Request


@register_method(
    "smoothgrad",
    family="gradient",
    signed=True,
    needs=["gradients"],
    cost="`samples` forward and backward passes",
    reference=Reference("Smilkov et al.", 2017, "SmoothGrad: removing noise by adding noise", "1706.03825"),
)
def smoothgrad(
    request: Request,
    *,
    samples: Annotated[int, Doc("noisy copies", source="Smilkov et al. 2017, section 3.2: 50; PAIR: 25", low=1)] = 25,
    noise: Annotated[
        float,
        Doc("standard deviation as a share of the input range", source="Smilkov et al. 2017: 10 to 20 %", low=0),
    ] = 0.15,
) -> Tensor:
    """The mean gradient over copies with Gaussian noise, summed over channels."""

    def noisy(x: Tensor, chunk: Chunk) -> Tensor:
        return x + noise * request.noise("smoothgrad", chunk)

    return request.mean_gradient(noisy, samples)
