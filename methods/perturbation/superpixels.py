"""Pictures and series divided into regions, and the scores that remain when some regions are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.engine import Chunk, Pairs
from ...models.inputs.baselines import BASELINES
from ...models.inputs.regions import grid_labels, superpixel_labels
from ...models.queries import ScoreFunction, ScoreKind
from ...parameters import Doc
from ..request import Request

FILLS = (*BASELINES, "segment_mean")

RegionKind = Annotated[
    Literal["superpixels", "grid"],
    Doc(
        "SLIC superpixels or the cells of a grid; a series is cut into equal windows in both cases",
        says={"superpixels": "regions are SLIC superpixels", "grid": "regions are the cells of a grid"},
        source="heatmark",
    ),
]
Segments = Annotated[
    int, Doc("about how many regions an input is divided into", says="about {} regions", source="heatmark", low=1)
]
Fill = Annotated[
    str | float | np.ndarray,
    Doc(
        "what replaces a region; segment_mean: its own mean colour",
        says="a region that is gone shows {}",
        source="Captum: zero",
        choices=FILLS,
    ),
]
Spread = Annotated[
    bool,
    Doc(
        "divide a region's value among its positions, so that a map sums to the values of its regions; "
        "else every position gets the whole value",
        says={True: "a region's value is divided among its positions", False: "every position has its region's value"},
        source="heatmark",
    ),
]


@dataclass(frozen=True)
class Regions:
    """How each sample's positions are divided."""

    labels: np.ndarray
    """int64 (n, *spatial): each position's region, numbered from zero in each sample."""
    counts: np.ndarray
    """int64 (n,): the regions of each sample."""


def regions_of(request: Request, kind: str, segments: int) -> Regions:
    """Divide each sample into about ``segments`` regions.

    They are worked out from the samples as NumPy arrays, channels last, so both frameworks get the same. Where there
    are no more positions than ``segments``, each position is a region.

    Raises
    ------
    NotApplicable
        For inputs with more than two spatial axes.
    """
    spatial = request.model.spatial_shape
    if len(spatial) > 2:
        raise NotApplicable(f"Regions are made of pictures and series, and {spatial} is neither.")
    positions = int(np.prod(spatial))
    if positions <= segments:
        labels = np.broadcast_to(np.arange(positions).reshape(spatial), (request.count, *spatial))
    elif len(spatial) == 1:
        labels = np.broadcast_to(grid_labels(spatial, (segments,)), (request.count, *spatial))
    elif kind == "grid":
        rows = min(max(1, round((segments * spatial[0] / spatial[1]) ** 0.5)), spatial[0])
        columns = min(max(1, round(segments / rows)), spatial[1])
        labels = np.broadcast_to(grid_labels(spatial, (rows, columns)), (request.count, *spatial))
    else:
        pictures = np.moveaxis(request.model.to_unit(request.channels_first_array()), 1, -1)
        labels = np.stack([superpixel_labels(picture, segments) for picture in pictures])
    return Regions(labels, labels.reshape(request.count, -1).max(axis=1) + 1)


def fill_of(request: Request, regions: Regions, baseline: str | float | np.ndarray) -> Tensor:
    """Return what replaces regions, in a shape that broadcasts against the samples; see `baseline_of`.

    Raises
    ------
    NotApplicable
        If regions are replaced by their own mean and all regions of a sample are single positions.
    """
    if not isinstance(baseline, str) or baseline != "segment_mean":
        return request.baseline(baseline)
    positions = int(np.prod(request.model.spatial_shape))
    if (regions.counts == positions).any():
        raise NotApplicable(
            f"Every region of an input of {positions} positions is a single one, which its own mean colour does not "
            "hide. Choose fewer segments, or another baseline (black)."
        )
    filled = request.channels_first_array()
    for sample, labels in zip(filled, regions.labels.reshape(request.count, -1), strict=True):
        sizes = np.bincount(labels)
        for channel in sample:
            means = np.bincount(labels, channel.ravel()) / sizes
            channel[...] = means[labels].reshape(channel.shape)
    return request.model.from_numpy(np.ascontiguousarray(request.model.native_array(filled)))


def coalition_scores(
    request: Request,
    regions: Regions,
    baseline: str | float | np.ndarray,
    coalitions: Sequence[np.ndarray],
    score: ScoreKind | ScoreFunction,
) -> list[np.ndarray]:
    """Return each sample's scores when only some of its regions are shown.

    Parameters
    ----------
    request
        The samples.
    regions
        How they are divided.
    baseline
        What stands in the other regions: a name of `FILLS`, a number or an array.
    coalitions
        For each sample, boolean (its coalitions, its regions): the regions that are shown.
    score
        What is read off the network.

    Returns
    -------
    list of ndarray
        For each sample, float64 (its coalitions,).
    """
    model, operations = request.model, request.operations
    fill = fill_of(request, regions, baseline)
    labels = model.from_numpy(regions.labels.reshape(request.count, -1))
    sizes = [len(shown) for shown in coalitions]
    pairs = Pairs(np.repeat(np.arange(request.count), sizes), np.concatenate([np.arange(size) for size in sizes]))
    widest = int(regions.counts.max())

    def shown_only(x: Tensor, chunk: Chunk) -> Tensor:
        shown = np.zeros((len(chunk.samples), widest), np.float32)
        for sample in np.unique(chunk.samples):
            rows = np.flatnonzero(chunk.samples == sample)
            shown[rows, : regions.counts[sample]] = coalitions[sample][chunk.variants[rows]]
        masks = operations.take_along_rows(model.from_numpy(shown), chunk.of_samples(labels))
        masks = operations.reshape(masks, (len(chunk.samples), *model.spatial_shape))
        return request.masked(masks, x, chunk.background(fill))

    flat = model.to_numpy(model.engine.scores(request.x, request.target, pairs, shown_only, score))
    return np.split(flat.astype(np.float64), np.cumsum(sizes)[:-1])


def painted(request: Request, regions: Regions, values: Sequence[np.ndarray], *, spread: bool) -> Tensor:
    """Return (n, *spatial) maps of each sample's values per region; ``spread`` divides them among the positions."""
    maps = []
    for labels, worth in zip(regions.labels, values, strict=True):
        sizes = np.bincount(labels.ravel()) if spread else 1
        maps.append((worth / sizes)[labels])
    return request.model.from_numpy(np.stack(maps).astype(np.float32))
