"""Methods as metrics see them: a function that explains other inputs, targets or models in the same way."""

from __future__ import annotations

import numpy as np

from ...methods.explain import explain_batch
from ...methods.registry import Method
from ...metrics.scoring import Explainer
from ...models.arrays.operations import Tensor
from ...models.base import Model


def explainer_of(method: Method, seed: int, masks: np.ndarray | None = None) -> Explainer:
    """Return what explains as ``method`` does.

    Parameters
    ----------
    method
        The method that is scored.
    seed
        The seed that its maps were made with.
    masks
        The ground truth (n, *spatial) of the samples, for the oracle.
    """

    def explain(model: Model, x: Tensor, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        truth = None if masks is None else masks[rows]
        return explain_batch(model, method, x, target, seed=seed, ground_truth=truth)

    return explain
