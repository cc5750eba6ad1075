"""Occlusion: how much the score drops when a window is covered."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np

from ...errors import BadInput
from ...models.arrays.operations import Tensor
from ...models.engine import Chunk
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...models.queries import ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request

Window = Annotated[
    int | None,
    Doc(
        "side of the square (or cube) in positions; by default a fourteenth of the shorter side",
        says={None: "windows of a fourteenth of the shorter side", "": "windows of {} positions"},
        low=1,
    ),
]
Stride = Annotated[
    int | None,
    Doc(
        "distance between windows; by default half a window",
        says={None: "half a window apart", "": "{} positions apart"},
        low=1,
    ),
]


def window_starts(size: int, window: int, stride: int) -> np.ndarray:
    """Return where windows begin along an axis; the last one ends at the border, so that every position is covered."""
    last = size - window
    return np.unique(np.append(np.arange(0, last + 1, stride), last))


def window_and_stride(spatial: tuple[int, ...], window: int | None, stride: int | None) -> tuple[int, int]:
    """Return the window's side (by default a 14th of the shorter side) and the distance between windows (half of it).

    Raises
    ------
    BadInput
        If the window is larger than the input, or positions would stay uncovered.
    """
    window = max(1, round(min(spatial) / 14)) if window is None else window
    stride = max(1, window // 2) if stride is None else stride
    if window > min(spatial):
        raise BadInput(f"occlusion: the window of {window} is larger than the input, {spatial}.")
    if stride > window:
        raise BadInput(f"occlusion: windows of {window} every {stride} positions leave gaps; choose stride <= window.")
    return window, stride


@register_method(
    "occlusion",
    title="Occlusion",
    family="perturbation",
    signed=True,
    pooling="none",
    cost="1 forward pass, and 1 for each window",
    reference=Reference("Zeiler, Fergus", 2013, "Visualizing and Understanding Convolutional Networks", "1311.2901"),
)
def occlusion(
    request: Request,
    *,
    window: Window = None,
    stride: Stride = None,
    baseline: Annotated[
        str | float | np.ndarray,
        Doc("what covers the window", says="a window shows {}", source="Captum: zero", choices=BASELINES),
    ] = NEUTRAL,
    score: Annotated[
        ScoreKind, Doc("what drops", says="the drop is that of {}", source="Zeiler and Fergus 2013, figure 7")
    ] = "probability",
) -> Tensor:
    """The mean drop of the score over the windows that cover a position.

    Formula
    -------
    R_p = mean over windows that cover p of f(x) - f(x with the window covered)

    Weaknesses
    ----------
    The size of the window is the size of what can be found; what hides behind two windows is missed.
    """
    spatial = request.model.spatial_shape
    window, stride = window_and_stride(spatial, window, stride)
    cover = request.baseline(baseline)
    corners = np.array(list(itertools.product(*(window_starts(size, window, stride) for size in spatial))))
    # Where each window covers along each axis: (windows, size) per axis, as zeros and ones.
    covered = [
        ((np.arange(size) >= start[:, None]) & (np.arange(size) < start[:, None] + window)).astype(np.float32)
        for size, start in zip(spatial, corners.T, strict=True)
    ]

    def occluded(x: Tensor, chunk: Chunk) -> Tensor:
        here = chunk.background(cover)
        return request.masked(1.0 - _outer([chunk.of_variants(axis) for axis in covered]), x, here)

    operations = request.operations
    whole = request.scores(lambda x, chunk: x, 1, score)
    drops = whole - request.scores(occluded, len(corners), score)
    on_device = [request.model.from_numpy(axis) for axis in covered]
    letters = "hwd"[: len(spatial)]
    axes = ",".join(f"v{letter}" for letter in letters)
    total = operations.einsum(f"vn,{axes}->n{letters}", drops, *on_device)
    return total / operations.einsum(f"{axes}->{letters}", *on_device)[None]


def _outer(axes: list[Tensor]) -> Tensor:
    """Return the outer product of per-axis masks (m, size) as (m, *sizes)."""
    product = axes[0]
    for axis in axes[1:]:
        product = product[..., None] * axis[(slice(None), *(None,) * (len(product.shape) - 1), slice(None))]
    return product
