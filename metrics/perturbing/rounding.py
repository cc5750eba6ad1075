"""Which differences between scores are the rounding of float32 alone."""

from __future__ import annotations

import numpy as np

from .perturbation import MetricScore

_OF_LOGITS = 1e-5
"""Relative to the logits. The same pictures in chunks of another size moved EfficientNet-Lite0's by up to 6e-7, those
of a network whose logits are small by up to 1e-6."""
_OF_LOG_ODDS = 1e-5
"""Absolute. The same moved the probabilities p by up to 8e-6 p (1 - p)."""


def rounding_of(scores: np.ndarray, kind: MetricScore) -> float:
    """Return what float32's rounding may make of the difference between any two of these scores.

    A probability near 1 is known as well as one near 0: it is off by what its log odds are off by, times p (1 - p).
    """
    if kind == "probability":
        return _OF_LOG_ODDS * float((scores * (1.0 - scores)).max())
    return _OF_LOGITS * float(np.abs(scores).max())


def changes(left: np.ndarray, whole: float, kind: MetricScore) -> np.ndarray:
    """Return how far scores lie from that of the whole input, in multiples of what may be rounding.

    Needed where changes are ranked: what changes nothing must tie.
    """
    grain = rounding_of(np.append(left, whole), kind)
    differences = left - whole
    steps: np.ndarray = np.round(differences / grain) * grain if grain > 0 else differences
    return steps
