"""What a framework must offer to train a network, and the constants that both frameworks' trainers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ..architecture.nodes import Architecture

# PyTorch adds it after the correction of the second moment and Keras before; this small, the two agree.
ADAM_EPSILON = 1e-12


class Trainer(Protocol):
    """One network under training in one framework, on arrays in the canonical layout, normalised already.

    It trains with AdamW and cross-entropy; the caller's random state is untouched.

    Parameters
    ----------
    architecture, weights
        The network, and where to start from.
    weight_decay
        Decoupled decay per unit of learning rate.
    seed
        Of the dropout masks.
    """

    def __init__(
        self, architecture: Architecture, weights: Mapping[str, np.ndarray], weight_decay: float, seed: int
    ) -> None: ...

    def update(self, x: np.ndarray, y: np.ndarray, learning_rate: float) -> float:
        """Take one step on (b, *spatial, channels) and (b,) and return the batch's cross-entropy."""

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Return (n, classes), with dropout off."""

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of the weights under their canonical names."""
