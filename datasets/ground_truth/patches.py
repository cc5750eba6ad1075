"""``patches``: stripes in one patch tell the class; the colour of another patch only seems to."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...parameters import Doc
from ..base import Dataset
from ..registry import register_dataset
from . import drawing
from .generated import LICENSE, Generator, Samples, Seed, Split, WhichSplit, generated

SIDE, PATCH = 64, 16
CLASS_NAMES = ("stripes 0", "stripes 30", "stripes 60", "stripes 90", "stripes 120", "stripes 150")
# One per class, as bright as each other.
COLOURS = np.array(
    [[0.8, 0.2, 0.2], [0.2, 0.7, 0.2], [0.2, 0.3, 0.9], [0.7, 0.7, 0.1], [0.7, 0.2, 0.8], [0.1, 0.7, 0.7]]
)
BACKGROUND = (0.3, 0.6)
NOISE = 0.04
CORRELATION = 0.5


@register_dataset(
    "patches",
    title="Patches",
    family="ground truth",
    summary="stripes in one patch define the class, a coloured patch is a false clue, 64 x 64 RGB; masks: the patch",
    license=LICENSE,
)
def load_patches(
    *,
    split: WhichSplit = "test",
    samples: Samples = None,
    seed: Seed = 0,
    correlation: Annotated[
        float,
        Doc("share of training samples whose coloured patch is sure to go with the class", low=0, high=1),
    ] = CORRELATION,
) -> Dataset:
    """Return generated pictures, 64 x 64 x 3 (600 test, 3,000 train unless ``samples`` says otherwise).

    A picture is a grid of 4 x 4 patches of 16 pixels. In one patch, stripes show the class by their direction. In
    another one, a colour seems to show it: in ``correlation`` of the training samples it is the class's colour,
    in all others, and in every test sample, it is drawn independently of the class. So a network that goes by the
    colour scores low at test time, and a heatmap that points to it is wrong. The mask is the patch with the stripes.
    """

    def draw(random: drawing.Random, label: int, which: Split) -> tuple[np.ndarray, np.ndarray]:
        return draw_patches(random, label, correlation if which == "train" else 0.0)

    generator = Generator(
        title="patches",
        version=1,
        class_names=CLASS_NAMES,
        draw=draw,
        counts={"test": 600, "train": 3000},
        neutral=round(sum(BACKGROUND) / 2, 6),
        options={"correlation": correlation},
    )
    return generated(generator, split, seed, samples, correlation=correlation)


def draw_patches(random: drawing.Random, label: int, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture, uint8 (64, 64, 3), and its mask (64, 64)."""
    picture = drawing.texture(random, SIDE, int(random.randint(3, 10)), *BACKGROUND)
    true, false = (_cell(int(cell)) for cell in random.permutation((SIDE // PATCH) ** 2)[:2])
    picture[true] = stripes(random, label)
    chosen, free = random.uniform(), int(random.randint(len(COLOURS)))
    picture[false] += 0.6 * (COLOURS[label if chosen < correlation else free] - picture[false])
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[true] = True
    return drawing.as_pixels(picture + random.uniform(-NOISE, NOISE, picture.shape)), mask


def stripes(random: drawing.Random, label: int) -> np.ndarray:
    """Draw a patch of grey stripes in the class's direction, float64 (16, 16, 1)."""
    angle = np.pi * label / len(CLASS_NAMES)
    row, column = np.mgrid[:PATCH, :PATCH]
    along = column * np.cos(angle) + row * np.sin(angle)
    wave = np.cos(2 * np.pi * (along / random.uniform(4.5, 6.0) + random.uniform()))
    return np.asarray((0.45 + random.uniform(0.2, 0.35) * wave)[..., np.newaxis])


def _cell(number: int) -> tuple[slice, slice]:
    """Return the pixels of a patch."""
    row, column = divmod(number, SIDE // PATCH)
    return slice(row * PATCH, (row + 1) * PATCH), slice(column * PATCH, (column + 1) * PATCH)
