"""Pictures and series divided into regions: cells of a grid, and superpixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# SLIC weighs distance against colour. skimage's default, 10, suits CIELAB, whose range is 100; other pictures are
# scaled to a range of 1.
_COMPACTNESS_LAB, _COMPACTNESS = 10.0, 0.1


def grid_labels(spatial: Sequence[int], cells: Sequence[int]) -> np.ndarray:
    """Return the number of the grid's cell that each position lies in, int64 (*spatial), row by row."""
    labels = np.zeros(tuple(spatial), np.int64)
    for axis, (size, count) in enumerate(zip(spatial, cells, strict=True)):
        along = np.arange(size) * count // size
        labels = labels * count + along.reshape([-1 if number == axis else 1 for number in range(len(spatial))])
    return labels


def superpixel_labels(picture: np.ndarray, segments: int) -> np.ndarray:
    """Return the SLIC superpixel of each position of one picture, numbered from zero without gaps.

    Parameters
    ----------
    picture
        (height, width, channels), in [0, 1].
    segments
        About how many.
    """
    from skimage.segmentation import slic  # takes half a second to import

    colour = picture.shape[-1] == 3
    labels = slic(
        picture.astype(np.float64),
        n_segments=segments,
        compactness=_COMPACTNESS_LAB if colour else _COMPACTNESS,
        convert2lab=colour,
        channel_axis=-1,
        start_label=0,
    )
    places: np.ndarray = np.unique(labels, return_inverse=True)[1]
    return places.reshape(labels.shape).astype(np.int64)
