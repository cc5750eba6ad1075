"""A small world whose truth is known, for tests of audits: pictures with a bright square, a linear network, and metrics
that are good, inverted, constant, random, broken or meaningless on purpose, with a method that kills its process."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import networks
import numpy as np

from heatmark.datasets.base import Dataset, Sample
from heatmark.datasets.registry import register_dataset
from heatmark.errors import NotApplicable
from heatmark.methods.registry import register_method
from heatmark.metrics.registry import Measure, register_metric
from heatmark.metrics.scoring import Scoring
from heatmark.models.architecture.nodes import INPUT, Architecture, Dense, Flatten
from heatmark.models.zoo.loading import LoadedNetwork, register_model

SIDE, SAMPLES = 8, 16


class Squares(Dataset):
    """A bright square on the left or on the right half, which is the class; the mask is the square."""

    name = "squares"
    title = "squares"
    license = "none needed"
    revision = "1"
    class_names = ("left", "right")
    framing = "cropped"
    folder = None

    def __len__(self) -> int:
        return SAMPLES

    def sample(self, index: int) -> Sample:
        random = np.random.default_rng(index)
        array = (0.2 * random.random((SIDE, SIDE, 1))).astype(np.float32)
        top, left = random.integers(0, 6), random.integers(0, 2) + 4 * (index % 2)
        array[top : top + 3, left : left + 3] += 0.7
        mask = np.zeros((SIDE, SIDE), bool)
        mask[top : top + 3, left : left + 3] = True
        return Sample(f"square/{index}", array, index % 2, mask)


class Unmasked(Squares):
    """The same without ground truth."""

    name = title = "unmasked"

    def sample(self, index: int) -> Sample:
        found = super().sample(index)
        return Sample(found.id, found.array, found.label)


@register_dataset("squares", family="test")
def squares() -> Dataset:
    """Pictures with a square."""
    return Squares()


@register_dataset("unmasked", family="test")
def unmasked() -> Dataset:
    """Pictures with a square that nobody marked."""
    return Unmasked()


@register_model("halves", family="test", input_shape=(SIDE, SIDE, 1), datasets=["squares", "unmasked"])
def halves(framework: str) -> LoadedNetwork:
    """A linear network that weighs the left half against the right half."""
    left = np.tile(np.arange(SIDE) < SIDE // 2, (SIDE, 1)).ravel().astype(np.float32)
    weight = np.stack([left, 1 - left])
    shape = (SIDE, SIDE, 1)
    layers = (Flatten("flat", (INPUT,)), Dense("dense", ("flat",), 2))
    network = networks.built(
        Architecture("halves", shape, layers, "dense"),
        framework,
        {"dense.weight": weight, "dense.bias": np.zeros(2, np.float32)},
    )
    return LoadedNetwork(network, input_shape=(1, SIDE, SIDE) if framework == "torch" else shape, num_classes=2)


@dataclass(frozen=True)
class Overlap(Measure):
    """The difference of the map's means inside and outside the mask, over its standard deviation."""

    wants: ClassVar[frozenset[Any]] = frozenset({"masks"})

    def values(self, scoring: Scoring) -> np.ndarray:
        assert scoring.masks is not None
        inside = scoring.masks.reshape(scoring.count, -1)
        means = [(row[mask].mean() - row[~mask].mean()) for row, mask in zip(scoring.flat_maps, inside, strict=True)]
        spread = scoring.flat_maps.std(axis=1)
        return np.array(means) / np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True)
class Flat(Measure):
    """The same for every map."""

    def values(self, scoring: Scoring) -> np.ndarray:
        return np.full(scoring.count, 0.5)


@dataclass(frozen=True)
class Dice(Measure):
    """A throw of dice that only seed and map decide."""

    def values(self, scoring: Scoring) -> np.ndarray:
        found = []
        for row in scoring.flat_maps:
            number = int(np.abs(row * 1e4).sum()) % 100_000
            found.append(scoring.bank.generator("dice", number).random())
        return np.array(found)


@dataclass(frozen=True)
class Steady(Measure):
    """How much the map of a slightly brighter picture differs, over the map's standard deviation."""

    wants: ClassVar[frozenset[Any]] = frozenset({"method"})

    def values(self, scoring: Scoring) -> np.ndarray:
        other = scoring.explained(scoring.x + 0.01).reshape(scoring.count, -1)
        spread = scoring.flat_maps.std(axis=1)
        return np.abs(other - scoring.flat_maps).mean(axis=1) / np.where(spread > 0, spread, 1.0)


class Broken(Flat):
    """Raises."""

    def values(self, scoring: Scoring) -> np.ndarray:
        raise ValueError("broken on purpose")


class Picky(Flat):
    """Applies nowhere."""

    def values(self, scoring: Scoring) -> np.ndarray:
        raise NotApplicable("it likes no picture")


@register_method("killing", family="test", signed=True)
def killing(request: Any) -> Any:
    """The input itself, unless the process kills itself because there is a file ``crash`` in AUDIT_FOLDER."""
    if (Path(os.environ["AUDIT_FOLDER"]) / "crash").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return request.x * 1.0


@register_metric("overlap", family="localisation", higher_is_better=True)
def overlap() -> Measure:
    """Finds the square."""
    return Overlap()


@register_metric("overlap_inverted", family="localisation", higher_is_better=False)
def overlap_inverted() -> Measure:
    """Finds the square, and calls that bad."""
    return Overlap()


@register_metric("flat", family="localisation", higher_is_better=True)
def flat() -> Measure:
    """Says nothing."""
    return Flat()


@register_metric("dice", family="faithfulness", higher_is_better=True)
def dice() -> Measure:
    """Says anything."""
    return Dice()


@register_metric("steady", family="robustness", higher_is_better=False)
def steady() -> Measure:
    """Asks the method again."""
    return Steady()


@register_metric("broken", family="faithfulness", higher_is_better=True)
def broken() -> Measure:
    """Raises."""
    return Broken()


@register_metric("picky", family="faithfulness", higher_is_better=True)
def picky() -> Measure:
    """Applies nowhere."""
    return Picky()


@register_metric("directionless", family="faithfulness", higher_is_better=None)  # type: ignore[arg-type]
def directionless() -> Measure:
    """Nobody knows which way is better."""
    return Flat()
