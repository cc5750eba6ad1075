"""What a network says about the unchanged samples, as it is kept with every cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics.perturbing.target_scores import TargetScores


@dataclass(frozen=True)
class Original:
    """One sample's label, top class, target and the scores of target and label; ``label`` is -1 where unknown."""

    label: int
    predicted: int
    target: int
    target_logit: float
    target_probability: float
    label_log_probability: float


def originals_of(logits: np.ndarray, labels: np.ndarray, targets: np.ndarray) -> Sequence[Original]:
    """Return one original per sample from logits (n, classes), known labels (n,) and explained classes (n,)."""
    # Where no label is known any class stands in, and what is said of it is not used.
    of_target, of_label = (TargetScores.of(logits, classes) for classes in (targets, np.maximum(labels, 0)))
    probability = of_target.probability
    return [
        Original(
            label=int(label),
            predicted=int(top),
            target=int(chosen),
            target_logit=float(of_target.logit[row]),
            target_probability=float(probability[row]),
            label_log_probability=float(of_label.log_probability[row]) if label >= 0 else float("nan"),
        )
        for row, (label, top, chosen) in enumerate(zip(labels, logits.argmax(axis=1), targets, strict=True))
    ]
