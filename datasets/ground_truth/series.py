"""``series``: a motif that defines the class, somewhere in noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base import Dataset
from ..registry import register_dataset
from .drawing import Random
from .generated import LICENSE, Generator, Samples, Seed, Split, WhichSplit, generated

LENGTH = 128
SHORTEST, LONGEST = 24, 32
MIDDLE, NOISE = 0.5, 0.05

#: The motifs over t in [0, 1), between -1 and 1.
MOTIFS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "waves": lambda t: np.sin(6 * np.pi * t),
    "blocks": lambda t: np.where(np.sin(4 * np.pi * t) >= 0, 1.0, -1.0),
    "ramp": lambda t: 2 * t - 1,
    "arch": lambda t: np.sin(np.pi * t),
    "valley": lambda t: -np.sin(np.pi * t),
    "chirp": lambda t: np.sin(2 * np.pi * (t + 3 * t * t)),
}


@register_dataset(
    "series",
    title="Series",
    family="ground truth",
    kind="series",
    summary="one of six motifs somewhere in noise, 128 values; masks: the motif's place",
    license=LICENSE,
)
def load_series(*, split: WhichSplit = "test", samples: Samples = None, seed: Seed = 0) -> Dataset:
    """Return generated series, 128 x 1 (600 test, 3,000 train unless ``samples`` says otherwise).

    Noise around 0.5 (part of it smooth) with one motif of 24 to 32 values added to it: waves, blocks, a ramp, an arch,
    a valley or a chirp, of varying height. The mask has the values that the motif is added to.
    """
    return generated(GENERATOR, split, seed, samples)


def draw_series(random: Random, label: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Draw one series, float32 (128, 1), and its mask (128,)."""
    rough = random.uniform(-1, 1, LENGTH + 4)
    smooth = np.convolve(rough, np.ones(5) / 5, mode="valid")
    values = MIDDLE + NOISE * (2 * smooth + random.uniform(-1, 1, LENGTH))
    length = int(random.randint(SHORTEST, LONGEST + 1))
    start = int(random.randint(0, LENGTH - length + 1))
    height = random.uniform(0.15, 0.3)
    values[start : start + length] += height * list(MOTIFS.values())[label](np.arange(length) / length)
    mask = np.zeros(LENGTH, dtype=bool)
    mask[start : start + length] = True
    # Rounded, so that the last bits of a sine cannot differ between processors.
    return values.clip(0, 1).round(6).astype(np.float32)[:, np.newaxis], mask


GENERATOR = Generator(
    title="series",
    version=1,
    class_names=tuple(MOTIFS),
    draw=draw_series,
    counts={"test": 600, "train": 3000},
    neutral=MIDDLE,
)
