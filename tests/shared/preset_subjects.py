"""A network with its normalisation, pictures, classes and maps, on which presets are written out a second time."""

from __future__ import annotations

from collections.abc import Iterator

import networks
import numpy as np
from networks import native, pictures

import heatmark as hm
from heatmark.models.architecture.nodes import initial_weights
from heatmark.models.base import Model
from heatmark.models.normalization import Normalization
from heatmark.models.wrap import wrap

SIDE = 56
SIZE = SIDE * SIDE
MEAN, DEVIATION = 0.4, 0.5


def biased_model(framework: str, shape: tuple[int, ...]) -> Model:
    """A small network with biases, so that the blank's logits are not zero, and with a zero that is not black."""
    architecture, random = networks.plain(shape), np.random.default_rng(5)
    weights = {
        name: 2 * value if "weight" in name else random.uniform(0.1, 0.4, value.shape).astype(np.float32)
        for name, value in initial_weights(architecture, 5).items()
    }
    native_shape = (3, *shape[:2]) if framework == "torch" else shape
    network = networks.built(architecture, framework, weights)
    return wrap(network, Normalization((MEAN,) * 3, (DEVIATION,) * 3), native_shape)


class Subject:
    """A network with its normalisation, two pictures, their classes, and signed maps without ties."""

    def __init__(self, framework: str, grain: int = 1) -> None:
        """``grain`` is the side of the plain squares that the pictures are made of."""
        shape = (SIDE, SIDE, 3)
        self.model = biased_model(framework, shape)
        small = pictures(6, (SIDE // grain, SIDE // grain, 3), seed=3)
        raw = np.kron(small, np.ones((1, grain, grain, 1), np.float32))
        logits = self.model.outputs(native(self.model, raw))
        # Those that are furthest above the blank, so that nothing is undefined.
        blank = self.logits(np.zeros((1, *shape)))[0]
        chosen = np.argsort(-(logits - blank).max(axis=1))[:2]
        self.raw, self.target = raw[chosen], (logits - blank)[chosen].argmax(axis=1)
        assert (logits[chosen, self.target] > np.maximum(blank[self.target], 0)).all()
        self.images = (self.raw.astype(np.float64) - MEAN) / DEVIATION
        noise = np.random.default_rng(1).standard_normal((2, SIDE, SIDE))
        gradient = hm.explain(self.model, native(self.model, self.raw), "gradient", self.target)
        evidence = gradient * self.images.sum(axis=-1)
        # The first map names what speaks for the class first, the second what speaks against it.
        self.maps = (np.array([1, -1])[:, None, None] * evidence / evidence.std() + 0.5 * noise).astype(np.float32)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The logits of pictures as the network itself gets them, float64 (n, classes)."""
        raw = (np.asarray(images) * DEVIATION + MEAN).astype(np.float32)
        # Presets with noise leave [0, 1], which pictures that a user gives may not.
        return self.model.outputs_of(self.model.as_tensor(native(self.model, raw))).astype(np.float64)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        logits = self.logits(images)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def score(self, metric: str, maps: np.ndarray | None = None) -> np.ndarray:
        shown = self.maps if maps is None else maps
        return hm.score(self.model, native(self.model, self.raw), shown, metric, self.target)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        return zip(self.images, self.maps, self.target.tolist(), strict=True)


def ordered(heatmap: np.ndarray) -> np.ndarray:
    return np.argsort(-heatmap.ravel(), kind="stable")


def mixed(start: np.ndarray, finish: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return ``start`` with the pixels at ``places`` taken from ``finish``."""
    changed = start.reshape(SIZE, 3).copy()
    changed[places] = finish.reshape(SIZE, 3)[places]
    return changed.reshape(start.shape)
