"""What logits say of their targets, computed in float64 in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...models.reading.outputs import Link


@dataclass(frozen=True)
class TargetScores:
    """The targets' scores of a chunk of logits."""

    logit: np.ndarray
    log_probability: np.ndarray
    """float64 (n,)."""
    top: np.ndarray
    """Boolean (n,): whether it is predicted: no class has a higher logit or, where each has a probability of its own,
    that is at least one half.
    """

    @classmethod
    def of(cls, logits: np.ndarray, target: np.ndarray, link: Link) -> TargetScores:
        """Return the scores of the classes ``target`` (n,) in ``logits`` (n, classes).

        Where each class has a probability of its own (``link`` is ``logistic``), its logit is its log odds: against an
        opposite whose logit is zero.
        """
        wide = logits.astype(np.float64)
        chosen = wide[np.arange(len(wide)), target]
        if link == "logistic":
            wide = np.stack([chosen, np.zeros_like(chosen)], axis=1)
        highest = wide.max(axis=1)
        logarithm = chosen - highest - np.log(np.exp(wide - highest[:, None]).sum(axis=1))
        return cls(chosen, logarithm, chosen >= highest)

    @property
    def probability(self) -> np.ndarray:
        """The targets' probabilities (softmax or logistic), float64 (n,)."""
        return np.asarray(np.exp(self.log_probability))
