"""Training the small networks: one seeded recipe, the same in either framework, and the record of how it went.

What happens in which order (initial weights, batches, shifts, learning rates) is decided here in NumPy; a framework
only takes the steps. So both frameworks train the same network, up to rounding and their dropout masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...errors import BadInput
from ..architecture.nodes import Architecture, initial_weights
from ..devices import require_framework
from ..importing import imported
from ..normalization import Normalization
from .trainer import Trainer

# How many training samples the accuracy and loss of an epoch are measured on.
_MEASURED = 1000
_CHUNK = 256
# What training on few samples has at least.
_BATCHES_AN_EPOCH = 4
_STEPS = 250
# Erased positions show a level from minus to plus this, in standard deviations of the normalised samples.
_LARGEST_LEVEL = 2.0


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is trained: AdamW with a warm-up of a tenth of the steps, then a cosine to zero."""

    epochs: int = 10
    """Passes over the training set."""
    batch: int = 64
    """Samples per step; a last, smaller batch is left out."""
    learning_rate: float = 2e-3
    """The highest one."""
    weight_decay: float = 1e-2
    """Decoupled (Loshchilov and Hutter 2019, arXiv 1711.05101), per unit of learning rate."""
    augmentation: Literal["none", "shift", "erase"] = "none"
    """``none``; ``shift``: every sample moves by up to ``shift`` positions along each spatial axis, its border
    repeated; or ``erase``: a random share of every sample's positions, up to ``erased``, shows one and the same random
    grey. What metrics do to a picture is then nothing new to the network.
    """
    shift: int = 0
    """The farthest a sample moves, in positions."""
    erased: float = 0.0
    """The largest share of positions that is erased."""
    seed: int = 0
    """Of the initial weights, the order of the batches, the shifts and the dropout masks."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not self.learning_rate > 0 or self.seed < 0:
            raise BadInput(
                "A recipe needs at least one epoch, one sample a batch, a learning rate above 0 and a seed of at least "
                f"0; got epochs={self.epochs}, batch={self.batch}, learning_rate={self.learning_rate:g}, "
                f"seed={self.seed}."
            )

    def learning_rates(self, steps: int) -> np.ndarray:
        """Return the learning rate of each of ``steps`` steps, float64 (steps,)."""
        warm = max(1, steps // 10)
        rising = (np.arange(warm) + 1) / warm
        falling = (1 + np.cos(np.pi * (np.arange(steps - warm) + 1) / (steps - warm + 1))) / 2
        return self.learning_rate * np.concatenate([rising, falling])[:steps]

    def steps_per_epoch(self, samples: int) -> int:
        """Return how many batches one pass over ``samples`` samples has."""
        return max(1, samples // self.batch)

    def batches(self, x: np.ndarray, y: np.ndarray, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the epoch's batches (b, *spatial, channels) and (b,), shuffled and changed by (seed, epoch)."""
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(x))
        for step in range(self.steps_per_epoch(len(x))):
            rows = order[step * self.batch : (step + 1) * self.batch]
            batch = x[rows]
            if self.augmentation == "shift" and self.shift:
                batch = _shifted(batch, generator.integers(-self.shift, self.shift + 1, (len(rows), x.ndim - 2)))
            elif self.augmentation == "erase" and self.erased:
                batch = _erased(batch, self.erased, generator)
            yield batch, y[rows]


@dataclass(frozen=True)
class Epoch:
    """How well the network did after an epoch: shares of right answers and mean cross-entropies (nats)."""

    epoch: int
    train_accuracy: float
    train_loss: float
    test_accuracy: float
    test_loss: float


@dataclass(frozen=True)
class Split:
    """Training and test samples in the canonical layout: x (n, *spatial, channels) float32, y (n,) int64."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


Progress = Callable[[Epoch, int], None]


def new_trainer(
    framework: str, architecture: Architecture, weights: Mapping[str, np.ndarray], recipe: TrainingRecipe
) -> Trainer:
    """Return the framework's trainer; MissingExtra where it is not installed."""
    require_framework(framework)
    imported(framework)
    if framework == "torch":
        from .on_torch import TorchTrainer

        return TorchTrainer(architecture, weights, recipe.weight_decay, recipe.seed)
    from .on_tensorflow import KerasTrainer

    return KerasTrainer(architecture, weights, recipe.weight_decay, recipe.seed)


