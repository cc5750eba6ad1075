"""What logits say of their targets, computed in float64 in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TargetScores:
    """The targets' scores of a chunk of logits."""

    logit: np.ndarray
    log_probability: np.ndarray
    """float64 (n,)."""
    top: np.ndarray
    """Boolean (n,): whether no class has a higher logit."""

    @classmethod
    def of(cls, logits: np.ndarray, target: np.ndarray) -> TargetScores:
        """Return the scores of the classes ``target`` (n,) in ``logits`` (n, classes).

        A single output is the log odds of its class: against an opposite whose logit is zero.
        """
        wide = logits.astype(np.float64)
        chosen = wide[np.arange(len(wide)), target]
        if wide.shape[1] == 1:
            wide = np.concatenate([wide, np.zeros_like(wide)], axis=1)
        highest = wide.max(axis=1)
        logarithm = chosen - highest - np.log(np.exp(wide - highest[:, None]).sum(axis=1))
        return cls(chosen, logarithm, chosen >= highest)

    @property
    def probability(self) -> np.ndarray:
        """The targets' probabilities (softmax; of a single output, logistic), float64 (n,)."""
        return np.asarray(np.exp(self.log_probability))
