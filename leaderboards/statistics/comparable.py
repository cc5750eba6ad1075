"""Which methods meet on a metric, and on which samples."""

from __future__ import annotations

import numpy as np

DEFINED_SHARE = 0.9
"""A method is ranked on a metric only if it has a score on this share of the samples on which any method has one."""


def comparable(scores: np.ndarray, complete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decide which methods meet on one metric, and where.

    Parameters
    ----------
    scores
        (methods, samples).
    complete
        Boolean (methods,): the method has all its cells; others are never ranked.

    Returns
    -------
    methods
        Boolean (methods,): enough defined scores.
    samples
        Boolean (samples,): every one of these methods has a score.
    """
    defined = np.isfinite(scores)
    anywhere = defined[complete].any(axis=0)
    share = defined[:, anywhere].mean(axis=1) if anywhere.any() else np.zeros(len(scores))
    methods = complete & (share >= DEFINED_SHARE)
    samples = defined[methods].all(axis=0) & anywhere
    if not samples.any():
        methods = np.zeros_like(methods)
    return methods, samples
