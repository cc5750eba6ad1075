"""Maps without scores: the methods asked for, and those that have none here, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import HeatmarkError, MissingExtra, NotApplicable, error_in_words
from ...methods import registry
from ...methods.registry import Method
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...selection import parse_selections
from .batches import TargetedBatch
from .messages import NamedModel
from .named_models import check_name, is_own, loaded_model

EVERY = "all"
"""Stands for every registered method at its default parameters, but those of other libraries, which are asked for by
name."""


@dataclass(frozen=True)
class LeftOut:
    """A method that has no heatmaps here, and why; ``failed`` where that is an error and not its nature."""

    method: str
    framework: str
    reason: str
    failed: bool = False


@dataclass(frozen=True)
class ChosenMethods:
    """Methods that are asked for: those that can be named, those that cannot, and whether ``all`` were asked for."""

    methods: tuple[Method, ...]
    left_out: tuple[LeftOut, ...] = ()
    every: bool = False


def every_method() -> ChosenMethods:
    """Return what `EVERY` stands for; left out is what stands for many methods, or needs to be told of another."""
    found: list[Method] = []
    left_out: list[LeftOut] = []
    for entry in registry.METHODS:
        if entry.requires is not None:
            continue
        try:
            # A name that ends in a colon stands for many, none of which is the default.
            if entry.name.endswith(":"):
                raise NotApplicable(f"it is a family of methods; name one, such as {entry.name}NAME")
            found.append(registry.method_from(entry.name))
        except HeatmarkError as reason:
            left_out.append(LeftOut(entry.name, "", str(reason)))
    return ChosenMethods(tuple(found), tuple(left_out), every=True)


def chosen_methods(selections: str | Iterable[str]) -> ChosenMethods:
    """Return the methods that selections name, each once, `EVERY` replaced by all that it stands for.

    Raises
    ------
    UnknownName, BadInput
        For an unknown method, or a parameter that it does not have.
    """
    parts = [
        every_method() if selection.text == EVERY else ChosenMethods((registry.method_from(selection),))
        for selection in parse_selections(selections)
    ]
    methods = {method.id: method for part in parts for method in part.methods}
    left_out = tuple(item for part in parts for item in part.left_out)
    return ChosenMethods(tuple(methods.values()), left_out, any(part.every for part in parts))


def model_named(name: str, framework: str, device: str) -> Model:
    """Return a registered model, or one that the user's own code or file holds."""
    if is_own(name):
        check_name(name)
    return loaded_model(NamedModel(name, framework, device))


def maps_of(asked: TargetedBatch, method: Method, seed: int, *, lenient: bool) -> np.ndarray | LeftOut:
    """Return a batch's maps, or why there are none; where not ``lenient``, an error is raised instead."""
    framework = asked.model.framework
    try:
        return asked.maps(method, seed)
    except NotApplicable as reason:
        head, _, rest = str(reason).partition(": ")
        bare = rest if head.startswith(f"{method.id} is not applicable") and rest else str(reason)
        return LeftOut(method.id, framework, f"not applicable: {bare}")
    except Exception as error:
        # Of all methods, one that fails must not cost the others.
        if not lenient:
            raise
        if isinstance(error, MissingExtra):
            return LeftOut(method.id, framework, str(error))
        return LeftOut(method.id, framework, f"failed: {error_in_words(error)}", failed=True)


def channels_last(model: Model, x: Tensor) -> np.ndarray:
    """Return native inputs as (n, *spatial, channels), or (n, features), their domain scaled to [0, 1]."""
    array = np.asarray(model.to_unit(model.to_numpy(x)))
    return array if model.channel_axis is None else np.moveaxis(array, model.channel_axis, -1)


def in_one_line(method: str, framework: str, frameworks: Sequence[str]) -> str:
    """Return what is at work, for progress; the framework where there are several."""
    return method if len(frameworks) == 1 else f"{method} {framework}"
