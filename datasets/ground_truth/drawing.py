"""What generated pictures are drawn with: textured backgrounds, and figures with smooth edges at any angle."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

Random = np.random.RandomState

#: Whether points (u, v), in units of a figure's radius, lie inside it; all figures lie in the unit disc.
Figure = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Points per pixel and axis that tell how much of a pixel a figure covers.
_POINTS = 3


def texture(random: Random, side: int, cells: int, low: float, high: float) -> np.ndarray:
    """Return a soft texture of colours: a coarse grid of random colours, interpolated.

    Parameters
    ----------
    random
        What the colours are drawn from.
    side
        Of the picture, in pixels.
    cells
        Of the grid along a side.
    low, high
        The range of the colours.

    Returns
    -------
    array
        float64 (side, side, 3) within [low, high].
    """
    grid = random.uniform(low, high, (cells + 1, cells + 1, 3))
    weights = _interpolation(side, cells)
    return np.asarray(np.einsum("yi,xj,ijc->yxc", weights, weights, grid, optimize=True))


def coverage(figure: Figure, side: int, centre: tuple[float, float], radius: float, angle: float) -> np.ndarray:
    """Return which share of each pixel a figure covers.

    Parameters
    ----------
    figure
        The figure.
    side
        Of the picture, in pixels.
    centre
        (row, column), in pixels.
    radius
        Of the disc that it lies in, in pixels.
    angle
        By which it is turned, in radians.

    Returns
    -------
    array
        float64 (side, side) in [0, 1].
    """
    covered = np.zeros((side, side))
    rows, columns = (slice(max(0, int(c - radius) - 1), min(side, int(c + radius) + 2)) for c in centre)
    offsets = (np.arange(_POINTS) + 0.5) / _POINTS
    down, across = (
        (np.arange(part.start, part.stop)[:, None] + offsets - c).ravel() / radius
        for part, c in ((rows, centre[0]), (columns, centre[1]))
    )
    y, x = np.meshgrid(down, across, indexing="ij")
    cosine, sine = np.cos(angle), np.sin(angle)
    inside = figure(cosine * x + sine * y, cosine * y - sine * x)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    covered[rows, columns] = inside.reshape(height, _POINTS, width, _POINTS).mean(axis=(1, 3))
    return covered


def painted(picture: np.ndarray, covered: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return the picture (height, width, 3) with a colour laid over it where it is covered."""
    return np.asarray(picture + covered[..., np.newaxis] * (colour - picture))


def as_pixels(picture: np.ndarray) -> np.ndarray:
    """Return a picture of floats in [0, 1] as uint8."""
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)


def disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A full disc."""
    return np.asarray(u * u + v * v < 1)


def ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A disc with a hole."""
    squared = u * u + v * v
    return np.asarray((squared < 1) & (squared > 0.55**2))


def square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A square."""
    return np.asarray(np.maximum(np.abs(u), np.abs(v)) < np.sqrt(0.5))


def triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A triangle with equal sides."""
    return np.asarray(np.maximum(-v, np.abs(u) * np.sqrt(0.75) + v / 2) < 0.5)


def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Two bars across each other."""
    long, short = np.maximum(np.abs(u), np.abs(v)), np.minimum(np.abs(u), np.abs(v))
    return np.asarray((long < 0.94) & (short < 0.32))


def star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A star with five points."""
    sector = np.pi / 5
    angle = np.abs((np.arctan2(u, v) + sector) % (2 * sector) - sector)  # from the nearest point of the star
    distance = np.hypot(u, v)
    along, aside = distance * np.cos(angle), distance * np.sin(angle)
    notch = 0.42 * np.cos(sector), 0.42 * np.sin(sector)
    return np.asarray((1 - along) * notch[1] > aside * (1 - notch[0]))


def bar(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A straight bar."""
    return np.asarray((np.abs(u) < 0.96) & (np.abs(v) < 0.28))


def half_disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Half a disc."""
    return disc(u, v) & (v > 0)


def corner(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Two bars that meet at their ends."""
    inside = np.maximum(np.abs(u), np.abs(v)) < 0.7
    return np.asarray(inside & ((u < -0.22) | (v < -0.22)))


def crescent(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A disc that another disc bites into."""
    return np.asarray(disc(u, v) & ((u - 0.55) ** 2 + v * v > 0.8**2))


@cache
def _interpolation(side: int, cells: int) -> np.ndarray:
    """Return the weights (side, cells + 1) with which a pixel's colour is that of the grid's lines beside it."""
    place = (np.arange(side) + 0.5) / side * cells
    return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(cells + 1)), 0, None))
