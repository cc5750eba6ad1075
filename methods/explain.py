"""Explaining: from inputs and targets to maps, whatever the method."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import BadInput, NotApplicable
from ..models.base import Model
from ..models.tensors import Tensor
from .registry import Method, method_from
from .request import Request

_BATCH = 16
"""Samples that are explained at a time, so that memory does not grow with their number."""


def explain(
    model: Model,
    x: Any,
    method: str | Method = "integrated_gradients",
    target: Any = None,
    *,
    channels: bool = False,
    seed: int = 0,
    **parameters: Any,
) -> np.ndarray:
    """Return the attribution of every sample.

    Parameters
    ----------
    model
        From `heatmark.wrap` or `heatmark.load_model`.
    x
        (n, *input_shape), array or tensor, in the model's native layout and raw domain; it is not changed.
    method
        A selection such as ``"saliency"`` or ``"integrated_gradients[steps=20]"``.
    target
        The class to explain, one for all or one per sample; by default the predicted class.
    channels
        Whether to keep the channel axis (the sign too), for methods that have one.
    seed
        Of the random numbers, where the method uses any.
    **parameters
        The method's parameters.

    Returns
    -------
    ndarray
        float32, (n, *spatial), or (n, *input_shape) with ``channels=True``.

    Raises
    ------
    UnknownName, BadInput
        For a wrong name, parameter, shape, target or value.
    NotApplicable
        If the method has no meaning for the model; the message is the reason.
    """
    chosen = method_from(method, parameters) if isinstance(method, str) else method
    inputs = model.inputs(x)
    count = int(inputs.shape[0])
    classes = model.outputs(x).argmax(axis=1) if target is None else model.targets(target, count)
    rows = [slice(first, first + _BATCH) for first in range(0, count, _BATCH)]
    parts = []
    for row in rows:
        part = {
            name: value[row] if isinstance(value, np.ndarray) and value.shape == tuple(inputs.shape) else value
            for name, value in chosen.parameters.items()
        }
        batch = Method(chosen.entry, chosen.selection, part)
        parts.append(explain_batch(model, batch, inputs[row], classes[row], seed, channels=channels))
    return np.concatenate(parts)


def explain_batch(
    model: Model, method: Method, x: Tensor, target: np.ndarray, seed: int = 0, *, channels: bool = False
) -> np.ndarray:
    """Return the maps of one batch that is on the device already; see `explain`.

    Raises
    ------
    NotApplicable
        If the method has no meaning for the model.
    """
    reason = method.why_not(model)
    if reason is not None:
        raise NotApplicable(f"{method.id} is not applicable to {model.name}: {reason}.")
    result = method.entry.function(Request(model, x, np.asarray(target, np.int64), seed), **method.parameters)
    shape = tuple(int(size) for size in result.shape)
    count = int(x.shape[0])
    resolved = (count, *model.input_shape)
    if shape == (count, *model.spatial_shape) and (shape != resolved or method.entry.pooling == "none"):
        if channels and shape != resolved:
            raise BadInput(f"{method.id} has no channel-resolved form: leave out channels=True.")
        return model.to_numpy(model.operations.to_float(result))
    if shape != resolved:
        raise BadInput(
            f"The method {method.id} returned the shape {shape}; it must be {resolved} or "
            f"{(count, *model.spatial_shape)}."
        )
    return model.to_numpy(result if channels else _pooled(model, method, result))


def _pooled(model: Model, method: Method, attribution: Tensor) -> Tensor:
    """Return (n, *spatial) from a map with channels, by the method's rule."""
    operations = model.operations
    if method.entry.pooling == "max_abs":
        attribution = operations.abs(attribution)
        return attribution if model.channel_axis is None else operations.max(attribution, axis=model.channel_axis)
    return attribution if model.channel_axis is None else operations.sum(attribution, axis=model.channel_axis)
