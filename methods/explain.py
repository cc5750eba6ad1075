"""Explaining: from inputs and targets to maps, whatever the method."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from ..datasets.base import RawValues
from ..definitions import Chosen
from ..errors import BadInput, NotApplicable
from ..models.arrays.operations import Tensor
from ..models.base import Model
from ..models.queries import BATCH
from ..models.unharmed import unharmed
from ..models.wrap import require_model
from .registry import Method, method_from
from .request import Request


def explain(
    model: Model,
    x: Any,
    method: str | Method = "integrated_gradients",
    target: Any = None,
    *,
    channels: bool = False,
    seed: int = 0,
    ground_truth: np.ndarray | None = None,
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
        The class to explain, by number or name, one for all or one per sample; by default the predicted class.
    channels
        Whether to keep the channel axis (the sign too), for methods that have one.
    seed
        Of the random numbers, where the method uses any.
    ground_truth
        Boolean masks (n, *spatial), for the oracle.
    **parameters
        The method's parameters. A baseline may be an array, a tensor of either framework or nested lists, of one
        input's shape or with one for each sample.

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
    require_model(model)
    given = {name: _as_array(value, name, model) for name, value in parameters.items()}
    chosen = method_from(method, given) if isinstance(method, str) else method
    inputs = model.inputs(x)
    count = int(inputs.shape[0])
    shape = tuple(int(size) for size in inputs.shape)
    single = _single_arrays(chosen, shape)
    classes = model.outputs_of(inputs).argmax(axis=1) if target is None else model.targets(target, count)
    rows = [slice(first, first + BATCH) for first in range(0, count, BATCH)]
    parts = []
    for row in rows:
        part = {
            name: value[row] if name in single and value.shape == shape else value
            for name, value in chosen.parameters.items()
        }
        batch = replace(chosen, parameters=part)
        truth = None if ground_truth is None else ground_truth[row]
        with watched(model, chosen):
            maps = explain_batch(model, batch, inputs[row], classes[row], seed, channels=channels, ground_truth=truth)
        parts.append(maps)
    return np.concatenate(parts)


def _as_array(value: Any, name: str, model: Model) -> Any:
    """Return a tensor of either framework, or nested lists of numbers, as float32; anything else as it is."""
    value = model.plain(value)
    known = isinstance(value, np.ndarray | np.generic)
    if known or not (hasattr(value, "__array__") or isinstance(value, (list, tuple))):
        return value
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, np.float32)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} is no array: {error}. Give an array, a tensor or nested lists of one shape.") from error
    return array if array.ndim else float(array)


def _single_arrays(method: Method, shape: tuple[int, ...]) -> frozenset[str]:
    """Return the parameters that hold an array of one input's shape or one for each sample; BadInput for another shape.

    Where no number could stand in its place, an array may be a set of baselines of any size (expected gradients).
    """
    single = {item.name for item in method.entry.parameters if float in item.types}
    found = {name: value for name, value in method.parameters.items() if isinstance(value, np.ndarray)}
    for name, value in found.items():
        if name in single and value.shape not in (shape, shape[1:]):
            raise BadInput(
                f"The {name} has shape {value.shape}; give {shape[1:]}, or one for each of the samples, {shape}."
            )
    return frozenset(single.intersection(found))


def watched(model: Model, *chosen: Chosen[Any]) -> AbstractContextManager[None]:
    """Return a context in which methods and metrics that are not heatmark's own may change nothing.

    Those that are heatmark's own are held to it by its tests; workers watch them all, job by job. Those that run apart
    are watched where they run. See `unharmed`.
    """
    inner = [one.inner for one in chosen if isinstance(one, Method) and one.inner is not None]
    foreign = [
        one.id
        for one in (*chosen, *inner)
        if one.entry.origin != "heatmark" and not (isinstance(one, Method) and one.entry.apart)
    ]
    return unharmed(model, ", ".join(foreign)) if foreign else nullcontext()


def explain_batch(
    model: Model,
    method: Method,
    x: Tensor,
    target: np.ndarray,
    seed: int = 0,
    *,
    channels: bool = False,
    ground_truth: np.ndarray | None = None,
    values: RawValues | None = None,
) -> np.ndarray:
    """Return the maps of one batch that is on the device already; see `explain`.

    ``values`` is what the data says of its raw values, where the samples are a dataset's.

    Raises
    ------
    NotApplicable
        If the method has no meaning for the model or the data.
    """
    with model.operations.on_device():
        result = attribution_of(model, method, x, target, seed, ground_truth=ground_truth, values=values)
        if channels:
            resolved = (int(x.shape[0]), *model.input_shape)
            if tuple(result.shape) != resolved or method.entry.pooling == "none":
                raise BadInput(f"{method.id} has no channel-resolved form: leave out channels=True.")
            return model.to_numpy(result)
        return model.to_numpy(pooled_map(model, method, result))


def attribution_of(
    model: Model,
    method: Method,
    x: Tensor,
    target: np.ndarray,
    seed: int = 0,
    *,
    ground_truth: np.ndarray | None = None,
    values: RawValues | None = None,
) -> Tensor:
    """Return what a method's function returns for one batch on the device, neither pooled nor checked.

    Raises
    ------
    NotApplicable
        If the method has no meaning for the model or the data.
    BadInput
        If the method changed what it was given.
    """
    reason = method.why_not(model)
    if reason is not None:
        raise NotApplicable(f"{method.id} is not applicable to {model.name}: {reason.rstrip('.')}.")
    classes = np.asarray(target, np.int64)
    operations = model.operations
    with operations.on_device():
        given = operations.copied(x)
        request = Request(model, given, classes, seed, inner=method.inner, ground_truth=ground_truth, values=values)
        result = method.entry.function(request, **method.parameters)
        if not operations.equal(given, x) or not np.array_equal(request.target_array, classes):
            raise BadInput(
                f"The method {method.id} changed the inputs or targets that it was given (request.x, request.target), "
                "so its map is not one of the sample. Compute on a copy: request.operations.copied(request.x)."
            )
        return result


def pooled_map(model: Model, method: Method, attribution: Tensor) -> Tensor:
    """Return (n, *spatial) from what a method's function returned, by the method's rule.

    Raises
    ------
    BadInput
        If it has neither the shape of the inputs nor that of their positions.
    """
    operations = model.operations
    shape = tuple(int(size) for size in attribution.shape)
    flat, resolved = (shape[0], *model.spatial_shape), (shape[0], *model.input_shape)
    if shape not in (flat, resolved):
        raise BadInput(f"The method {method.id} returned the shape {shape}; it must be {resolved} or {flat}.")
    if method.entry.pooling == "none" or shape != resolved:
        return operations.to_float(attribution)
    if method.entry.pooling == "max_abs":
        attribution = operations.abs(attribution)
        return attribution if model.channel_axis is None else operations.max(attribution, axis=model.channel_axis)
    return attribution if model.channel_axis is None else operations.sum(attribution, axis=model.channel_axis)