def fit(
    framework: str,
    architecture: Architecture,
    normalization: Normalization,
    data: Split,
    recipe: TrainingRecipe,
    progress: Progress | None = None,
) -> tuple[dict[str, np.ndarray], tuple[Epoch, ...]]:
    """Train a network from its initial weights.

    Parameters
    ----------
    framework
        ``torch`` or ``tensorflow``.
    architecture, normalization, data, recipe
        What is trained, on what, and how.
    progress
        Called after each epoch with its record and the number of epochs.

    Returns
    -------
    tuple
        The weights under their canonical names, and a record per epoch.

    Raises
    ------
    BadInput
        If the loss stops being a number.
    """
    channel_axis = data.train_x.ndim - 1
    train, test = (normalization.apply(x, channel_axis) for x in (data.train_x, data.test_x))
    trainer = new_trainer(framework, architecture, initial_weights(architecture, recipe.seed), recipe)
    measured = np.random.default_rng([recipe.seed, 0]).permutation(len(train))[:_MEASURED]
    per_epoch = recipe.steps_per_epoch(len(train))
    rates = iter(recipe.learning_rates(per_epoch * recipe.epochs))
    history: list[Epoch] = []
    for epoch in range(1, recipe.epochs + 1):
        for x, y in recipe.batches(train, data.train_y, epoch):
            if not math.isfinite(trainer.update(x, y, float(next(rates)))):
                raise BadInput(f"The loss stopped being a number in epoch {epoch}. Lower the learning rate.")
        record = Epoch(
            epoch,
            *accuracy_and_loss(trainer.logits, train[measured], data.train_y[measured]),
            *accuracy_and_loss(trainer.logits, test, data.test_y),
        )
        history.append(record)
        if progress is not None:
            progress(record, recipe.epochs)
    return trainer.weights(), tuple(history)


def accuracy_and_loss(logits: Callable[[np.ndarray], np.ndarray], x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the share of right answers and the mean cross-entropy (nats) over some samples, chunk by chunk."""
    right, loss = 0, 0.0
    for start in range(0, len(x), _CHUNK):
        scores = logits(x[start : start + _CHUNK]).astype(np.float64)
        labels = y[start : start + _CHUNK]
        scores -= scores.max(axis=1, keepdims=True)
        loss += float((np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(labels)), labels]).sum())
        right += int((scores.argmax(axis=1) == labels).sum())
    return right / len(x), loss / len(x)


def measured_normalization(x: np.ndarray) -> Normalization:
    """Return the mean and standard deviation of each channel of (n, *spatial, channels)."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes, dtype=np.float64)
    std = np.sqrt(np.mean((x - mean.astype(np.float32)) ** 2, axis=axes, dtype=np.float64))
    std = np.where(std > 1e-6, std, 1.0)  # an empty channel stays as it is
    return Normalization(tuple(round(float(v), 6) for v in mean), tuple(round(float(v), 6) for v in std))


def with_epochs(recipe: TrainingRecipe, epochs: int | None, seed: int) -> TrainingRecipe:
    """Return the recipe with another seed and, where given, another number of epochs."""
    return replace(recipe, seed=seed, epochs=recipe.epochs if epochs is None else epochs)


def for_few_samples(recipe: TrainingRecipe, samples: int, more_epochs: bool) -> TrainingRecipe:
    """Return the recipe with smaller batches and, where wanted, more epochs, if there are few samples.

    Made for hundreds of steps, a recipe would otherwise end after a dozen on somebody's hundred pictures.
    """
    smaller = replace(recipe, batch=min(recipe.batch, max(1, samples // _BATCHES_AN_EPOCH)))
    if not more_epochs:
        return smaller
    return replace(smaller, epochs=max(recipe.epochs, math.ceil(_STEPS / smaller.steps_per_epoch(samples))))


def _erased(batch: np.ndarray, most: float, generator: np.random.Generator) -> np.ndarray:
    """Return each normalised sample with a random share of its positions, up to ``most``, set to one random level."""
    each = (len(batch), *[1] * (batch.ndim - 1))
    share = generator.uniform(0, most, each)
    level = generator.uniform(-_LARGEST_LEVEL, _LARGEST_LEVEL, each).astype(np.float32)
    return np.where(generator.random((*batch.shape[:-1], 1)) < share, level, batch)


def _shifted(batch: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return each sample moved by its offset along each spatial axis, with its border repeated."""
    moved = batch
    for axis in range(offsets.shape[1]):
        size = batch.shape[axis + 1]
        source = np.clip(np.arange(size)[None] - offsets[:, axis, None], 0, size - 1)
        shape = [len(batch)] + [1] * (batch.ndim - 1)
        shape[axis + 1] = size
        moved = np.take_along_axis(moved, source.reshape(shape), axis=axis + 1)
    return moved
