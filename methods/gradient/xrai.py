"""XRAI: integrated gradients gathered over segments of many sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .integrated_gradients import integrated_gradients

_SCALES = (50, 100, 150, 250, 500, 1200)
_SMOOTHING = 0.8
_SMALLEST = 150
_DILATION = 5
_SIDE = 224
"""Felzenszwalb's scales, smoothing and smallest segment, and the disk that widens segments, at 224 pixels a side."""


@register_method(
    "xrai",
    title="XRAI",
    family="gradient",
    signed=True,
    pooling="none",
    needs=["gradients"],
    cost="2 x `steps` forward and backward passes",
    reference=Reference("Kapishnikov et al.", 2019, "XRAI: Better Attributions Through Regions", "1906.02825"),
)
def xrai(
    request: Request,
    *,
    steps: Annotated[
        int, Doc("gradients along each path", says="{} gradients along each path", source="PAIR saliency: 100", low=1)
    ] = 100,
    smallest: Annotated[
        int,
        Doc(
            "new pixels that a segment must bring, at 224 px",
            says="a segment must bring {} new pixels (at 224 pixels)",
            source="PAIR saliency: 50",
            low=1,
        ),
    ] = 50,
) -> Tensor:
    """Each pixel's value is the mean attribution of the segment that first claims it, best segments first.

    The attribution is Integrated Gradients from black and from white, the channel of each pixel that is largest;
    segments come from Felzenszwalb's method at six scales, and each is widened by a disk.

    Formula
    -------
    segments of the picture by their mean Integrated Gradients from black and from white, best first

    Weaknesses
    ----------
    Segments come from the picture, so the map follows its regions whatever the network does.
    """
    if len(request.model.spatial_shape) != 2:
        raise NotApplicable("xrai divides pictures into segments; a series has none.")
    attribution = request.model.channels_first(integrated_gradients(request, steps=steps, baseline="black+white"))
    strongest = request.model.to_numpy(request.operations.max(attribution, axis=1))
    pictures = np.moveaxis(request.channels_first_array(), 1, -1)
    share = pictures[0].shape[0] * pictures[0].shape[1] / _SIDE**2
    least = max(1, round(smallest * share))
    maps = [
        _region_map(values, _segments(picture, share), least)
        for values, picture in zip(strongest, pictures, strict=True)
    ]
    return request.model.from_numpy(np.stack(maps))


def _segments(picture: np.ndarray, share: float) -> np.ndarray:
    """Return the widened segments of all scales as boolean (segments, height, width), each once."""
    from skimage.segmentation import felzenszwalb

    found: set[bytes] = set()
    radius = max(1, round(_DILATION * share**0.5))
    for scale in _SCALES:
        labels = felzenszwalb(
            2 * picture - 1, scale=scale, sigma=_SMOOTHING, min_size=max(2, round(_SMALLEST * share)), channel_axis=-1
        )
        found.update(np.packbits(segment).tobytes() for segment in _widened(labels, radius))
    positions = picture.shape[0] * picture.shape[1]
    packed = np.frombuffer(b"".join(sorted(found)), np.uint8).reshape(len(found), -1)
    return np.unpackbits(packed, axis=1, count=positions).astype(bool).reshape(-1, *picture.shape[:2])


def _widened(labels: np.ndarray, radius: int) -> Iterator[np.ndarray]:
    """Yield each segment of int labels (height, width), widened by a disk, as boolean (height, width)."""
    from scipy.ndimage import distance_transform_edt, find_objects

    for number, box in enumerate(find_objects(labels + 1)):
        if box is None:
            continue
        # Nothing beyond the disk's reach changes, so only the segment's surroundings are looked at.
        around = tuple(slice(max(along.start - radius, 0), along.stop + radius) for along in box)
        segment = np.zeros(labels.shape, bool)
        segment[around] = distance_transform_edt(labels[around] != number) <= radius
        yield segment


def _region_map(values: np.ndarray, segments: np.ndarray, least: int) -> np.ndarray:
    """Return the map that grows from the segments with the highest mean over pixels not yet claimed."""
    flat = values.ravel().astype(np.float64)
    left = segments.reshape(len(segments), -1).copy()
    result = np.zeros_like(flat)
    free = np.ones(flat.size, bool)
    sums, sizes = left @ flat, left.sum(axis=1)
    while True:
        gains = np.where(sizes >= least, sums / np.maximum(sizes, 1), -np.inf)
        best = int(gains.argmax())
        if not np.isfinite(gains[best]):
            break
        claimed = left[best].copy()
        result[claimed] = gains[best]
        free &= ~claimed
        # Only what was claimed changes the other segments' sums.
        sums -= left[:, claimed] @ flat[claimed]
        sizes -= left[:, claimed].sum(axis=1)
        left[:, claimed] = False
    if free.any():
        result[free] = flat[free].mean()
    return result.reshape(values.shape).astype(np.float32)
