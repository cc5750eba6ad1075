"""Scoring methods with metrics on a batch of one's own: the public `evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import BadInput, NotApplicable
from ..methods.explain import watched
from ..methods.registry import method_from
from ..metrics.registry import metrics_named
from ..models.base import Model
from ..models.queries import BATCH
from ..models.wrap import require_model
from ..selection import parse_selections
from .suite import Names
from .work.batches import TargetedBatch


def evaluate(
    model: Model,
    x: Any,
    target: Any = None,
    *,
    methods: Names,
    metrics: Names,
    seed: int = 0,
    ids: Sequence[str] | None = None,
    masks: np.ndarray | None = None,
) -> pd.DataFrame:
    """Explain ``x`` with every method and score every heatmap with every metric.

    Parameters
    ----------
    model
        What `heatmark.wrap` or `heatmark.load_model` returned.
    x
        Array or tensor (n, *model.input_shape), native layout, raw domain.
    target
        The class to explain: one, one per sample (n,), or None for the predicted class.
    methods, metrics
        Names with parameters, as a comma-separated string or a list.
    seed
        The seed of noise and masks.
    ids
        Names of the samples; their positions where None.
    masks
        Boolean ground truth (n, *spatial), for localisation metrics and the oracle.

    Returns
    -------
    pandas.DataFrame
        One row per sample, method and metric, with the columns ``sample``, ``method``, ``metric`` and ``value``
        (NaN where a metric is undefined for a sample).

    Raises
    ------
    UnknownName, BadInput
        For unknown names, bad parameters, and inputs or targets that do not fit the model.
    NotApplicable
        If a method or metric has no meaning for the model.
    """
    chosen_methods = {method.id: method for method in map(method_from, parse_selections(methods))}
    chosen_metrics = metrics_named(metrics)
    if not chosen_methods or not chosen_metrics:
        raise BadInput("Name at least one method and one metric.")
    inputs = require_model(model).inputs(x)
    count = int(inputs.shape[0])
    names = [str(number) for number in range(count)] if ids is None else [str(name) for name in ids]
    if len(names) != count:
        raise BadInput(f"There are {count} samples but {len(names)} ids. Give one id per sample.")
    logits = model.outputs_of(inputs)
    targets = logits.argmax(axis=1) if target is None else model.targets(target, count)
    for method in chosen_methods.values():
        if (reason := method.why_not(model)) is not None:
            raise NotApplicable(f"{method.id} is not applicable to {model.name}: {reason}.")
    whole = TargetedBatch(model, inputs, targets, logits, masks)
    frames = []
    for method in chosen_methods.values():
        for first, part in zip(range(0, count, BATCH), whole.parts(BATCH), strict=True):
            with watched(model, method, *chosen_metrics):
                maps = part.maps(method, seed)
                found = part.scores(maps, chosen_metrics, seed, part.explainer(method, seed), signed=method.signed)
            for name, reason in found.reasons.items():
                raise NotApplicable(f"{name} is not applicable to {method.id} on {model.name}: {reason.rstrip('.')}.")
            frames += [
                pd.DataFrame(
                    {"sample": names[first : first + BATCH], "method": method.id, "metric": metric, "value": scores}
                )
                for metric, scores in found.scores.items()
            ]
    return pd.concat(frames, ignore_index=True)
