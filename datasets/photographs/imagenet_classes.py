"""The 1000 classes of ImageNet-1k (ILSVRC-2012), in the order that networks trained on it use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class ImageNetClass:
    """One class: its WordNet id (``n01440764``) and a readable name (``tench``)."""

    synset: str
    name: str


@cache
def imagenet_classes() -> tuple[ImageNetClass, ...]:
    """Return the 1000 classes; the position is the class id. Two pairs share a name (``crane``, ``maillot``)."""
    lines = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    return tuple(ImageNetClass(*line.split(" ", 1)) for line in lines)


def imagenet_names() -> tuple[str, ...]:
    """Return the readable names, one per class id."""
    return tuple(item.name for item in imagenet_classes())


@cache
def class_of_synset() -> dict[str, int]:
    """Return the class id of every synset."""
    return {item.synset: number for number, item in enumerate(imagenet_classes())}
