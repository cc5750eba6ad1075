"""Scoring attributions of one's own under a metric."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import BadInput, NotApplicable
from ..models.arrays.operations import Tensor
from ..models.base import Model
from ..models.queries import BATCH
from ..models.wrap import require_model
from .planner import evaluate_batch
from .registry import Metric, metric_from
from .scoring import Explainer


def score(
    model: Model,
    x: Any,
    attributions: Any,
    metric: str | Metric = "deletion",
    target: Any = None,
    *,
    seed: int = 0,
    masks: np.ndarray | None = None,
    explainer: Explainer | None = None,
) -> np.ndarray:
    """Return the metric's value for every sample.

    Parameters
    ----------
    model
        The model that was explained.
    x
        (n, *input_shape), array or tensor, native layout, raw domain.
    attributions
        (n, *spatial); they are neither changed nor normalised before the metric sees them.
    metric
        A selection such as ``"deletion[rise]"``.
    target
        The explained class, one for all or one per sample; by default the predicted class.
    seed
        Of fills with noise, random subsets and random copies.
    masks
        Boolean ground truth (n, *spatial), for localisation metrics.
    explainer
        How the attributions were made, for metrics that explain other inputs too: from (model, x (m, *input_shape),
        target (m,), which of the samples each input stems from (m,)) to maps (m, *spatial).

    Returns
    -------
    ndarray
        float64, (n,); NaN where the definition gives no value.

    Raises
    ------
    UnknownName, BadInput
        For a wrong name, parameter, shape or target.
    NotApplicable
        If the metric has no meaning for the model or the data; the message is the reason.
    """
    chosen = metric_from(metric) if isinstance(metric, str) else metric
    inputs = require_model(model).inputs(x)
    maps = np.asarray(model.plain(attributions))
    count = int(inputs.shape[0])
    if len(maps) != count:
        raise BadInput(f"There are {len(maps)} attributions for {count} samples.")
    logits = model.outputs_of(inputs)
    classes = logits.argmax(axis=1) if target is None else model.targets(target, count)
    parts = []
    for first in range(0, count, BATCH):
        rows = slice(first, first + BATCH)
        result = evaluate_batch(
            model,
            inputs[rows],
            maps[rows],
            classes[rows],
            [chosen],
            seed,
            logits[rows],
            masks=None if masks is None else np.asarray(masks)[rows],
            explainer=None if explainer is None else _shifted(explainer, first),
        )
        if chosen.id in result.reasons:
            raise NotApplicable(
                f"{chosen.id} is not applicable to {model.name}: {result.reasons[chosen.id].rstrip('.')}."
            )
        parts.append(result.scores[chosen.id])
    return np.concatenate(parts)


def _shifted(explainer: Explainer, first: int) -> Explainer:
    """Return the explainer for a batch that begins at sample ``first``, which may explain what leaves the domain."""

    def explained(model: Model, x: Tensor, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        with model.any_values():
            return explainer(model, x, target, rows + first)

    return explained
