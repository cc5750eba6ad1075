"""``mosaic``: four photographs of different classes in one picture, for the grid pointing game."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

import numpy as np

from ...errors import BadInput
from ...identity import digest
from ...parameters import Doc
from ...registry import Reference
from ..base import Dataset
from ..framing import resized
from ..registry import load_dataset, register_dataset, spelt
from ..samples import Sample, Skipped, UnreadableSample
from .generated import Seed, generator_of

SOURCE, SAMPLES, TILE = "imagenet-samples", 100, 112
# Raised whenever the same seed gives other mosaics than before.
VERSION = 1


@register_dataset(
    "mosaic",
    title="Mosaic",
    family="ground truth",
    summary="2 x 2 photographs of four classes, one of which is the label; masks: that photograph's quadrant",
    reference=Reference("Böhle, Fritz and Schiele", 2021, "Convolutional dynamic alignment networks", "2104.00032"),
    license="That of the photographs: see the dataset that they are taken from.",
)
def load_mosaic(
    *,
    source: Annotated[str, Doc("the labelled pictures to take, such as image-folder:PATH")] = SOURCE,
    samples: Annotated[int, Doc("how many mosaics", low=1)] = SAMPLES,
    tile: Annotated[int, Doc("side of each picture in the mosaic, in pixels", source="half of 224", low=8)] = TILE,
    seed: Seed = 0,
) -> Dataset:
    """Return mosaics of 2 x 2 pictures, (2 tile) x (2 tile) x 3, with the classes of ``source``.

    Four different classes, a picture of each, their places, and which of the four is the label are drawn from the
    seed and the mosaic's position. The mask is the quadrant of the label's picture. Pictures are cropped to a square
    in the middle, unless ``source`` has them framed already, and resized (bicubic, antialiased).

    A heatmap can only find the target's quadrant where the network sees the class in it. Published scores therefore
    use pictures that the network in question classifies with confidence; these mosaics depend on no network, so
    compare methods on the same network, or choose ``source`` accordingly. The class to explain is the label, so runs
    take a suite with ``target = "label"``.

    Raises
    ------
    BadInput
        If ``source`` has no pictures or fewer than four classes with any.
    UnknownName
        If there is no such dataset.
    """
    return Mosaic(load_dataset(source), samples=samples, tile=tile, seed=seed)


class Mosaic(Dataset):
    """Pictures of another dataset in a 2 x 2 grid; see `load_mosaic`.

    Parameters
    ----------
    source
        Labelled pictures.
    samples, tile, seed
        See `load_mosaic`.
    """

    framing = "cropped"

    def __init__(self, source: Dataset, *, samples: int = SAMPLES, tile: int = TILE, seed: int = 0) -> None:
        self.source, self.tile, self.seed, self._count = source, tile, seed, samples
        self.name = spelt("mosaic", source=source.name, samples=samples, tile=tile, seed=seed)
        self.title = "mosaic" if source.name == SOURCE else f"mosaic of {source.title}"
        self.license = source.license
        self.class_names = source.class_names
        self.folder = source.folder
        self.neutral = source.neutral
        if len(self._members) < 4:
            raise BadInput(
                f"A mosaic takes pictures of four classes, but {source.name} has labelled pictures of "
                f"{len(self._members)}. Give another dataset: mosaic[source=NAME]."
            )

    @cached_property
    def revision(self) -> str:  # type: ignore[override]  # worked out late: the source's may read files
        """The digest of what the mosaics are drawn from, and of the source."""
        return digest({**self._recipe(), "samples": self._count})

    def revision_of(self, indices: Sequence[int]) -> str:
        """Return the digest for the mosaics at ``indices``, whatever the number of mosaics."""
        return digest({**self._recipe(), "indices": list(indices)})

    def __len__(self) -> int:
        return self._count

    def label(self, index: int) -> int:
        """Return the class of the target's picture, without reading it."""
        return self._drawn(index)[2]

    def sample(self, index: int) -> Sample:
        """Put one mosaic together.

        Raises
        ------
        UnreadableSample
            If one of its pictures cannot be read.
        """
        members, target, label = self._drawn(index)
        tiles = [self._tile(member) for member in members]
        array = np.concatenate([np.concatenate(tiles[row : row + 2], axis=1) for row in (0, 2)])
        mask = np.zeros(array.shape[:2], dtype=bool)
        top, left = (self.tile * place for place in divmod(target, 2))
        mask[top : top + self.tile, left : left + self.tile] = True
        return Sample(f"mosaic-{self.seed}-{index:05d}", array, label, mask)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The source's record, then the mosaics that lack a picture."""
        return (*self.source.skipped, *super().skipped)

    @cached_property
    def _members(self) -> list[tuple[int, list[int]]]:
        """Every class that has pictures, with their positions in the source."""
        members: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self.source)):
            try:
                members[self.source.label(index)].append(index)
            except UnreadableSample as error:
                self.source.note_skipped(error.path, error.reason)
        return sorted((label, found) for label, found in members.items() if label >= 0)

    def _drawn(self, index: int) -> tuple[list[int], int, int]:
        """Return the positions of the four pictures, row by row, which of them is the target's, and its class."""
        random = generator_of(self.seed, "mosaic", index)
        classes = [self._members[chosen] for chosen in random.permutation(len(self._members))[:4]]
        members = [found[random.randint(len(found))] for _, found in classes]
        target = int(random.randint(4))
        return members, target, classes[target][0]

    def _tile(self, index: int) -> np.ndarray:
        """Return one picture, uint8 (tile, tile, 3)."""
        sample = self.source.sample(index)
        if sample.array.ndim != 3 or sample.array.shape[-1] not in (1, 3):
            raise BadInput(
                f"A mosaic takes grey or RGB pictures, but sample {sample.id!r} of {self.source.name} is not one."
            )
        pixels = sample.array.astype(np.float32) / (255 if sample.array.dtype == np.uint8 else 1)
        crop = 1.0 if self.source.framing == "whole" else None
        square = resized(pixels, (self.tile, self.tile), crop, "bicubic").clip(0, 1)
        return np.repeat((square * 255).round().astype(np.uint8), 3 if square.shape[-1] == 1 else 1, axis=-1)

    def _recipe(self) -> dict[str, object]:
        return {"mosaic": VERSION, "tile": self.tile, "seed": self.seed, "source": self.source.revision}
