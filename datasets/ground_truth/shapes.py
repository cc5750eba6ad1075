"""``shapes``: one shape that defines the class, among others that define none, on a textured background."""

from __future__ import annotations

import numpy as np

from ..base import Dataset
from ..registry import register_dataset
from . import drawing
from .generated import LICENSE, Generator, Samples, Seed, Split, WhichSplit, generated

SIDE = 64
CLASSES: dict[str, drawing.Figure] = {
    "disc": drawing.disc,
    "square": drawing.square,
    "triangle": drawing.triangle,
    "star": drawing.star,
    "cross": drawing.cross,
    "ring": drawing.ring,
}
DISTRACTORS: tuple[drawing.Figure, ...] = (drawing.bar, drawing.half_disc, drawing.corner, drawing.crescent)
# In pixels; class shapes and distractors have the same sizes and colours, so that only the outline tells them apart.
SMALLEST, LARGEST = 9.0, 13.0
# The class's shape stands nearly upright, up to 20 degrees to either side; the others lie at any angle.
TILT = np.pi / 9
# The background is darker than every shape, so that a shape which a metric paints over leaves no shape behind.
BACKGROUND = (0.05, 0.4)
NOISE = 0.03


@register_dataset(
    "shapes",
    title="Shapes",
    family="ground truth",
    summary="one of six shapes among two that define no class, 64 x 64 RGB; masks: the shape's pixels",
    license=LICENSE,
)
def load_shapes(*, split: WhichSplit = "test", samples: Samples = None, seed: Seed = 0) -> Dataset:
    """Return generated pictures, 64 x 64 x 3 (600 test, 3,000 train unless ``samples`` says otherwise).

    Each shows one shape of its class (disc, square, triangle, star, cross, ring) and two of another kind (bar, half
    disc, corner, crescent) that are drawn independently of the class. Places, sizes and colours come from the same
    distributions for all three, which do not touch. The class's shape is turned by up to 20 degrees, the others by
    any angle. The mask has all pixels that the class's shape covers, also in part.
    """
    return generated(GENERATOR, split, seed, samples)


def draw_shapes(random: drawing.Random, label: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture, uint8 (64, 64, 3), and its mask (64, 64)."""
    picture = drawing.texture(random, SIDE, int(random.randint(3, 10)), *BACKGROUND)
    kinds = random.randint(0, len(DISTRACTORS), 2)
    figures = [list(CLASSES.values())[label], *(DISTRACTORS[kind] for kind in kinds)]
    radii = random.uniform(SMALLEST, LARGEST, len(figures))
    angles = [random.uniform(-TILT, TILT), *random.uniform(0, 2 * np.pi, len(kinds))]
    covered = [
        drawing.coverage(figure, SIDE, centre, radius, angle)
        for figure, centre, radius, angle in zip(figures, _centres(random, radii), radii, angles, strict=True)
    ]
    for part in covered:
        picture = drawing.painted(picture, part, bright_colour(random))
    return drawing.as_pixels(picture + random.uniform(-NOISE, NOISE, picture.shape)), covered[0] > 0


def bright_colour(random: drawing.Random) -> np.ndarray:
    """Draw a colour whose strongest channel is bright, float64 (3,)."""
    colour = random.uniform(0.3, 1.0, 3)
    colour[random.randint(3)] = random.uniform(0.8, 1.0)
    return colour


def _centres(random: drawing.Random, radii: np.ndarray) -> list[tuple[float, float]]:
    """Draw places at which discs of these radii lie in the picture and do not touch."""
    while True:
        places = [tuple(random.uniform(radius + 1, SIDE - radius - 1, 2)) for radius in radii]
        pairs = [(one, other) for one in range(len(radii)) for other in range(one)]
        if all(np.hypot(*np.subtract(places[a], places[b])) > radii[a] + radii[b] + 2 for a, b in pairs):
            return places


GENERATOR = Generator(
    title="shapes",
    version=1,
    class_names=tuple(CLASSES),
    draw=draw_shapes,
    counts={"test": 600, "train": 3000},
    neutral=round(sum(BACKGROUND) / 2, 6),
)
